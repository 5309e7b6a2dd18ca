"""Small kernels of our own in Triton: what the device can do at most, and a rival, the scan as an associative one."""

import torch
import triton
import triton.language as tl
from torch import Tensor

EXPONENTIALS = 64  # of each number in `exponentials`


@triton.jit
def _copy(source, target, size, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, N803  # Triton's own language
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    tl.store(target + at, tl.load(source + at, mask=at < size), mask=at < size)


@triton.jit
def _exponentials(source, target, size, BLOCK: tl.constexpr, COUNT: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, N803  # as above
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(source + at, mask=at < size)
    total = x
    for _ in range(COUNT):
        x = tl.exp2(x) - 1.0
        total += x
    tl.store(target + at, total, mask=at < size)


@triton.jit
def _joined(decay, state, later_decay, later_state):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202  # as above
    return decay * later_decay, later_decay * state + later_state


@triton.jit
def _scan(u, delta, a, b, c, y, channels, length: tl.constexpr, STATES: tl.constexpr, STEPS: tl.constexpr):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, N803, PLR0917  # as above
    sequence, channel = tl.program_id(1).to(tl.int64), tl.program_id(0)
    states = tl.arange(0, STATES)
    rate = tl.load(a + channel * STATES + states) * 1.4426950408889634
    state = tl.zeros((STATES,), tl.float32)
    for begin in range(0, length, STEPS):
        time = begin + tl.arange(0, STEPS)
        there = time < length
        place = (sequence * length + time) * channels + channel
        step = tl.load(delta + place, mask=there, other=0.0).to(tl.float32)
        driven = step * tl.load(u + place, mask=there, other=0.0).to(tl.float32)
        row = (sequence * length + time)[:, None] * STATES + states[None, :]
        decay = tl.exp2(step[:, None] * rate[None, :])
        drive = driven[:, None] * tl.load(b + row, mask=there[:, None], other=0.0).to(tl.float32)
        decays, found = tl.associative_scan((decay, drive), 0, _joined)
        found += decays * state[None, :]
        read = tl.sum(found * tl.load(c + row, mask=there[:, None], other=0.0).to(tl.float32), axis=1)
        tl.store(y + place, read, mask=there)
        last = (tl.arange(0, STEPS) == STEPS - 1)[:, None]
        state = tl.sum(tl.where(last, found, 0.0), axis=0)


def copy(source: Tensor, target: Tensor) -> None:
    """Reads and writes as many bytes as `source` has."""
    block = 4096
    _copy[(triton.cdiv(source.numel(), block),)](source, target, source.numel(), BLOCK=block)


def exponentials(source: Tensor, target: Tensor) -> None:
    """EXPONENTIALS powers of two for each number."""
    block = 1024
    grid = (triton.cdiv(source.numel(), block),)
    _exponentials[grid](source, target, source.numel(), BLOCK=block, COUNT=EXPONENTIALS)


def associative_scan(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Y of the selective scan from no initial state, forward only; the states a power of two."""
    batch, length, channels = u.shape
    y = torch.empty_like(u)
    _scan[(channels, batch)](u, delta, a, b, c, y, channels, length=length, STATES=a.shape[1], STEPS=64)
    return y
