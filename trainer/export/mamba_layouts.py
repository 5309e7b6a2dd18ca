"""State-space layers as the transformers library lays them out: Mamba, Mamba2, and NemotronH where there are MLPs."""

from typing import Any

import torch
from torch import Tensor

from trainer.export.layout import (
    EPSILON,
    SPECIAL_IDS,
    Layout,
    mlp_width,
    normed_embedding,
    ones,
    plain,
    require,
    require_options,
    require_stack,
)
from trainer.layers.convolution import TAPS
from trainer.layers.mamba import Mamba
from trainer.layers.mamba2 import Mamba2
from trainer.model import LanguageModel


def mamba(model: LanguageModel) -> Layout:
    """MambaForCausalLM. Raises ExportError when the model has MLPs or other parts."""
    require_stack(model, "mamba", "mamba")
    require_options(model, norm="rms", logit_cap=0.0)
    require(not mlp_width(model), "The Mamba layout has no MLPs; set model.mlp_width 0 in run.json and train anew.")
    shape = model.shape
    config = {
        "model_type": "mamba",
        "architectures": ["MambaForCausalLM"],
        "state_size": shape.states,
        "num_hidden_layers": len(shape.mixers),
        **_config(model),
    }
    tensors = _around(model, "backbone.")
    for number, block in enumerate(model.layers()):
        assert isinstance(block.mixer, Mamba)  # noqa: S101  # require_stack has looked
        prefix, mixer = f"backbone.layers.{number}.", block.mixer
        tensors |= {
            f"{prefix}norm.weight": ones(model),
            f"{prefix}mixer.in_proj.weight": mixer.input.weight,
            f"{prefix}mixer.x_proj.weight": mixer.selection.weight,
            f"{prefix}mixer.dt_proj.weight": mixer.step_size.weight,
            f"{prefix}mixer.dt_proj.bias": mixer.step_size.bias,
            f"{prefix}mixer.out_proj.weight": mixer.output.weight,
            **_shared(f"{prefix}mixer.", mixer),
        }
    return Layout(config, plain(tensors))


def mamba2(model: LanguageModel) -> Layout:
    """Mamba2ForCausalLM without MLPs, NemotronHForCausalLM with them. Raises ExportError for other parts."""
    require_stack(model, "mamba2", "mamba2")
    require_options(model, norm="rms", logit_cap=0.0)
    inner = mlp_width(model)
    if inner:
        require_options(model, feed_forward="squared_relu")
    heads, head_width = 2 * model.shape.width // model.shape.head_width, model.shape.head_width
    common = {**_config(model), "n_groups": 1, "chunk_size": 64}
    kinds = ["linear_attention", "mlp"] if inner else ["linear_attention"]
    if inner:
        config = {
            "model_type": "nemotron_h",
            "architectures": ["NemotronHForCausalLM"],
            "layers_block_type": kinds * len(model.shape.mixers),
            "intermediate_size": inner,
            "mlp_hidden_act": "relu2",
            "mamba_num_heads": heads,
            "mamba_head_dim": head_width,
            "ssm_state_size": model.shape.head_states,
            "time_step_min": 0.0,  # a bound there, where it is an initial value elsewhere
            **common,
        }
    else:
        config = {
            "model_type": "mamba2",
            "architectures": ["Mamba2ForCausalLM"],
            "num_hidden_layers": len(model.shape.mixers),
            "num_heads": heads,
            "head_dim": head_width,
            "state_size": model.shape.head_states,
            **common,
        }
    root = "model." if inner else "backbone."
    tensors = _around(model, root)
    for number, block in enumerate(model.layers()):
        assert isinstance(block.mixer, Mamba2)  # noqa: S101  # require_stack has looked
        prefix, mixer = f"{root}layers.{len(kinds) * number}.", block.mixer
        tensors |= {
            f"{prefix}norm.weight": ones(model),
            f"{prefix}mixer.in_proj.weight": torch.cat([mixer.input.weight, mixer.step_size.weight]),
            f"{prefix}mixer.dt_bias": mixer.step_size.bias,
            f"{prefix}mixer.norm.weight": mixer.scale,
            f"{prefix}mixer.out_proj.weight": mixer.output.weight,
            **_shared(f"{prefix}mixer.", mixer),
        }
        if block.mlp is not None:
            prefix = f"{root}layers.{len(kinds) * number + 1}."
            tensors |= {
                f"{prefix}norm.weight": ones(model),
                f"{prefix}mixer.up_proj.weight": block.mlp.up.weight,
                f"{prefix}mixer.down_proj.weight": block.mlp.down.weight,
            }
    return Layout(config, plain(tensors))


def _config(model: LanguageModel) -> dict[str, Any]:
    return {
        **SPECIAL_IDS,
        "vocab_size": model.shape.vocabulary,
        "hidden_size": model.shape.width,
        "conv_kernel": TAPS,
        "expand": 2,
        "use_bias": False,
        "use_conv_bias": True,
        "layer_norm_epsilon": EPSILON,
        "tie_word_embeddings": False,
        "dtype": "float32",
    }


def _around(model: LanguageModel, root: str) -> dict[str, Tensor]:
    return {
        f"{root}embeddings.weight": normed_embedding(model),
        f"{root}norm_f.weight": ones(model),
        "lm_head.weight": model.head.weight,
    }


def _shared(prefix: str, mixer: Mamba | Mamba2) -> dict[str, Tensor]:
    """What both kinds name alike; their convolution has the oldest tap first."""
    return {
        f"{prefix}conv1d.weight": mixer.taps.flip(0).T[:, None],
        f"{prefix}conv1d.bias": mixer.taps_bias,
        f"{prefix}A_log": mixer.log_rates,
        f"{prefix}D": mixer.skip,
    }
