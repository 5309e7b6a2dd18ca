"""Norms without weights: what would scale the result is learnt by the matrices behind them."""

from typing import Literal

from torch import Tensor
from torch.nn import functional

from trainer.ops.rms_norm import rms_norm

Norm = Literal["rms", "layer"]


def normalized(x: Tensor, norm: Norm) -> Tensor:
    """The last dimension at a root mean square of 1; "layer" takes its mean away first (arXiv 1607.06450)."""
    if norm == "layer":
        return functional.layer_norm(x, (x.shape[-1],))
    return rms_norm(x)
