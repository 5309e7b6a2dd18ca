"""The causal convolution in C on the processor: makes room for the results and calls native.c; fp32 only."""

import torch
from torch import Tensor

from trainer.ops import native

_SPAN = 64  # steps of one unit of work; native.c has the same figure


def _described(
    x: Tensor, taps: Tensor, bias: Tensor, state: Tensor, reach: Tensor | None = None
) -> tuple[list[Tensor], tuple[int, ...]]:
    """The tensors that native.c reads, and B, L, D, the taps and the spans; no reach is an empty tensor."""
    limits = torch.empty(0, dtype=torch.int32) if reach is None else reach
    sizes = (*x.shape, taps.shape[0], max(1, -(-x.shape[1] // _SPAN)))
    return [part.contiguous() for part in (x, taps, bias, state, limits)], sizes


def forward(*inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Gives y and the last inputs; inputs as in ref.py."""
    tensors, sizes = _described(*inputs)
    y, final = torch.empty_like(tensors[0]), torch.empty_like(tensors[3])
    native.call("causal_conv", "forward", tensors, (y, final), sizes)
    return y, final


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The gradients of x, the taps, the bias and the initial state."""
    tensors, sizes = _described(*saved)
    x, taps, _, state, _ = tensors
    batch, _, channels, _, spans = sizes
    weights = taps.new_empty(taps.shape[0] + 1, channels)
    results = (torch.empty_like(x), weights, torch.empty_like(state), x.new_empty(batch * spans, *weights.shape))
    native.call("causal_conv", "backward", (*tensors, grad_y.contiguous(), grad_final.contiguous()), results, sizes)
    return results[0], weights[:-1].clone(), weights[-1].clone(), results[2]
