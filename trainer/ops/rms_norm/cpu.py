"""The norm in C on the processor: makes room for the results and calls native.c; x in fp32."""

import torch
from torch import Tensor

from trainer.ops import native


def forward(x: Tensor, narrow: bool) -> tuple[Tensor, Tensor]:
    """The rows, in bfloat16 where `narrow`, and by how much each was multiplied."""
    x = x.contiguous()
    y, scale = torch.empty_like(x, dtype=torch.bfloat16 if narrow else x.dtype), x.new_empty(x.shape[:-1])
    native.call("rms_norm", "forward", (x,), (y, scale), (scale.numel(), x.shape[-1], int(narrow)))
    return y, scale


def backward(gradient: Tensor, x: Tensor, scale: Tensor, narrow: bool) -> Tensor:
    """As in ref.py."""
    x, gradient = x.contiguous(), gradient.contiguous()
    found = torch.empty_like(x)
    native.call("rms_norm", "backward", (x, gradient, scale), (found,), (scale.numel(), x.shape[-1], int(narrow)))
    return found
