"""The loss in C on the processor: makes room for the results and calls native.c; fp32 and bfloat16 logits."""

import torch
from torch import Tensor

from trainer.ops import native


def _described(logits: Tensor, targets: Tensor, cap: float) -> tuple[Tensor, tuple[int, ...]]:
    """Contiguous logits, and their sizes with the bits of the cap as the last one."""
    narrow = logits.dtype is torch.bfloat16
    return logits.contiguous(), (targets.numel(), logits.shape[-1], int(narrow), native.bits_of(cap))


def forward(logits: Tensor, targets: Tensor, weights: Tensor, cap: float) -> tuple[Tensor, Tensor]:
    """As in ref.py; the logarithm is torch's."""
    logits, sizes = _described(logits, targets, cap)
    peaks, sums, picked = (torch.empty(targets.shape) for _ in range(3))
    native.call(
        "capped_cross_entropy",
        "forward",
        (logits, targets.contiguous(), weights.contiguous()),
        (peaks, sums, picked),
        sizes,
    )
    total = sums.log_().add_(peaks)
    return picked.neg_().add_(total).mul_(weights), total


def backward(  # noqa: PLR0917  # in the operator's order
    gradient: Tensor, logits: Tensor, targets: Tensor, weights: Tensor, total: Tensor, cap: float
) -> Tensor:
    """As in ref.py."""
    logits, sizes = _described(logits, targets, cap)
    found = torch.empty_like(logits)
    tensors = (logits, targets.contiguous(), (gradient * weights).contiguous(), total)
    native.call("capped_cross_entropy", "backward", tensors, (found,), sizes)
    return found
