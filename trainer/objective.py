"""What a batch costs, in nats, from logits that are not capped yet; evaluation has its own (evaluate.weighted_loss)."""

import torch
from torch import Tensor
from torch.nn import functional

from trainer.data import Batch
from trainer.ops.capped_cross_entropy import capped_cross_entropy


def next_loss(logits: Tensor, batch: Batch, cap: float = 0.0) -> Tensor:
    """The sum of the nats of all weighted targets, in fp32.

    Args:
        logits: (B, L, vocabulary).
        batch: the ids and their targets.
        cap: what bounds the logits, smoothly; 0 for nothing.

    """
    return capped_cross_entropy(logits, batch.targets, batch.weights, cap).sum()


def ahead_loss(ahead: Tensor, batch: Batch, cap: float = 0.0) -> Tensor:
    """The sum of the nats of all weighted targets, averaged over the heads, in fp32.

    A target that another document has is not learnt; at the end of a row there are none. Several ids ahead: Gloeckle
    et al. 2024, arXiv 2404.19737.

    Args:
        ahead: (B, L, heads, vocabulary), at least one head: head k is of the id k + 2 places later.
        batch: the ids and their targets.
        cap: as for `next_loss`.

    """
    length, heads = ahead.shape[1], ahead.shape[2]
    targets, weights = [], []
    for later in range(1, heads + 1):
        kept = max(0, length - later)
        same = batch.segments[:, later:] == batch.segments[:, :kept]
        missing = (0, length - kept)
        targets.append(functional.pad(batch.targets[:, later:], missing))
        weights.append(functional.pad(batch.weights[:, later:] * same, missing))
    nats = capped_cross_entropy(ahead, torch.stack(targets, -1), torch.stack(weights, -1), cap)
    return nats.sum() / heads
