"""The squares in C on the processor: makes room for the results and calls native.c; fp32 and bfloat16."""

import torch
from torch import Tensor

from trainer.ops import native


def forward(x: Tensor) -> tuple[Tensor, Tensor]:
    """As in ref.py."""
    x = x.contiguous()
    y = torch.empty_like(x)
    native.call("squared_relu", "forward", (x,), (y,), (x.numel(), x.dtype is torch.bfloat16))
    return y, x.new_empty(0)


def backward(gradient: Tensor, x: Tensor, _kept: Tensor) -> Tensor:
    """As in ref.py."""
    x, gradient = x.contiguous(), gradient.contiguous()
    found = torch.empty_like(x)
    native.call("squared_relu", "backward", (x, gradient), (found,), (x.numel(), x.dtype is torch.bfloat16))
    return found
