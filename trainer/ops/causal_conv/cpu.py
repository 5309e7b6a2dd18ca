"""The causal convolution in C on the processor: makes room for the results and calls native.c; fp32 only."""

import torch
from torch import Tensor

from trainer.ops import native

_SPAN = 64  # steps of one unit of work; native.c has the same figure


def described(
    x: Tensor, taps: Tensor, bias: Tensor, state: Tensor, reach: Tensor | None = None
) -> tuple[list[Tensor], tuple[int, ...]]:
    """The tensors that native.c reads, and B, L, D, the taps, the spans and the row; no reach is an empty tensor."""
    limits = torch.empty(0, dtype=torch.int32) if reach is None else reach
    x, row = native.in_rows(x)
    sizes = (*x.shape, taps.shape[0], max(1, -(-x.shape[1] // _SPAN)), row)
    return [x, *(part.contiguous() for part in (taps, bias, state, limits))], sizes


def gradients(
    function: str, above: tuple[Tensor, Tensor], tensors: list[Tensor], sizes: tuple[int, ...]
) -> tuple[Tensor, ...]:
    """Those of x, the taps, the bias and the initial state, by a function of native.c."""
    x, taps, _, state, _ = tensors
    batch, _, channels, _, spans, *_ = sizes
    weights = taps.new_empty(taps.shape[0] + 1, channels)
    results = (x.new_empty(x.shape), weights, torch.empty_like(state), weights.new_empty(batch * spans, *weights.shape))
    native.call("causal_conv", function, (*tensors, *(part.contiguous() for part in above)), results, sizes)
    return results[0], weights[:-1].clone(), weights[-1].clone(), results[2]


def forward(*inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Gives y and the last inputs; inputs as in ref.py."""
    tensors, sizes = described(*inputs)
    y, final = tensors[0].new_empty(tensors[0].shape), torch.empty_like(tensors[3])
    native.call("causal_conv", "forward", tensors, (y, final), sizes)
    return y, final


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The gradients of x, the taps, the bias and the initial state."""
    return gradients("backward", (grad_y, grad_final), *described(*saved))
