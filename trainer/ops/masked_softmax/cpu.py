"""The softmax in C on the processor: makes room for the results and calls native.c; scores in fp32."""

import torch
from torch import Tensor

from trainer.ops import native


def forward(scores: Tensor, mask: Tensor, scale: float, narrow: bool) -> tuple[Tensor, Tensor]:
    """As in ref.py."""
    scores = scores.contiguous()
    weights = torch.empty_like(scores, dtype=torch.bfloat16 if narrow else scores.dtype)
    kept = scores.new_empty(*scores.shape[:-1], 2)
    native.call("masked_softmax", "forward", (scores, mask), (weights, kept), _sizes(scores, scale, narrow))
    return weights, kept


def backward(gradient: Tensor, scores: Tensor, mask: Tensor, kept: Tensor, scale: float, narrow: bool) -> Tensor:  # noqa: PLR0917  # in the operator's order
    """As in ref.py."""
    scores, gradient = scores.contiguous(), gradient.contiguous()
    found = torch.empty_like(scores)
    tensors = (scores, mask, kept, gradient)
    native.call("masked_softmax", "backward", tensors, (found,), _sizes(scores, scale, narrow))
    return found


def _sizes(scores: Tensor, scale: float, narrow: bool) -> tuple[int, ...]:
    """Rows, their width, whether the weights are bfloat16, the bits of the scale."""
    width = scores.shape[-1]
    return scores.numel() // max(1, width), width, int(narrow), native.bits_of(scale)
