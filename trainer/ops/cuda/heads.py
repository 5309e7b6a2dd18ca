"""Heads with a matrix state on a GPU: how widths are padded to those of the kernels, and how blocks share the work.

What the kernels themselves do is in heads.cuh and in an operator's kernels.cu; this launches nothing on its own.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import pad

from trainer.ops.cuda.arguments import Launch
from trainer.ops.cuda.launch import launch, multiprocessors

_WARP: Final = 32
_SIDE: Final = 16  # keys, and values, of a warp
_WIDTHS: Final = (16, 32, 64)  # keys of a head that kernels are made for; fewer are padded with zeros
_TYPES: Final = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}
_ALIGNMENT: Final = 16  # bytes, of whatever a kernel reads more than one number at a time of
_CHUNK: Final = 16  # steps; heads.cuh has the same figure
_BLOCKS: Final = 2  # for each multiprocessor, before the length is no longer cut
_THREADS: Final = 256  # of the kernels that join segments


class _Sizes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("batch", "length", "heads", "values", "segments", "segment_length")]


@dataclass(frozen=True, slots=True)
class Cut:
    """From when on cutting the length pays: its summaries are work that one segment does not have."""

    segments: int  # at least so many
    chunks: int  # at least so many in each


@dataclass(frozen=True, slots=True)
class Heads:
    """How the work is cut: by shapes alone, so that equal calls add in an equal order."""

    operator: str
    kind: torch.dtype  # of what runs along time
    batch: int
    length: int
    heads: int
    keys: int
    values: int
    multiprocessors: int  # of the device
    cut: Cut

    @classmethod
    def of(cls, operator: str, r: Tensor, v: Tensor, cut: Cut) -> "Heads":
        """The heads of r (B, L, H, K) and v (B, L, H, V)."""
        batch, length, heads, keys = r.shape
        return cls(operator, v.dtype, batch, length, heads, keys, v.shape[3], multiprocessors(v.device), cut)

    @property
    def fit(self) -> bool:
        """Whether there are kernels for them, and anything to be computed."""
        return self.keys <= _WIDTHS[-1] and min(self.batch, self.length, self.heads, self.keys, self.values) > 0

    @property
    def width(self) -> int:
        """Keys of the kernel's heads, and values of one block."""
        return next(width for width in _WIDTHS if self.keys <= width)

    @property
    def groups(self) -> int:
        """Blocks that share the values of a head."""
        return -(-self.values // self.width)

    @property
    def segment_length(self) -> int:
        """Steps, whole chunks: all of them, unless blocks for all heads leave multiprocessors idle and cutting pays."""
        chunks, blocks = -(-self.length // _CHUNK), self.batch * self.heads * self.groups
        segments = min(_BLOCKS * self.multiprocessors // blocks, chunks // self.cut.chunks)
        return -(-chunks // (segments if segments >= self.cut.segments else 1)) * _CHUNK

    @property
    def segments(self) -> int:
        """Pieces of the length that run side by side."""
        return -(-self.length // self.segment_length)

    def padded(self, part: Tensor, *, last: int = 0, before: int = 0) -> Tensor:
        """Contiguous, aligned, and with zeros up to `last` and `before` in its last two dimensions (0: as it is)."""
        more_last, more_before = (
            max(0, wanted - size) for wanted, size in zip((last, before), part.shape[:-3:-1], strict=True)
        )
        if more_last or more_before:
            return pad(part, (0, more_last, 0, more_before))
        part = part.contiguous()
        return part if part.data_ptr() % _ALIGNMENT == 0 else part.clone()

    def by_key(self, part: Tensor) -> Tensor:
        """(..., K), padded."""
        return self.padded(part, last=self.width)

    def by_value(self, part: Tensor) -> Tensor:
        """(..., V), padded."""
        return self.padded(part, last=self.groups * self.width)

    def parts_like(self, padded: Tensor) -> Tensor:
        """Room for the gradient of what runs along keys: in fp32 parts where several blocks share a head."""
        if self.groups == 1:
            return torch.empty_like(padded)
        return torch.empty((self.groups, *padded.shape), dtype=torch.float32, device=padded.device)

    def added(self, parts: Tensor, kind: torch.dtype) -> Tensor:
        """The gradient (..., K) of this type from `parts_like`."""
        return (parts if self.groups == 1 else parts.sum(0))[..., : self.keys].to(kind).contiguous()

    @property
    def sizes(self) -> ctypes.Structure:
        """As the kernels take them."""
        values = self.groups * self.width
        return _Sizes(self.batch, self.length, self.heads, values, self.segments, self.segment_length)

    def run(self, name: str, arguments: Sequence[Tensor], *, more: int = 0) -> None:
        """Launches the operator's kernel with a block for each group of values, segment, head and sequence.

        more: groups of rows that follow those of the values.
        """
        kernel = f"{self.operator}_{name}_{_TYPES[self.kind]}_{self.width}"
        grid = ((self.groups + more) * self.segments, self.heads, self.batch)
        block = (_WARP * self.width // _SIDE, 1, 1)
        launch(Launch(self.operator, kernel, grid, block), (self.sizes, *arguments))

    def joined(self, given: Tensor, *summaries: Tensor, backwards: bool) -> Tensor:
        """What every segment begins with (B, segments, H, V, K), or ends with where `backwards`.

        given: (B, H, V, K), at that end of the sequence. summaries: what the operator's kernel of this name takes.
        """
        begins = given.new_empty(self.batch, self.segments, *given.shape[1:])
        grid = (-(-given.numel() // _THREADS), 1, 1)
        keys, direction = ctypes.c_int(self.width), ctypes.c_int(backwards)
        launch(
            Launch(self.operator, f"{self.operator}_join", grid, (_THREADS, 1, 1)),
            (self.sizes, keys, *summaries, given, begins, direction),
        )
        return begins
