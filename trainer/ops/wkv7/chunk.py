"""WKV-7 in torch alone, a chunk of steps at a time: what the steps of a chunk look up is one triangular system.

In a chunk that begins with the state S, what is looked up, U_t = S_{t-1} a_t, solves (I - M) U = A S^T + N v, where M
and N hold the products of a at step t with b and k at the steps s < t, through the decays between them (the WY form of
products of rank-one changes, Bischof and Van Loan 1987). The decays are products of decays, as in wkv6/chunk.py, so
none overflows and none loses digits.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.linalg import solve_triangular
from torch.nn.functional import pad

from trainer.ops.wkv7 import CHUNK


def _later(part: Tensor, first: float = 0.0) -> Tensor:
    """What stands at step t moves to step t + 1; the first step gets `first`: (..., T, X)."""
    return pad(part[..., :-1, :], (0, 0, 1, 0), value=first)


def _sooner(part: Tensor) -> Tensor:
    """What stands at step t moves to step t - 1; the last step gets zero: (..., T, X)."""
    return pad(part[..., 1:, :], (0, 0, 0, 1))


def _from_here(part: Tensor) -> Tensor:
    """The sum over this step and all later ones: (..., T, X)."""
    return part.flip(-2).cumsum(-2).flip(-2)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """T steps of all heads; what writes, b and k, stands one after the other: 2 T rows."""

    reads: Tensor  # r and the next step's a: (B, H, T, 2, K)
    writes: Tensor  # b, then k: (B, H, 2 T, K)
    pairs: Tensor  # the decay from after step s to after step t, twice over s: (B, H, t, 2 s, K), zero where s > t
    into_r: Tensor  # r times the decay from the chunk's start to after its step: (B, H, T, K)
    into_a: Tensor  # a times the decay from the chunk's start to before its step: (B, H, T, K)
    into: Tensor  # these decays, to after each step
    out: Tensor  # writes times the decay from after their step to the chunk's end: (B, H, 2 T, K)
    seen: Tensor  # the products of r with the writes: (B, H, t, 2 s)
    found: Tensor  # the products of a with the writes of earlier steps: (B, H, t, 2 s)
    values: Tensor  # what is written: U, then v: (B, H, 2 T, V)


def _pairs(decay: Tensor) -> Tensor:
    steps = decay.shape[-2]
    pairs = decay.new_zeros(*decay.shape[:-1], *decay.shape[-2:])
    for t in range(steps):
        if t:
            torch.mul(pairs[..., t - 1, :t, :], decay[..., t : t + 1, :], out=pairs[..., t, :t, :])
        pairs[..., t, t, :] = 1
    return torch.cat([pairs, pairs], -2)


def _chunk(state: Tensor, looked_up: Tensor | None, *inputs: Tensor) -> _Chunk:
    """The parts of a chunk that begins with `state`; what its steps look up, (B, H, T, V), is solved for if None."""
    r, k, v, log_decay, a, b = inputs  # (B, H, T, K or V)
    decay = log_decay.exp()
    pairs, into = _pairs(decay), decay.cumprod(-2)
    reads, writes = torch.stack([r, _sooner(a)], -2), torch.cat([b, k], -2)
    products = reads @ (pairs * writes[..., None, :, :]).mT  # (B, H, t, 2, 2 s)
    found = _later(products[..., 1, :])
    into_a = _later(into, 1.0) * a
    if looked_up is None:
        looked_up = _solved(found, into_a @ state.mT + found[..., r.shape[-2] :] @ v)
    values, out = torch.cat([looked_up, v], -2), writes * pairs[..., -1, :, :]
    return _Chunk(reads, writes, pairs, into * r, into_a, into, out, products[..., 0, :], found, values)


def _solved(found: Tensor, right: Tensor, *, transposed: bool = False) -> Tensor:
    """(I - M)^-1 `right`, or its transpose's: (B, H, T, V)."""
    steps = right.shape[-2]
    system = torch.eye(steps, dtype=right.dtype, device=right.device) - found[..., :steps]
    found_values: Tensor = solve_triangular(
        system.mT if transposed else system, right, upper=transposed, unitriangular=True
    )
    return found_values


def forward(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gives y, the final state, and the checkpoints; inputs as in ref.py."""
    *by_step, initial_state = inputs
    v, state = inputs[2], initial_state.clone()
    y = torch.empty_like(v, memory_format=torch.contiguous_format)
    keys, chunks = state.shape[-1], -(-v.shape[1] // CHUNK)
    checkpoints = v.new_zeros(v.shape[0], chunks, *state.shape[1:-1], keys + CHUNK)
    for number in range(chunks):
        here = slice(number * CHUNK, (number + 1) * CHUNK)
        chunk = _chunk(state, None, *(part[:, here].transpose(1, 2) for part in by_step))
        steps = chunk.found.shape[-2]
        checkpoints[:, number, ..., :keys] = state
        checkpoints[:, number, ..., keys : keys + steps] = chunk.values[..., :steps, :].mT
        y[:, here] = (chunk.into_r @ state.mT + chunk.seen @ chunk.values).transpose(1, 2)
        state = state * chunk.into[..., -1:, :] + chunk.values.mT @ chunk.out
    return y, state, checkpoints


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The gradients of the seven inputs, a chunk at a time from the last one."""
    *by_step, _, checkpoints = saved
    grads = tuple(torch.empty_like(part, memory_format=torch.contiguous_format) for part in by_step)
    adjoint, keys = grad_final.clone(), grad_final.shape[-1]
    for number in reversed(range(checkpoints.shape[1])):
        here = slice(number * CHUNK, (number + 1) * CHUNK)
        above = grad_y[:, here].transpose(1, 2)
        steps = above.shape[-2]
        state, looked_up = checkpoints[:, number].split([keys, CHUNK], -1)
        chunk = _chunk(state, looked_up[..., :steps].mT, *(part[:, here].transpose(1, 2) for part in by_step))
        *found, adjoint = _chunk_backward(chunk, state, above, adjoint)
        for grad, part in zip(grads, found, strict=True):
            grad[:, here] = part.transpose(1, 2)
    return *grads, adjoint


def _chunk_backward(chunk: _Chunk, state: Tensor, above: Tensor, adjoint: Tensor) -> tuple[Tensor, ...]:
    """The gradients of r, k, v, log_decay, a, b and of the state before; a log decay's is a sum without differences."""
    steps = above.shape[-2]
    grad_values = chunk.seen.mT @ above + chunk.out @ adjoint.mT
    corrected = _solved(chunk.found, grad_values[..., :steps, :], transposed=True)
    grad_v = grad_values[..., steps:, :] + chunk.found[..., steps:].mT @ corrected

    grad_seen, grad_found = above @ chunk.values.mT, corrected @ chunk.values.mT
    grad_products = torch.stack([grad_seen, _sooner(grad_found)], -2)  # (B, H, t, 2, 2 s)
    r_across, a_across = above @ state, corrected @ state
    writes_across = chunk.values @ adjoint
    grad_reads = grad_products @ (chunk.pairs * chunk.writes[..., None, :, :])
    grad_r = grad_reads[..., 0, :] + chunk.into * r_across
    grad_a = _later(grad_reads[..., 1, :]) + _later(chunk.into, 1.0) * a_across
    weighted = (grad_products.mT @ chunk.reads).mul_(chunk.pairs)  # (B, H, t, 2 s, K)
    grad_writes = weighted.sum(-3) + chunk.pairs[..., -1, :, :] * writes_across

    leaving = (chunk.out * writes_across).unflatten(-2, (2, steps)).sum(-3)
    grad_decay = chunk.into[..., -1:, :] * (adjoint * state).sum(-2, keepdim=True)
    grad_decay = grad_decay + _later(leaving.cumsum(-2)) + _from_here(chunk.into_r * r_across)
    grad_decay += _sooner(_from_here(chunk.into_a * a_across))
    grad_decay += _between(weighted.mul_(chunk.writes[..., None, :, :]).unflatten(-2, (2, steps)).sum(-3))
    before = adjoint * chunk.into[..., -1:, :] + above.mT @ chunk.into_r + corrected.mT @ chunk.into_a
    return grad_r, grad_writes[..., steps:, :], grad_v, grad_decay, grad_a, grad_writes[..., :steps, :], before


def _between(terms: Tensor) -> Tensor:
    """For each step the sum of the terms of pairs (t, s) around it, s < step <= t: (..., t, s, K) to (..., step, K)."""
    steps = terms.shape[-2]
    around = torch.ones(steps, steps, dtype=terms.dtype, device=terms.device).tril(-1)
    return _later((terms.cumsum(-2) * around[..., None]).sum(-3))
