"""The short causal convolution with SiLU before a state-space layer's scan; documents do not mix."""

from typing import Final

import torch
from torch import Tensor

from trainer.layers.mixer import Sight
from trainer.ops.causal_conv.activated import silu_conv

TAPS: Final = 4


def convolved(x: Tensor, before: Tensor, taps: Tensor, bias: Tensor, sight: Sight) -> tuple[Tensor, Tensor]:
    """SiLU of each channel's last four inputs, weighed.

    Args:
        x: (B, L, D), the inputs.
        before: (B, 3, D), the three inputs before them.
        taps: (4, D), the first weighs the newest input.
        bias: (D,).
        sight: whose documents are whose.

    Returns:
        (B, L, D) in the type of `x`, and the last three inputs (B, 3, D) in fp32.

    """
    reach = None if sight.single else torch.stack([sight.same_segment(back) for back in range(1, TAPS)]).sum(0)
    return silu_conv(x, taps, bias, initial_state=before, reach=reach)
