"""Heads with a matrix state on a GPU: how their widths are padded to those of the kernels, and how blocks share them.

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
from trainer.ops.cuda.launch import launch

_WARP: Final = 32
_SIDE: Final = 16  # keys, and values, of a warp
_WIDTHS: Final = (16, 32, 64)  # keys of a head that kernels are made for; fewer are padded with zeros
_TYPES: Final = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}
_ALIGNMENT: Final = 16  # bytes, of whatever a kernel reads more than one number at a time of


class _Sizes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("batch", "length", "heads", "values")]


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

    @classmethod
    def of(cls, operator: str, r: Tensor, v: Tensor) -> "Heads":
        """The heads of r (B, L, H, K) and v (B, L, H, V)."""
        batch, length, heads, keys = r.shape
        return cls(operator, v.dtype, batch, length, heads, keys, v.shape[3])

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

    def run(self, name: str, arguments: Sequence[Tensor]) -> None:
        """Launches the operator's kernel with a block for each group of values, head and sequence."""
        kernel = f"{self.operator}_{name}_{_TYPES[self.kind]}_{self.width}"
        grid, block = (self.groups, self.heads, self.batch), (_WARP * self.width // _SIDE, 1, 1)
        sizes = _Sizes(self.batch, self.length, self.heads, self.groups * self.width)
        launch(Launch(self.operator, kernel, grid, block), (sizes, *arguments))
