"""The truth: the function and its derivative in torch, in the input's precision."""

from torch import Tensor


def forward(x: Tensor) -> tuple[Tensor, Tensor]:
    """The squares, and nothing that the backward pass needs."""
    return x.clamp(min=0).square(), x.new_empty(0)


def backward(gradient: Tensor, x: Tensor, _kept: Tensor) -> Tensor:
    """Twice what is above 0."""
    return gradient * (2 * x.clamp(min=0))
