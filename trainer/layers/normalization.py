"""Norms without weights: what would scale the result is learnt by the matrices behind them."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from trainer.ops.rms_norm import rms_norm

Norm = Literal["rms", "layer"]


def normalized(x: Tensor, norm: Norm) -> Tensor:
    """The last dimension at a root mean square of 1; "layer" takes its mean away first (arXiv 1607.06450)."""
    return _normalized(x, norm, x.dtype)


def read_by_matrices(x: Tensor, norm: Norm) -> Tensor:
    """The same in autocast's type, where that is on: rounded once here and not by each matrix that reads it."""
    device = x.device.type
    return _normalized(x, norm, torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype)


def _normalized(x: Tensor, norm: Norm, dtype: torch.dtype) -> Tensor:
    if norm == "layer":
        return functional.layer_norm(x, (x.shape[-1],)).to(dtype)
    return rms_norm(x, dtype)
