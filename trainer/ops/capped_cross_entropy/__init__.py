"""Cross entropy of logits that a smooth cap bounds: what a byte-level model pays for the ids that come.

In torch, the cap, the normalization, the choice of the target and their gradients are a dozen passes over arrays larger
than any cache; here they are one pass forward and one back, and what is not learnt is not looked at.
"""

import torch
from torch import Tensor
from torch.nn import functional

from trainer.ops.fused import register
from trainer.ops.registration import require

_TYPES = (torch.float32, torch.bfloat16)


def _shapes(logits: Tensor, targets: Tensor, weights: Tensor, cap: float) -> tuple[Tensor, Tensor]:  # noqa: ARG001  # the operator's arguments
    return weights.new_empty(weights.shape), weights.new_empty(weights.shape)


_operator = register("capped_cross_entropy", "Tensor logits, Tensor targets, Tensor weights, float cap", _shapes)


def capped_cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor, cap: float = 0.0) -> Tensor:
    """Row by row, weights x -log softmax(cap tanh(logits / cap))[targets], in nats.

    Args:
        logits: (..., V), not capped yet.
        targets: (...) int64, each below V.
        weights: (...) fp32; a row whose weight is 0 costs nothing and gets no gradient.
        cap: the logits stay within it, smoothly; 0 for no cap.

    Returns:
        (...) in fp32, or double for double logits.

    Raises:
        ValueError: the shapes do not fit.

    """
    require(targets.shape == weights.shape == logits.shape[:-1], "targets and weights must have logits' rows.")
    if logits.device.type != "cpu" or logits.dtype not in _TYPES:
        wide = logits if logits.dtype is torch.float64 else logits.float()
        bounded = cap * torch.tanh(wide / cap) if cap else wide
        nats = functional.cross_entropy(bounded.flatten(0, -2), targets.flatten(), reduction="none")
        return nats.view(targets.shape) * weights
    paid: Tensor = _operator(logits, targets, weights, cap)[0]
    return paid
