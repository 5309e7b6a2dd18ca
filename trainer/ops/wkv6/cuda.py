"""WKV-6 on a GPU: makes room for the results and launches kernels.cu.

r, k, v and the gradient of y have one type; log decays, the bonus and states are fp32. More than 64 keys run on chunk.
"""

from typing import Final

import torch
from torch import Tensor

from trainer.ops.cuda.heads import Cut, Heads
from trainer.ops.wkv6 import CHUNK, chunk

_CUT: Final = Cut(segments=2, chunks=4)  # a summary is about a third of a forward pass


def _padded(heads: Heads, *inputs: Tensor) -> tuple[Tensor, ...]:
    """r, k, v, log_decay and bonus as the kernels take them."""
    r, k, v, log_decay, bonus = inputs
    keyed = (heads.by_key(part) for part in (log_decay.float(), bonus.float()))
    return heads.by_key(r), heads.by_key(k), heads.by_value(v), *keyed


def _at_segments(
    heads: Heads, given: Tensor, log_decay: Tensor, written: tuple[Tensor, Tensor], *, backwards: bool
) -> Tensor:
    """The states that segments begin with (B, segments, H, V, K), or the adjoints that they end with where `backwards`.

    given: (B, H, K, V), at that end of the sequence. written: what is put into the states, by key and by value.
    """
    given = given.mT.contiguous()
    if heads.segments == 1:
        return given
    ends = given.new_empty(heads.batch, heads.segments, *given.shape[1:])
    stays = given.new_empty(heads.batch, heads.segments, heads.heads, heads.width)
    heads.run("backward_summary" if backwards else "summary", (*written, log_decay, ends, stays))
    return heads.joined(given, ends, stays, backwards=backwards)


def forward(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """y, the final state, and the state before each chunk; inputs are r, k, v, log_decay, bonus and initial_state."""
    r, _, v, *_, initial_state = inputs
    heads = Heads.of("wkv6", r, v, _CUT)
    if not heads.fit:
        y, final, checkpoints = chunk.forward(*(part.float() for part in inputs))
        return y.to(v.dtype), final, checkpoints
    given = _padded(heads, *inputs[:5])
    state = heads.padded(initial_state, last=given[2].shape[-1], before=heads.width)
    begins = _at_segments(heads, state, given[3], (given[1], given[2]), backwards=False)
    y, final = torch.empty_like(given[2]), torch.empty_like(state)
    checkpoints = state.new_empty(heads.batch, -(-heads.length // CHUNK), heads.heads, *state.mT.shape[2:])
    heads.run("forward", (*given, begins, y, checkpoints, final))
    y, final = y[..., : heads.values].contiguous(), final[:, :, : heads.keys, : heads.values].contiguous()
    return y, final, checkpoints[..., : heads.values, : heads.keys].contiguous()


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The gradients of the six inputs; `saved` are the inputs and the checkpoints."""
    r, k, v, log_decay, bonus, _, checkpoints = saved
    heads = Heads.of("wkv6", r, v, _CUT)
    if not heads.fit:
        found = chunk.backward(grad_y.float(), grad_final, *(part.float() for part in saved))
        return tuple(part.to(given.dtype) for part, given in zip(found, saved, strict=False))
    given = _padded(heads, *saved[:5])
    above, values = heads.by_value(grad_y.to(v.dtype)), given[2].shape[-1]
    adjoint = heads.padded(grad_final.float(), last=values, before=heads.width)
    ends = _at_segments(heads, adjoint, given[3], (given[0], above), backwards=True)
    states = heads.padded(checkpoints, last=heads.width, before=values)
    r_parts, k_parts, decay_parts = (heads.parts_like(part) for part in (given[0], given[1], given[3]))
    grad_v, grad_initial = torch.empty_like(given[2]), torch.empty_like(adjoint)
    bonus_parts = adjoint.new_empty(heads.segments * heads.groups * heads.batch, heads.heads, heads.width)
    results = (r_parts, k_parts, grad_v, decay_parts, bonus_parts, grad_initial)
    heads.run("backward", (above, *given, states, ends, *results))
    return (
        heads.added(r_parts, r.dtype),
        heads.added(k_parts, k.dtype),
        grad_v[..., : heads.values].contiguous(),
        heads.added(decay_parts, log_decay.dtype),
        bonus_parts.sum(0)[:, : heads.keys].to(bonus.dtype).contiguous(),
        grad_initial[:, :, : heads.keys, : heads.values].contiguous(),
    )
