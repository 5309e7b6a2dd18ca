"""The selective scan on a GPU: makes room for the results and launches kernels.cu.

u, delta, b, c and the gradient of y have one type, rates and states are fp32. More than 64 states run on chunk.
"""

import ctypes
from typing import Final

import torch
from torch import Tensor

from trainer.ops.cuda.arguments import Launch
from trainer.ops.cuda.launch import launch, multiprocessors
from trainer.ops.selective_scan import CHUNK, chunk

_NAME: Final = "selective_scan"
_WARP: Final = 32  # channels of a block
_WIDTHS: Final = ((4, 1), (16, 4), (64, 8))  # up to so many states, by so many warps
_BLOCKS: Final = 8  # for each multiprocessor, before the length is no longer cut
_THREADS: Final = 256  # of the kernels that have one for each number
_TYPES: Final = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}


class _Sizes(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int) for name in ("batch", "length", "channels", "states", "segments", "segment_length")
    ]


class _Plan:
    """How the work is cut: by shapes and the device alone, so that equal calls add in an equal order."""

    def __init__(self, u: Tensor, a: Tensor) -> None:
        self.batch, self.length, self.channels = u.shape
        self.states = a.shape[1]
        width, self.warps = next(pair for pair in _WIDTHS if self.states <= pair[0])
        self.groups = -(-self.channels // _WARP)
        chunks = -(-self.length // CHUNK)
        wanted = -(-_BLOCKS * multiprocessors(u.device) // max(1, self.batch * self.groups))
        chunks_of_segment = -(-chunks // max(1, min(wanted, chunks)))
        self.chunks, self.segments = chunks, -(-chunks // max(1, chunks_of_segment))
        self.suffix = f"{_TYPES[u.dtype]}_{width}"
        self.sizes = _Sizes(
            self.batch, self.length, self.channels, self.states, self.segments, chunks_of_segment * CHUNK
        )

    def run(self, name: str, *arguments: Tensor) -> None:
        """Launches one of the kernels with a block for each group of channels, segment and sequence."""
        grid, block = (self.groups, self.segments, self.batch), (_WARP * self.warps, 1, 1)
        launch(Launch(_NAME, f"{_NAME}_{name}_{self.suffix}", grid, block), (self.sizes, *arguments))

    def join(self, a: Tensor, summary: tuple[Tensor, Tensor], given: Tensor, *, backwards: bool) -> Tensor:
        """What every segment begins with (B, segments, N, D), or ends with where `backwards`."""
        begins = torch.empty_like(summary[0])
        count = self.batch * self.channels * self.states
        launch(
            self._one_thread_for_each(f"{_NAME}_join", count),
            (self.sizes, a, *summary, given, begins, ctypes.c_int(backwards)),
        )
        return begins

    @staticmethod
    def _one_thread_for_each(kernel: str, count: int) -> Launch:
        return Launch(_NAME, kernel, (-(-count // _THREADS), 1, 1), (_THREADS, 1, 1))

    def floats(self, like: Tensor, *shape: int) -> Tensor:
        """Room for fp32 numbers on the same device."""
        return torch.empty(shape, dtype=torch.float32, device=like.device)

    def added(self, parts: Tensor) -> Tensor:
        """The sum over the first dimension, in its order."""
        sums = torch.empty_like(parts[0])
        launch(
            self._one_thread_for_each(f"{_NAME}_add", sums.numel()),
            (parts, sums, ctypes.c_int(parts.shape[0]), ctypes.c_longlong(sums.numel())),
        )
        return sums

    def summarised(self, u: Tensor, delta: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """What each segment adds to the states, and how long its steps are together."""
        ends = self.floats(u, self.batch, self.segments, self.states, self.channels)
        lengths = self.floats(u, self.batch, self.segments, self.channels)
        self.run("summary", u, delta, a, b, ends, lengths)
        return ends, lengths


def forward(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """y, the final state, and the state before each chunk; inputs are u, delta, a, b, c and initial_state."""
    u, delta, a, b, c, initial_state = (part.contiguous() for part in inputs)
    if a.shape[1] > _WIDTHS[-1][0]:
        y, final, checkpoints = chunk.forward(*(part.float() for part in inputs))
        return y.to(u.dtype), final, checkpoints
    plan = _Plan(u, a)
    y, final = torch.empty_like(u), initial_state.clone()
    checkpoints = plan.floats(u, plan.batch, plan.chunks, plan.states, plan.channels)
    if u.numel() and plan.states:
        if plan.segments > 1:
            begins = plan.join(a, plan.summarised(u, delta, a, b), initial_state, backwards=False)
        else:
            begins = initial_state.transpose(1, 2).contiguous()
        plan.run("forward", u, delta, a, b, c, begins, y, checkpoints, final)
    return y, final, checkpoints


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The gradients of the six inputs; `saved` are the inputs and the checkpoints."""
    u, delta, a, b, c, _, checkpoints = (part.contiguous() for part in saved)
    grad_y, grad_final = grad_y.to(u.dtype).contiguous(), grad_final.float().contiguous()
    if a.shape[1] > _WIDTHS[-1][0]:
        found = chunk.backward(grad_y.float(), grad_final, *(part.float() for part in saved))
        return tuple(part.to(given.dtype) for part, given in zip(found, saved, strict=False))
    plan = _Plan(u, a)
    if not (u.numel() and plan.states):
        return *(torch.zeros_like(part) for part in (u, delta, a, b, c)), grad_final.clone()
    if plan.segments > 1:
        _, lengths = plan.summarised(u, delta, a, b)
        ends = plan.floats(u, plan.batch, plan.segments, plan.states, plan.channels)
        plan.run("backward_summary", grad_y, delta, a, c, ends)
        adjoints = plan.join(a, (ends, lengths), grad_final, backwards=True)
    else:
        adjoints = grad_final.transpose(1, 2).contiguous()
    grad_u, grad_delta, grad_initial = torch.empty_like(u), torch.empty_like(delta), torch.empty_like(grad_final)
    a_parts = plan.floats(u, plan.batch * plan.segments, plan.channels, plan.states)
    b_parts, c_parts = (plan.floats(u, plan.groups, plan.batch, plan.length, plan.states) for _ in range(2))
    plan.run(
        "backward",
        *(grad_y, u, delta, a, b, c, checkpoints, adjoints),
        *(grad_u, grad_delta, a_parts, b_parts, c_parts, grad_initial),
    )
    grad_b, grad_c = (plan.added(parts).to(b.dtype) for parts in (b_parts, c_parts))
    return grad_u, grad_delta, plan.added(a_parts), grad_b, grad_c, grad_initial
