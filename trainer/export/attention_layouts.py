"""Attention in the transformers library's layouts: NanoChat for the recipe transformer, Llama for the recipe llama."""

from typing import Any

from torch import Tensor

from trainer.export.layout import (
    EPSILON,
    SPECIAL_IDS,
    Layout,
    mlp_width,
    normed_embedding,
    ones,
    plain,
    require_options,
    require_stack,
)
from trainer.layers.attention import Attention
from trainer.layers.positions import BASE
from trainer.model import LanguageModel


def nanochat(model: LanguageModel) -> Layout:
    """NanoChatForCausalLM: RoPE, QK-norm, squared ReLU, norms without weights and capped logits, as we have them.

    It turns pairs the other way round, which is the same as negating the second half of each query and key.

    Raises:
        ExportError: the model has other parts.

    """
    require_stack(model, "attention", "transformer")
    require_options(model, norm="rms", feed_forward="squared_relu", query_key_norm=True)
    config = {
        "model_type": "nanochat",
        "architectures": ["NanoChatForCausalLM"],
        "hidden_act": "relu2",
        "final_logit_softcapping": model.shape.logit_cap or None,
        **_config(model),
    }
    tensors = {"model.embed_tokens.weight": model.embedding.weight, "lm_head.weight": model.head.weight}
    for number, block in enumerate(model.layers()):
        tensors |= _projections(block.mixer, f"model.layers.{number}.self_attn.", turned=True)
        if block.mlp is not None:
            tensors[f"model.layers.{number}.mlp.fc1.weight"] = block.mlp.up.weight
            tensors[f"model.layers.{number}.mlp.fc2.weight"] = block.mlp.down.weight
    return Layout(config, plain(tensors))


def llama(model: LanguageModel) -> Layout:
    """LlamaForCausalLM. Raises ExportError when the model has other parts."""
    require_stack(model, "attention", "llama")
    require_options(model, norm="rms", feed_forward="swiglu", query_key_norm=False, logit_cap=0.0)
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_act": "silu", **_config(model)}
    tensors = {
        "model.embed_tokens.weight": normed_embedding(model),
        "model.norm.weight": ones(model),
        "lm_head.weight": model.head.weight,
    }
    for number, block in enumerate(model.layers()):
        prefix = f"model.layers.{number}."
        tensors |= _projections(block.mixer, f"{prefix}self_attn.", turned=False)
        tensors[f"{prefix}input_layernorm.weight"] = tensors[f"{prefix}post_attention_layernorm.weight"] = ones(model)
        if block.mlp is not None:
            for theirs, ours in (("gate", "gate"), ("up", "up"), ("down", "down")):
                tensors[f"{prefix}mlp.{theirs}_proj.weight"] = block.mlp.get_parameter(f"{ours}.weight")
    return Layout(config, plain(tensors))


def _config(model: LanguageModel) -> dict[str, Any]:
    shape = model.shape
    heads = shape.width // shape.head_width
    return {
        **SPECIAL_IDS,
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "intermediate_size": mlp_width(model),
        "num_hidden_layers": len(shape.mixers),
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "head_dim": shape.head_width,
        "max_position_embeddings": shape.window,
        "rms_norm_eps": EPSILON,
        "rope_theta": BASE,
        "rope_parameters": {"rope_type": "default", "rope_theta": BASE},
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "dtype": "float32",
    }


def _projections(mixer: object, prefix: str, *, turned: bool) -> dict[str, Tensor]:
    assert isinstance(mixer, Attention)  # noqa: S101  # the caller has looked
    query, key = mixer.query.weight, mixer.key.weight
    if turned:
        query, key = (_second_half_negated(each, mixer.head_width) for each in (query, key))
    return {
        f"{prefix}q_proj.weight": query,
        f"{prefix}k_proj.weight": key,
        f"{prefix}v_proj.weight": mixer.value.weight,
        f"{prefix}o_proj.weight": mixer.output.weight,
    }


def _second_half_negated(weight: Tensor, head_width: int) -> Tensor:
    """Of each head's rows."""
    heads = weight.detach().view(-1, head_width, weight.shape[1]).clone()
    heads[:, head_width // 2 :] *= -1
    return heads.view_as(weight)
