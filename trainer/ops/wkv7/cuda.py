"""WKV-7 on a GPU: makes room for the results and launches kernels.cu.

r, k, v, a, b and the gradient of y have one type; log decays and states are fp32. More than 64 keys run on chunk.
"""

from typing import Final

import torch
from torch import Tensor

from trainer.ops.cuda.heads import Cut, Heads
from trainer.ops.wkv7 import CHUNK, chunk

_CUT: Final = Cut(segments=4, chunks=8)  # summaries are more than a forward pass, and joining two is as long as a chunk


def _padded(heads: Heads, *inputs: Tensor) -> tuple[Tensor, ...]:
    """r, k, v, log_decay, a and b as the kernels take them."""
    r, k, v, log_decay, a, b = inputs
    decays, corrections = heads.by_key(log_decay.float()), (heads.by_key(a), heads.by_key(b))
    return heads.by_key(r), heads.by_key(k), heads.by_value(v), decays, *corrections


def _at_segments(heads: Heads, given: Tensor, inputs: tuple[Tensor, ...], *, backwards: bool) -> Tensor:
    """The states that segments begin with (B, segments, H, V, K), or the adjoints that they end with where `backwards`.

    given: (B, H, V, K), at that end of the sequence. inputs: what writes the states by key, or reads them; the values,
    or the gradients of y; log_decay, a and b.
    """
    if heads.segments == 1:
        return given
    rows = given.shape[2] + heads.width  # what a segment makes of a zero state, and of each key's unit vector
    ends = given.new_empty(heads.batch, heads.segments, heads.heads, rows, heads.width)
    heads.run("backward_summary" if backwards else "summary", (*inputs, ends), more=1)
    return heads.joined(given, ends, backwards=backwards)


def forward(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gives y, the final state, and the checkpoints; inputs are r, k, v, log_decay, a, b and initial_state."""
    r, _, v, *_, initial_state = inputs
    heads = Heads.of("wkv7", r, v, _CUT)
    if not heads.fit:
        y, final, checkpoints = chunk.forward(*(part.float() for part in inputs))
        return y.to(v.dtype), final, checkpoints
    given = _padded(heads, *inputs[:6])
    values = given[2].shape[-1]
    state = heads.padded(initial_state, last=heads.width, before=values)
    begins = _at_segments(heads, state, given[1:], backwards=False)
    y, final = torch.empty_like(given[2]), torch.empty_like(state)
    chunks = -(-heads.length // CHUNK)
    kept = state.new_empty(heads.batch, chunks, heads.heads, values, heads.width + CHUNK)
    heads.run("forward", (*given, begins, y, kept, final))
    if kept.shape[-2:] != (heads.values, heads.keys + CHUNK):
        states, looked_up = kept[..., : heads.values, :].split([heads.width, CHUNK], -1)
        kept = torch.cat([states[..., : heads.keys], looked_up], -1)
    final = final[:, :, : heads.values, : heads.keys].contiguous()
    return y[..., : heads.values].contiguous(), final, kept


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The gradients of the seven inputs; `saved` are the inputs and the checkpoints."""
    r, k, v, log_decay, a, b, _, checkpoints = saved
    heads = Heads.of("wkv7", r, v, _CUT)
    if not heads.fit:
        found = chunk.backward(grad_y.float(), grad_final, *(part.float() for part in saved))
        return tuple(part.to(given.dtype) for part, given in zip(found, saved, strict=False))
    given = _padded(heads, *saved[:6])
    above, values = heads.by_value(grad_y.to(v.dtype)), given[2].shape[-1]
    adjoint = heads.padded(grad_final.float(), last=heads.width, before=values)
    states, looked_up = checkpoints.split([heads.keys, CHUNK], -1)
    if heads.keys != heads.width:
        checkpoints = torch.cat([heads.padded(states, last=heads.width), looked_up], -1)
    kept = heads.padded(checkpoints, before=values)
    ends = _at_segments(heads, adjoint, (given[0], above, *given[3:]), backwards=True)
    parts = [heads.parts_like(given[at]) for at in (0, 1, 3, 4, 5)]
    grad_v, grad_initial = torch.empty_like(given[2]), torch.empty_like(adjoint)
    heads.run("backward", (above, *given, kept, ends, *parts[:2], grad_v, *parts[2:], grad_initial))
    kinds = (r.dtype, k.dtype, log_decay.dtype, a.dtype, b.dtype)
    to_r, to_k, *others = (heads.added(part, kind) for part, kind in zip(parts, kinds, strict=True))
    to_v = grad_v[..., : heads.values].contiguous()
    return to_r, to_k, to_v, *others, grad_initial[:, :, : heads.values, : heads.keys].contiguous()
