"""The truth: the norm and its adjoint in torch, in the input's precision."""

import torch
from torch import Tensor

from trainer.ops.rms_norm import EPSILON


def forward(x: Tensor, narrow: bool) -> tuple[Tensor, Tensor]:
    """The rows, and by how much each was multiplied."""
    scale = torch.rsqrt(x.square().mean(-1) + EPSILON)
    y = x * scale[..., None]
    return y.to(torch.bfloat16) if narrow else y, scale


def backward(gradient: Tensor, x: Tensor, scale: Tensor, _narrow: bool) -> Tensor:
    """What a row's gradient has along the row is taken away, for its length is fixed."""
    gradient = gradient.to(x.dtype)
    along = (gradient * x).mean(-1) * scale.square()
    return (gradient - x * along[..., None]) * scale[..., None]
