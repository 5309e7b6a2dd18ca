"""The short causal convolution before a state-space layer's scan; documents do not mix."""

from typing import Final

import torch
from torch import Tensor

from trainer.layers.mixer import Sight
from trainer.ops.causal_conv import causal_conv

TAPS: Final = 4


def convolved(known: Tensor, taps: Tensor, bias: Tensor, sight: Sight) -> Tensor:
    """Each channel's last four inputs, weighed.

    Args:
        known: (B, 3 + L, D), the inputs with the three before them.
        taps: (4, D), the first weighs the newest input.
        bias: (D,).
        sight: whose documents are whose.

    Returns:
        (B, L, D) in the type of `known`.

    """
    reach = None if sight.single else torch.stack([sight.same_segment(back) for back in range(1, TAPS)]).sum(0)
    y, _ = causal_conv(known[:, TAPS - 1 :], taps, bias, initial_state=known[:, : TAPS - 1], reach=reach)
    return y
