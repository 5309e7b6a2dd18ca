"""The selective scan in C on the processor: makes room for the results and calls native.c; fp32 only."""

import torch
from torch import Tensor

from trainer.ops import native
from trainer.ops.selective_scan import CHUNK

_UNITS = 8  # work for up to eight threads, even with one sequence
_BLOCK = 16  # channels in one block of the widest instruction set


def sizes_of(u: Tensor, a: Tensor) -> tuple[int, int, int, int, int]:
    """B, L, D, N, and in how many groups the channels are split: the shapes decide, not the threads."""
    batch, length, channels = u.shape
    groups = max(1, min(-(-channels // _BLOCK), -(-_UNITS // max(batch, 1))))
    return batch, length, channels, a.shape[1], groups


def forward(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """y, the final state, and the state before each chunk; inputs are u, delta, a, b, c and initial_state."""
    inputs = tuple(part.contiguous() for part in inputs)
    u, a, initial_state = inputs[0], inputs[2], inputs[5]
    sizes = sizes_of(u, a)
    batch, length, channels, states, _ = sizes
    y, final = torch.empty_like(u), torch.empty_like(initial_state)
    checkpoints = u.new_empty(batch, -(-length // CHUNK), states, channels)
    native.call("selective_scan", "forward", inputs, (y, final, checkpoints), sizes)
    return y, final, checkpoints


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The gradients of the six inputs; `saved` are the inputs and the checkpoints."""
    inputs = tuple(part.contiguous() for part in saved[:6])
    u, a = inputs[0], inputs[2]
    sizes = sizes_of(u, a)
    batch, length, channels, states, groups = sizes
    results = tuple(torch.empty_like(part) for part in inputs)
    parts = (
        u.new_empty(batch, channels, states),
        u.new_empty(groups, batch, length, states),
        u.new_empty(groups, batch, length, states),
    )
    tensors = (*inputs, grad_y.contiguous(), grad_final.contiguous(), saved[6].contiguous())
    native.call("selective_scan", "backward", tensors, (*results, *parts), sizes)
    return results
