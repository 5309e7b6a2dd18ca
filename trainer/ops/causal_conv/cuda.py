"""The causal convolution on a GPU: makes room for the results and launches kernels.cu.

x and the gradient of y have one type; taps, bias and states are fp32.
"""

import ctypes
from typing import Final

import torch
from torch import Tensor

from trainer.ops.causal_conv import MOST_TAPS
from trainer.ops.cuda.arguments import Launch
from trainer.ops.cuda.launch import launch, multiprocessors

_NAME: Final = "causal_conv"
_CHANNELS: Final = 128  # of a block; kernels.cu has the same figure
_USUAL: Final = 4  # the number of taps that has kernels of its own; kernels.cu has the same figure
_BLOCKS: Final = 16  # for each multiprocessor, before the length is no longer cut
_ROWS: Final = 8  # a span's steps are a multiple of it; kernels.cu has the same figure
_SHORTEST: Final = 32  # steps of a span: a shorter one would read its neighbours' too often
_WARP: Final = 32
_ADDERS: Final = 8  # warps of a block that adds parts; kernels.cu has the same figure
_TYPES: Final = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}


class _Sizes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("batch", "length", "channels", "taps", "spans", "span")]


class _Plan:
    """How the work is cut: by shapes and the device alone, so that equal calls add in an equal order."""

    def __init__(self, x: Tensor, taps: Tensor) -> None:
        batch, length, channels = x.shape
        self.groups = -(-channels // _CHANNELS)
        wanted = -(-_BLOCKS * multiprocessors(x.device) // max(1, batch * self.groups))
        span = max(_SHORTEST, -(-length // (_ROWS * wanted)) * _ROWS)
        self.batch, self.spans = batch, -(-length // span)
        self.suffix = f"{_TYPES[x.dtype]}_{_USUAL if taps.shape[0] == _USUAL else MOST_TAPS}"
        self.sizes = _Sizes(batch, length, channels, taps.shape[0], self.spans, span)

    def run(self, name: str, *arguments: Tensor) -> None:
        """Launches one of the kernels with a block for each group of channels, span and sequence."""
        grid, block = (self.groups, self.spans, self.batch), (_CHANNELS, 1, 1)
        launch(Launch(_NAME, f"{_NAME}_{name}_{self.suffix}", grid, block), (self.sizes, *arguments))


def _limits(x: Tensor, reach: Tensor | None = None) -> Tensor:
    """What the kernels read; an empty tensor has no address and says that every step sees all inputs."""
    return torch.empty(0, dtype=torch.int32, device=x.device) if reach is None else reach.contiguous()


def forward(*inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Gives y and the last inputs; inputs as in ref.py."""
    x, taps, bias, state = (part.contiguous() for part in inputs[:4])
    y, final = torch.empty_like(x), state.clone()
    if x.numel():
        plan = _Plan(x, taps)
        plan.run("forward", x, taps, bias, state, _limits(x, *inputs[4:]), y, final)
    return y, final


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The gradients of x, the taps, the bias and the initial state."""
    x, taps, bias, state = (part.contiguous() for part in saved[:4])
    grad_y, grad_final = grad_y.to(x.dtype).contiguous(), grad_final.float().contiguous()
    if not x.numel():
        return torch.zeros_like(x), torch.zeros_like(taps), torch.zeros_like(bias), grad_final.clone()
    plan = _Plan(x, taps)
    grad_x, grad_initial = torch.empty_like(x), torch.empty_like(state)
    weights = taps.new_empty(taps.shape[0] + 1, taps.shape[1])
    parts = weights.new_empty(plan.batch * plan.spans, *weights.shape)
    plan.run(
        "backward",
        *(grad_y, grad_final, x, taps, state, _limits(x, *saved[4:])),
        *(grad_x, parts, grad_initial),
    )
    adders = Launch(_NAME, f"{_NAME}_add", (-(-weights.numel() // _WARP), 1, 1), (_WARP * _ADDERS, 1, 1))
    launch(adders, (parts, weights, ctypes.c_int(parts.shape[0]), ctypes.c_longlong(weights.numel())))
    return grad_x, weights[:-1].clone(), weights[-1].clone(), grad_initial
