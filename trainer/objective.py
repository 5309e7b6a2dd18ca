"""What the predictive heads lose on a batch, in nats; the loss of the next id is evaluate.weighted_loss."""

from torch import Tensor
from torch.nn import functional

from trainer.data import Batch


def ahead_loss(ahead: Tensor, batch: Batch) -> Tensor:
    """The sum of the nats of all weighted targets, averaged over the heads, in fp32.

    A target that another document has is not learnt; at the end of a row there are none. Several ids ahead: Gloeckle
    et al. 2024, arXiv 2404.19737.

    Args:
        ahead: (B, L, heads, vocabulary), at least one head: head k is of the id k + 2 places later.
        batch: the ids and their targets.

    """
    length, heads = ahead.shape[1], ahead.shape[2]
    total = ahead.new_zeros(())
    for head in range(min(heads, length - 1)):
        later = head + 1
        nats = functional.cross_entropy(
            ahead[:, : length - later, head].flatten(0, 1), batch.targets[:, later:].flatten(), reduction="none"
        )
        same = batch.segments[:, later:] == batch.segments[:, : length - later]
        total = total + (nats * (batch.weights[:, later:] * same).flatten()).sum()
    return total / heads
