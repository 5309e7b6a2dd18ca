"""The state-space dual in C on the processor: makes room for the results and calls native.c; fp32 only."""

import torch
from torch import Tensor

from trainer.ops import native
from trainer.ops.ssd import CHUNK, chunk

_WIDEST = 128  # width of a head that fits native.c on every instruction set; wider heads run in torch


def forward(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gives y, the final state, and the state before each chunk; inputs as in ref.py."""
    inputs = tuple(part.contiguous() for part in inputs)
    x, b, initial_state = inputs[0], inputs[3], inputs[5]
    batch, length, heads, width = x.shape
    if width > _WIDEST:
        return chunk.forward(*inputs)
    y, final = torch.empty_like(x), torch.empty_like(initial_state)
    checkpoints = x.new_empty(batch, -(-length // CHUNK), heads, b.shape[3], width)
    native.call("ssd", "forward", inputs, (y, final, checkpoints), (*x.shape, *b.shape[2:]))
    return y, final, checkpoints


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The gradients of the six inputs; `saved` are the inputs and the checkpoints."""
    tensors = tuple(part.contiguous() for part in (*saved[:6], grad_y, grad_final, saved[6]))
    x, b = tensors[0], tensors[3]
    batch, length, heads, width = x.shape
    if width > _WIDEST:
        return chunk.backward(grad_y, grad_final, *saved)
    results = tuple(torch.empty_like(part) for part in tensors[:6])
    by_head = (batch, length, heads, b.shape[3])
    parts = (x.new_empty(batch, heads), x.new_empty(by_head), x.new_empty(by_head))
    native.call("ssd", "backward", tensors, (*results, *parts), (*x.shape, *b.shape[2:]))
    return results
