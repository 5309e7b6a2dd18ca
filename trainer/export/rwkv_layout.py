"""RWKV-7 under the names of its authors' models, which the package `rwkv` and converters of other programs read.

The transformers library has RWKV-4 only. The names are those of BlinkDL/RWKV-LM, RWKV-v7/train_temp/src/model.py.
"""

import torch
from torch import Tensor

from trainer.export.layout import Layout, mlp_width, plain, require_options, require_stack
from trainer.layers.feed_forward import Rwkv7ChannelMix
from trainer.layers.rwkv7 import LowRank, Rwkv7
from trainer.model import LanguageModel


def rwkv7(model: LanguageModel) -> Layout:
    """The authors' names. Raises ExportError when the model has RMS norms, capped logits or other layers."""
    require_stack(model, "rwkv7", "rwkv7")
    require_options(model, norm="layer", logit_cap=0.0, reflections=0)
    shape = model.shape
    config = {
        "model_type": "rwkv7",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "head_size": shape.head_width,
        "num_hidden_layers": len(shape.mixers),
        "intermediate_size": mlp_width(model),
    }
    tensors = {
        "emb.weight": model.embedding.weight,
        "head.weight": model.head.weight,
        **_norm("blocks.0.ln0", shape.width),
        **_norm("ln_out", shape.width),
    }
    for number, block in enumerate(model.layers()):
        assert isinstance(block.mixer, Rwkv7)  # noqa: S101  # require_stack has looked
        prefix = f"blocks.{number}."
        tensors |= _norm(f"{prefix}ln1", shape.width) | _norm(f"{prefix}ln2", shape.width)
        tensors |= _time_mix(f"{prefix}att.", block.mixer)
        if isinstance(block.mlp, Rwkv7ChannelMix):
            tensors[f"{prefix}ffn.x_k"] = block.mlp.share.view(1, 1, -1)
            tensors[f"{prefix}ffn.key.weight"] = block.mlp.up.weight
            tensors[f"{prefix}ffn.value.weight"] = block.mlp.down.weight
    return Layout(config, plain(tensors))


def _time_mix(prefix: str, mixer: Rwkv7) -> dict[str, Tensor]:
    tensors = {
        f"{prefix}x_{name}": share.view(1, 1, -1) for name, share in zip("rwkvag", mixer.shares.unbind(0), strict=True)
    }
    for name, pair in (("w", mixer.decay), ("a", mixer.rate), ("v", mixer.residual), ("g", mixer.gate)):
        if isinstance(pair, LowRank):
            tensors |= _low_rank(prefix + name, pair)
    return tensors | {
        f"{prefix}k_k": mixer.key_scale.view(1, 1, -1),
        f"{prefix}k_a": mixer.key_rate.view(1, 1, -1),
        f"{prefix}r_k": mixer.bonus,
        f"{prefix}receptance.weight": mixer.receptance.weight,
        f"{prefix}key.weight": mixer.key.weight,
        f"{prefix}value.weight": mixer.value.weight,
        f"{prefix}output.weight": mixer.output.weight,
        f"{prefix}ln_x.weight": mixer.norm_scale,
        f"{prefix}ln_x.bias": mixer.norm_bias,
    }


def _low_rank(name: str, pair: LowRank) -> dict[str, Tensor]:
    """They multiply from the left, so their matrices are ours transposed."""
    found: dict[str, Tensor] = {f"{name}1": pair.down.weight.T, f"{name}2": pair.up.weight.T}
    if pair.up.bias is not None:
        found[f"{name}0"] = pair.up.bias.view(1, 1, -1)
    return found


def _norm(name: str, width: int) -> dict[str, Tensor]:
    return {f"{name}.weight": torch.ones(width), f"{name}.bias": torch.zeros(width)}
