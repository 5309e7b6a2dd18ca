"""Rows at a root mean square of 1 (Zhang and Sennrich 2019, arXiv 1910.07467), without weights."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from trainer.ops.fused import register

EPSILON: Final = torch.finfo(torch.float32).eps  # added to the mean square; torch's own choice for fp32


def _shapes(x: Tensor, narrow: bool) -> tuple[Tensor, Tensor]:
    kind = torch.bfloat16 if narrow else x.dtype
    return torch.empty_like(x, memory_format=torch.contiguous_format, dtype=kind), x.new_empty(x.shape[:-1])


_operator = register("rms_norm", "Tensor x, bool narrow", _shapes)


def rms_norm(x: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Divides x by sqrt(mean(x^2) + epsilon) over the last dimension: (..., D) to the same, of x's type or `dtype`."""
    wanted = dtype or x.dtype
    if x.device.type != "cpu" or x.dtype is not torch.float32 or not x.numel():
        return functional.rms_norm(x, (x.shape[-1],)).to(wanted)
    normalized: Tensor = _operator(x, wanted is torch.bfloat16)[0]
    return normalized.to(wanted)
