"""The convolution with SiLU behind it in C on the processor: makes room for the results and calls native.c.

Sequences of bfloat16 are read and written as they are; everything inside is fp32.
"""

import torch
from torch import Tensor

from trainer.ops import native
from trainer.ops.causal_conv.cpu import described, gradients


def forward(*inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Gives y and the last inputs; inputs are those of the convolution, x in fp32 or bfloat16."""
    tensors, sizes = described(*inputs)
    x, state = tensors[0], tensors[3]
    y, final = x.new_empty(x.shape), torch.empty_like(state)
    native.call("causal_conv", "forward_silu", tensors, (y, final), (*sizes, _narrow(x)))
    return y, final


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The gradients of x, the taps, the bias and the initial state."""
    tensors, sizes = described(*saved)
    x = tensors[0]
    return gradients("backward_silu", (grad_y.to(x.dtype), grad_final), tensors, (*sizes, _narrow(x)))


def _narrow(x: Tensor) -> int:
    return int(x.dtype is torch.bfloat16)
