"""The selective scan on a GPU, bare or gated: makes room for the results and launches kernels.cu.

u, delta, b, c, the gate and the gradient of y have one type; rates, states, skip and bias are fp32. More states than
MOST_STATES are computed in torch.
"""

import ctypes
from dataclasses import dataclass
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
MOST_STATES: Final = _WIDTHS[-1][0]
_TYPES: Final = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}


class _Sizes(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int) for name in ("batch", "length", "channels", "states", "segments", "segment_length")
    ]


@dataclass(frozen=True, slots=True)
class Gating:
    """What a Mamba layer does around the scan: the step is softplus(delta + bias), y is (scan + skip u) silu(gate)."""

    skip: Tensor  # (D,)
    gate: Tensor  # (B, L, D); rows may lie apart, as half of a projection's do
    bias: Tensor  # (D,)
    begins: Tensor | None  # (B, L), whether a document begins there and the states before it are forgotten


class _Gating(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("gate", "skip", "bias", "begins")),
        ("gate_row", ctypes.c_longlong),
    ]


class _GatingGradients(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("gate", "skip_parts", "bias_parts")]


def _addresses(gating: Gating | None) -> _Gating:
    """As the kernels take it; the tensors must outlive the launch."""
    if gating is None:
        return _Gating()
    begins = None if gating.begins is None else gating.begins.data_ptr()
    row = gating.gate.stride(1)
    return _Gating(gating.gate.data_ptr(), gating.skip.data_ptr(), gating.bias.data_ptr(), begins, row)


class _Plan:
    """How the work is cut: by shapes and the device alone, so that equal calls add in an equal order."""

    def __init__(self, u: Tensor, a: Tensor, gating: Gating | None) -> None:
        self.gating = _addresses(gating)
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

    def run(self, name: str, *arguments: Tensor | ctypes.Structure) -> None:
        """Launches one of the kernels with a block for each group of channels, segment and sequence."""
        grid, block = (self.groups, self.segments, self.batch), (_WARP * self.warps, 1, 1)
        launch(Launch(_NAME, f"{_NAME}_{name}_{self.suffix}", grid, block), (self.sizes, self.gating, *arguments))

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
        return Launch(_NAME, kernel, (max(1, -(-count // _THREADS)), 1, 1), (_THREADS, 1, 1))

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
    if inputs[2].shape[1] > MOST_STATES:
        y, final, checkpoints = chunk.forward(*(part.float() for part in inputs))
        return y.to(inputs[0].dtype), final, checkpoints
    return run_forward(inputs, None)


def run_forward(inputs: tuple[Tensor, ...], gating: Gating | None) -> tuple[Tensor, Tensor, Tensor]:
    """The same for at most MOST_STATES, with what is done around the scan."""
    u, delta, a, b, c, initial_state = (part.contiguous() for part in inputs)
    plan = _Plan(u, a, gating)
    y, final = torch.empty_like(u), initial_state.clone()
    checkpoints = plan.floats(u, plan.batch, plan.chunks, plan.states, plan.channels)
    if u.numel():
        if plan.segments > 1:
            begins = plan.join(a, plan.summarised(u, delta, a, b), initial_state, backwards=False)
        else:
            begins = initial_state.transpose(1, 2).contiguous()
        plan.run("forward", u, delta, a, b, c, begins, y, checkpoints, final)
    return y, final, checkpoints


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The gradients of the six inputs; `saved` are the inputs and the checkpoints."""
    u, a = saved[0], saved[2]
    if a.shape[1] > MOST_STATES:
        found = chunk.backward(grad_y.float(), grad_final.float(), *(part.float() for part in saved))
        return tuple(part.to(given.dtype) for part, given in zip(found, saved, strict=False))
    return run_backward(grad_y.to(u.dtype), grad_final.float(), saved, None)[:6]


def run_backward(
    grad_y: Tensor, grad_final: Tensor, saved: tuple[Tensor, ...], gating: Gating | None
) -> tuple[Tensor, ...]:
    """The same for at most MOST_STATES; with `gating` the gradients of skip, gate and bias follow."""
    u, delta, a, b, c, _, checkpoints = (part.contiguous() for part in saved)
    grad_y, grad_final = grad_y.contiguous(), grad_final.contiguous()
    plan = _Plan(u, a, gating)
    around = () if gating is None else (gating.skip, gating.gate, gating.bias)
    if not u.numel():
        none = (torch.zeros_like(part) for part in (u, delta, a, b, c))
        return *none, grad_final.clone(), *(torch.zeros_like(part) for part in around)
    if plan.segments > 1:
        _, lengths = plan.summarised(u, delta, a, b)
        ends = plan.floats(u, plan.batch, plan.segments, plan.states, plan.channels)
        plan.run("backward_summary", grad_y, delta, a, c, ends)
        adjoints = plan.join(a, (ends, lengths), grad_final, backwards=True)
    else:
        adjoints = grad_final.transpose(1, 2).contiguous()
    grad_u, grad_delta, grad_initial = torch.empty_like(u), torch.empty_like(delta), torch.empty_like(grad_final)
    places = plan.batch * plan.segments
    a_parts = plan.floats(u, places, plan.channels, plan.states)
    b_parts, c_parts = (plan.floats(u, plan.groups, plan.batch, plan.length, plan.states) for _ in range(2))
    grad_gate = torch.empty_like(u) if around else None
    skip_parts, bias_parts = (plan.floats(u, places, plan.channels) for _ in range(2)) if around else (None, None)
    wanted = (part if part is None else part.data_ptr() for part in (grad_gate, skip_parts, bias_parts))
    plan.run(
        "backward",
        *(_GatingGradients(*wanted), grad_y, u, delta, a, b, c, checkpoints, adjoints),
        *(grad_u, grad_delta, a_parts, b_parts, c_parts, grad_initial),
    )
    grad_b, grad_c = (plan.added(parts).to(b.dtype) for parts in (b_parts, c_parts))
    found = (grad_u, grad_delta, plan.added(a_parts), grad_b, grad_c, grad_initial)
    if grad_gate is None or skip_parts is None or bias_parts is None:
        return found
    return *found, plan.added(skip_parts), grad_gate, plan.added(bias_parts)
