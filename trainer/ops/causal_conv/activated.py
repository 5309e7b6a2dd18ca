"""The causal convolution with SiLU behind it, as the layers of Mamba have it.

In C it is one operator, which reads half of a projection where it lies, narrow or not, and writes nothing in between.
Elsewhere it is torch's function behind the convolution.
"""

import importlib
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from trainer.ops import loader
from trainer.ops.causal_conv import causal_conv, completed
from trainer.ops.registration import register

_TYPES = (torch.float32, torch.bfloat16)


def _shapes(*inputs: Tensor | None) -> tuple[Tensor, Tensor]:
    x, _, _, initial_state = (part for part in inputs[:4] if part is not None)
    return x.new_empty(x.shape), initial_state.new_empty(initial_state.shape)


def _implementation(_x: Tensor) -> loader.Implementation:
    return cast("loader.Implementation", importlib.import_module("trainer.ops.causal_conv.activated_cpu"))


_operator = register(
    "silu_conv",
    ("x", "taps", "bias", "initial_state"),
    _shapes,
    checkpoints=False,
    optional=("reach",),
    implementation=_implementation,
)


def silu_conv(
    x: Tensor,
    taps: Tensor,
    bias: Tensor | None = None,
    *,
    initial_state: Tensor | None = None,
    reach: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Gives silu(causal_conv(x)) and the last inputs; arguments, results and refusals are those of `causal_conv`."""
    if _in_c(x, taps):
        bias, initial_state, reach = completed(x, taps, bias, initial_state, reach)
        y, final_state = _operator(x, taps.float(), bias.float(), initial_state.float(), reach)
        return y, final_state
    y, final_state = causal_conv(x, taps, bias, initial_state=initial_state, reach=reach)
    return functional.silu(y), final_state


def _in_c(x: Tensor, taps: Tensor) -> bool:
    """Whether C takes it; while torch.compile traces, no rung can be asked for, and it fuses the function itself."""
    if torch.compiler.is_compiling() or x.device.type != "cpu" or x.dtype not in _TYPES:
        return False
    return taps.dtype is not torch.float64 and loader.rung_for("causal_conv", x) is loader.Rung.NATIVE
