"""Softmax of scaled scores over what a mask lets be seen: the middle of attention, between two products of matrices.

In torch, the scale, the mask, the softmax, the rounding and their gradients are ten passes over arrays larger than any
cache; here they are one pass forward and one back.
"""

import torch
from torch import Tensor

from trainer.ops.fused import register
from trainer.ops.registration import require


def _shapes(scores: Tensor, mask: Tensor, scale: float, narrow: bool) -> tuple[Tensor, Tensor]:  # noqa: ARG001  # the operator's arguments
    weights = torch.empty_like(scores, dtype=torch.bfloat16 if narrow else scores.dtype)
    return weights, scores.new_empty(*scores.shape[:-1], 2)


_operator = register("masked_softmax", "Tensor scores, Tensor mask, float scale, bool narrow", _shapes)


def masked_softmax(scores: Tensor, mask: Tensor, scale: float, dtype: torch.dtype) -> Tensor:
    """Row by row, exp(scale x scores) over the row's sum of it, where the mask is true; 0 elsewhere.

    Args:
        scores: (..., K) in fp32 or double.
        mask: bool, broadcast over the scores; a row in which it is nowhere true has weights 0.
        scale: what the scores are multiplied by.
        dtype: of the weights: that of the scores or bfloat16.

    Returns:
        (..., K) of type `dtype`.

    Raises:
        ValueError: the types or shapes do not fit.

    """
    require(scores.dtype in {torch.float32, torch.float64}, "scores must be fp32 or double.")
    require(dtype in {scores.dtype, torch.bfloat16}, "dtype must be that of the scores or bfloat16.")
    require(mask.dtype is torch.bool, "mask must be of bool.")
    if mask.shape != scores.shape:
        mask = mask.expand_as(scores)
    weights: Tensor = _operator(scores, mask.contiguous(), scale, dtype is torch.bfloat16)[0]
    return weights
