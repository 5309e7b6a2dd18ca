"""The truth: the norm and its adjoint in torch, in the input's precision."""

import torch
from torch import Tensor

from trainer.ops.rms_norm import EPSILON


def forward(x: Tensor) -> tuple[Tensor, Tensor]:
    """The rows, and by how much each was multiplied."""
    scale = torch.rsqrt(x.square().mean(-1) + EPSILON)
    return x * scale[..., None], scale


def backward(gradient: Tensor, x: Tensor, scale: Tensor) -> Tensor:
    """What a row's gradient has along the row is taken away, for its length is fixed."""
    along = (gradient * x).mean(-1) * scale.square()
    return (gradient - x * along[..., None]) * scale[..., None]
