"""WKV-7 in C on the processor: makes room for the results and calls native.c; fp32 only."""

import torch
from torch import Tensor

from trainer.ops import native
from trainer.ops.wkv7 import CHUNK, chunk

_WIDEST = 128  # keys of a head that fit native.c on every instruction set; wider heads run in torch


def forward(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gives y, the final state, and the checkpoints; inputs as in ref.py."""
    inputs = tuple(part.contiguous() for part in inputs)
    r, _, v, *_, initial_state = inputs
    batch, length, heads, keys = r.shape
    if keys > _WIDEST:
        return chunk.forward(*inputs)
    y, final = torch.empty_like(v), torch.empty_like(initial_state)
    checkpoints = v.new_empty(batch, -(-length // CHUNK), heads, v.shape[3], keys + CHUNK)
    native.call("wkv7", "forward", inputs, (y, final, checkpoints), (*r.shape, v.shape[3]))
    return y, final, checkpoints


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The gradients of the seven inputs; `saved` are the inputs and the checkpoints."""
    tensors = tuple(part.contiguous() for part in (*saved[:7], grad_y, grad_final, saved[7]))
    r, v = tensors[0], tensors[2]
    if r.shape[3] > _WIDEST:
        return chunk.backward(grad_y, grad_final, *saved)
    results = tuple(torch.empty_like(part) for part in tensors[:7])
    native.call("wkv7", "backward", tensors, results, (*r.shape, v.shape[3]))
    return results
