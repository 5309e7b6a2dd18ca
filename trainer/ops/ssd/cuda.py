"""The state-space dual on a GPU: makes room for the results and launches kernels.cu.

x, b, c and the gradient of y have one type; step sizes, rates and states are fp32. More than 128 states run on chunk.
"""

import ctypes
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import pad

from trainer.ops.cuda.arguments import Launch
from trainer.ops.cuda.launch import launch, multiprocessors
from trainer.ops.ssd import CHUNK, chunk

_NAME: Final = "ssd"
_WARP: Final = 32
_WARPS: Final = 4  # of a block
_WIDTH: Final = 64  # of a head, that a block has; chunk.cuh has the same figure
_TILE: Final = 32  # states at a time
_TILES: Final = (1, 2, 4)  # up to so many tiles
_BLOCKS: Final = 4  # for each multiprocessor, before the length is no longer cut
_ADDERS: Final = 8  # warps of a block that adds parts; kernels.cu has the same figure
_THREADS: Final = 256  # of the kernel that has one for each number
_TYPES: Final = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}


class _Sizes(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int)
        for name in ("batch", "length", "heads", "width", "groups", "states", "segments", "segment_length")
    ]


class _Plan:
    """How the work is cut: by shapes and the device alone, so that equal calls add in an equal order."""

    def __init__(self, x: Tensor, b: Tensor) -> None:
        self.batch, self.length, self.heads, self.width = x.shape
        self.groups, self.states = b.shape[2:]
        self.tiles = -(-self.width // _WIDTH)
        self.chunks = -(-self.length // CHUNK)
        wanted = -(-_BLOCKS * multiprocessors(x.device) // max(1, self.batch * self.heads * self.tiles))
        chunks_of_segment = -(-self.chunks // max(1, min(wanted, self.chunks)))
        self.segments, self.segment_length = -(-self.chunks // max(1, chunks_of_segment)), chunks_of_segment * CHUNK
        self.type = _TYPES[x.dtype]
        self.suffix = f"{self.type}_{next(tiles for tiles in _TILES if self.states <= tiles * _TILE)}"
        self.sizes = _Sizes(*x.shape, self.groups, self.states, self.segments, self.segment_length)

    def run(self, name: str, *arguments: Tensor) -> None:
        """Launches one of the kernels with a block for each head's part of the width, segment and sequence."""
        grid, block = (self.heads * self.tiles, self.segments, self.batch), (_WARP * _WARPS, 1, 1)
        launch(Launch(_NAME, f"{_NAME}_{name}_{self.suffix}", grid, block), (self.sizes, *arguments))

    def floats(self, like: Tensor, *shape: int) -> Tensor:
        """Room for fp32 numbers on the same device."""
        return torch.empty(shape, dtype=torch.float32, device=like.device)

    def at_segments(
        self, given: Tensor, delta: Tensor, a: Tensor, written: tuple[Tensor, Tensor], *, backwards: bool
    ) -> Tensor:
        """What every segment begins with (B, segments, H, N, P), or ends with where `backwards`.

        given: (B, H, P, N), at that end of the sequence. written: what is put into the states, by width and by states.
        """
        if self.segments == 1:
            return given.mT.contiguous()
        ends = self.floats(given, self.batch, self.segments, self.heads, self.states, self.width)
        self.run("backward_summary" if backwards else "summary", written[0], delta, a, written[1], ends)
        missing = self.segments * self.segment_length - self.length
        lengths = pad(delta, (0, 0, 0, missing)).unflatten(1, (self.segments, -1)).sum(2)
        begins = torch.empty_like(ends)
        blocks = -(-given.numel() // _THREADS)
        launch(
            Launch(_NAME, f"{_NAME}_join", (blocks, 1, 1), (_THREADS, 1, 1)),
            (self.sizes, a, ends, lengths, given, begins, ctypes.c_int(backwards)),
        )
        return begins

    @staticmethod
    def added(parts: Tensor, dtype: torch.dtype) -> Tensor:
        """The sum over the first dimension, in a fixed order."""
        sums = torch.empty_like(parts[0], dtype=dtype)
        blocks = -(-sums.numel() // _WARP)
        launch(
            Launch(_NAME, f"{_NAME}_add_{_TYPES[dtype]}", (blocks, 1, 1), (_WARP * _ADDERS, 1, 1)),
            (parts, sums, ctypes.c_int(parts.shape[0]), ctypes.c_longlong(sums.numel())),
        )
        return sums


def _is_too_much(b: Tensor) -> bool:
    return b.shape[3] > _TILE * _TILES[-1]


def forward(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gives y, the final state, and the state before each chunk; inputs as in ref.py."""
    x, delta, a, b, c, initial_state = (part.contiguous() for part in inputs)
    if _is_too_much(b):
        y, final, checkpoints = chunk.forward(*(part.float() for part in inputs))
        return y.to(x.dtype), final, checkpoints
    plan = _Plan(x, b)
    y, final = torch.empty_like(x), initial_state.clone()
    checkpoints = plan.floats(x, plan.batch, plan.chunks, plan.heads, plan.states, plan.width)
    if x.numel():
        begins = plan.at_segments(initial_state, delta, a, (x, b), backwards=False)
        plan.run("forward", x, delta, a, b, c, begins, y, checkpoints, final)
    return y, final, checkpoints


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The gradients of the six inputs; `saved` are the inputs and the checkpoints."""
    x, delta, a, b, c, _, checkpoints = (part.contiguous() for part in saved)
    grad_y, grad_final = grad_y.to(x.dtype).contiguous(), grad_final.float().contiguous()
    if _is_too_much(b):
        found = chunk.backward(grad_y.float(), grad_final, *(part.float() for part in saved))
        return tuple(part.to(given.dtype) for part, given in zip(found, saved, strict=False))
    if not x.numel():
        return *(torch.zeros_like(part) for part in (x, delta, a, b, c)), grad_final.clone()
    plan = _Plan(x, b)
    adjoints = plan.at_segments(grad_final, delta, a, (grad_y, c), backwards=True)
    grad_x, grad_initial = torch.empty_like(x), torch.empty_like(grad_final)
    delta_parts = plan.floats(x, plan.tiles, *delta.shape)
    a_parts = plan.floats(x, plan.batch * plan.segments * plan.tiles, plan.heads)
    b_parts, c_parts = (plan.floats(x, plan.heads // plan.groups * plan.tiles, *b.shape) for _ in range(2))
    plan.run(
        "backward",
        *(grad_y, x, delta, a, b, c, checkpoints, adjoints),
        *(grad_x, delta_parts, a_parts, b_parts, c_parts, grad_initial),
    )
    grad_delta = delta_parts[0] if plan.tiles == 1 else plan.added(delta_parts, torch.float32)
    grad_b, grad_c = (plan.added(parts, b.dtype) for parts in (b_parts, c_parts))
    return grad_x, grad_delta, plan.added(a_parts, torch.float32), grad_b, grad_c, grad_initial
