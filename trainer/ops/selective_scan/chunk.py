"""The selective scan in torch alone: everything but the recurrence itself is computed for a whole chunk at once.

The adjoint is written by hand from the checkpoints, in place, several times faster than autograd over the loop. Of the
ways to say a thing in torch those are taken that processors are fast at: powers of two, and a row times a matrix (a
matrix times a column takes ten times as long).
"""

import math
from typing import Final

import torch
from torch import Tensor

from trainer.ops.selective_scan import CHUNK

_STEPS: Final = 16  # steps computed at once: half a checkpointed chunk, so that the arrays stay in the cache


def _decay_and_drive(
    delta: Tensor, u: Tensor, b: Tensor, rates: Tensor, room: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """exp(delta a) and delta u b for time-major (T, B, D) inputs; both (T, B, N, D), in the beginning of the room.

    `rates` are a (N, D) in powers of two.
    """
    decay, drive = (part[: len(u)] for part in room)
    torch.mul(delta[:, :, None], rates, out=decay).exp2_()
    return decay, torch.mul((delta * u)[:, :, None], b[..., None], out=drive)


def _run(decay: Tensor, states: Tensor, before: Tensor) -> Tensor:
    """Turns what drives each step into the state after it, in place; returns the last one."""
    for step, factor in zip(states.unbind(0), decay.unbind(0), strict=True):
        before = step.addcmul_(factor, before)
    return before


def _room(u: Tensor, a: Tensor) -> Tensor:
    """(T, B, N, D) for one part: fresh memory would have to be cleared by the kernel for every part."""
    return u.new_empty(_STEPS, u.shape[0], a.shape[1], u.shape[2])


def forward(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """y, the final state, and the state before each chunk (B, chunks, N, D)."""
    u, delta, a, b, c, initial_state = inputs
    batch, length, channels = u.shape
    rates = a.t().contiguous() / math.log(2)
    steps = [part.transpose(0, 1).contiguous() for part in (delta, u, b, c)]
    y = u.new_empty(length, batch, channels)
    checkpoints = u.new_empty(-(-length // CHUNK), batch, a.shape[1], channels)
    state = initial_state.transpose(1, 2).contiguous()
    # The last state of one part begins the next: two rooms take turns.
    rooms = [(_room(u, a), _room(u, a)) for _ in range(2)]
    for start in range(0, length, _STEPS):
        if start % CHUNK == 0:
            checkpoints[start // CHUNK] = state
        delta_part, u_part, b_part, c_part = (part[start : start + _STEPS] for part in steps)
        decay, states = _decay_and_drive(delta_part, u_part, b_part, rates, rooms[start // _STEPS % 2])
        state = _run(decay, states, state)
        torch.matmul(c_part[:, :, None], states, out=y[start : start + _STEPS, :, None])
    final = state.transpose(1, 2).contiguous()
    if not length:
        final = final.clone()
    return y.transpose(0, 1).contiguous(), final, checkpoints.transpose(0, 1).contiguous()


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The gradients of the six inputs; the same adjoint as in ref.py, a chunk at a time from the last one."""
    u_given, delta, a, b, c, _, checkpoints = saved
    length = u_given.shape[1]
    natural_rates = a.t().contiguous()
    rates = natural_rates / math.log(2)
    steps = [part.transpose(0, 1).contiguous() for part in (delta, u_given, b, c, grad_y)]
    grad_delta, grad_u, grad_b, grad_c = (torch.empty_like(part) for part in steps[:4])
    adjoint = grad_final.transpose(1, 2).contiguous()
    grad_rates = torch.zeros_like(adjoint)  # of each sequence
    rooms, above_room = [(_room(u_given, a), _room(u_given, a)) for _ in range(CHUNK // _STEPS)], _room(u_given, a)
    for start in reversed(range(0, length, CHUNK)):
        state = checkpoints[:, start // CHUNK]
        kept = []
        for at, room in zip(range(start, min(start + CHUNK, length), _STEPS), rooms, strict=False):
            delta_part, u_part, b_part = (part[at : at + _STEPS] for part in steps[:3])
            decay, states = _decay_and_drive(delta_part, u_part, b_part, rates, room)
            kept.append((at, decay, states, state))
            state = _run(decay, states, state)
        for at, decay, states, first in reversed(kept):
            here = slice(at, at + _STEPS)
            delta_part, u_part, b_part, c_part, above = (part[here] for part in steps)
            grad_c[here] = torch.matmul(above[:, :, None], states.mT)[:, :, 0]
            adjoints = above_room[: len(above)]
            read = zip(above[:, :, None].unbind(0), c_part[..., None].unbind(0), strict=True)
            for of_step, factor, (above_step, c_step) in reversed(list(zip(adjoints, decay, read, strict=True))):
                torch.addcmul(adjoint, above_step, c_step, out=of_step)
                adjoint = torch.mul(of_step, factor, out=factor)
            adjoint = adjoint.clone()  # what follows overwrites it
            grad_b[here] = torch.matmul((delta_part * u_part)[:, :, None], adjoints.mT)[:, :, 0]
            driven = torch.matmul(b_part[:, :, None], adjoints)[:, :, 0]
            exponents = decay
            exponents[1:].mul_(states[:-1])
            exponents[0].mul_(first)
            torch.mul(driven, delta_part, out=grad_u[here])
            torch.mul(driven, u_part, out=grad_delta[here])
            # Sums of products, slice by slice: no array of the products is written and read again.
            for state_number, rate in enumerate(natural_rates):
                grad_delta[here].addcmul_(exponents[:, :, state_number], rate)
            for of_step, size in zip(exponents, delta_part, strict=True):
                grad_rates.addcmul_(of_step, size[:, None])
    found = (grad_u, grad_delta, grad_b, grad_c)
    grad_u, grad_delta, grad_b, grad_c = (part.transpose(0, 1).contiguous() for part in found)
    return grad_u, grad_delta, grad_rates.sum(0).t().contiguous(), grad_b, grad_c, adjoint.transpose(1, 2).contiguous()
