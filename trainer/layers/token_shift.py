"""RWKV's token shift: each position sees its own input and the one before it; a document's first has none before it."""

import torch
from torch import Tensor

from trainer.layers.mixer import Sight


def inputs_before(x: Tensor, sight: Sight, last: Tensor) -> Tensor:
    """(B, L, D): the input before each position.

    Args:
        x: (B, L, D), the inputs.
        sight: whose documents are whose.
        last: (B, D), the input before the first position; zero where there is none.

    """
    before = torch.cat([last[:, None].to(x.dtype), x[:, :-1]], dim=1)
    return before if sight.single else before * sight.same_segment(1)[..., None]


def ramp(width: int) -> Tensor:
    """(D,): i / D, from which RWKV's initial shares of the earlier input are made."""
    return torch.arange(width) / width


def depth(layer: int, layers: int) -> tuple[float, float]:
    """How far up a layer stands: from 0 to 1 (the last), and from 1 to just above 0."""
    return layer / max(1, layers - 1), 1 - layer / layers
