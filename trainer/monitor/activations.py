"""What a tensor of activations says in a few numbers: sizes, outliers, dead units, attention that sees one key."""

import math
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

_QUERIES: Final = 48  # of a row whose attention is looked at, evenly spread


def size(x: Tensor) -> Tensor:
    """Root mean square, in fp32."""
    return x.float().square().mean().sqrt()


def kurtosis(x: Tensor) -> Tensor:
    """Fourth moment over the squared second: 3 for a normal distribution, the number of values for a lone outlier."""
    squares = (x.float() / peak(x).clamp_min(1e-30)).square()  # no overflow in the fourth powers
    return squares.square().mean() / squares.mean().square().clamp_min(1e-30)


def peak(x: Tensor) -> Tensor:
    """The largest absolute value."""
    return x.detach().float().abs().max()


def gain(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """How many nats fewer a target costs by the logits at its place than by the mean logits of all places.

    Who knows no more than how often each id comes gains nothing; a slow learner gains early what its loss shows late.

    Args:
        logits: (n, vocabulary), of rows that the weights did not learn from yet.
        targets: (n,), n at least 2.

    Returns:
        The mean, and its standard error.

    """
    logits = logits.float()
    common = logits.mean(dim=0, keepdim=True).expand_as(logits)
    gains = cross_entropy(common, targets, reduction="none") - cross_entropy(logits, targets, reduction="none")
    return gains.mean(), gains.std() / math.sqrt(len(gains))


def broken(x: Tensor) -> Tensor:
    """1 where any value is infinite or no number, else 0."""
    return (~torch.isfinite(x).all()).float()


def dead_units(x: Tensor) -> Tensor:
    """The fraction of the last dimension's units that a ReLU of `x` lets nothing through of, at any position."""
    return (x.flatten(0, -2).max(dim=0).values <= 0).float().mean()


def attention_entropy(query: Tensor, key: Tensor, mask: Tensor | None, *, causal: bool) -> Tensor:
    """(H,): the entropy of each head's attention as a fraction of the largest possible, over queries that see enough.

    Args:
        query: (B, H, L, E), ready for the product.
        key: (B, H, S, E).
        mask: boolean, true where a key is seen, or added to the products; broadcast to (B, H, L, S); None for all.
        causal: the queries are as many as the keys, and none sees a later key.

    Returns:
        1 for attention spread evenly over what is seen, 0 for all of it on one key; 1 where no query sees two keys.

    """
    length, keys = query.shape[-2], key.shape[-2]
    places = torch.linspace(0, length - 1, min(length, _QUERIES), device=query.device).long()
    scores = query[..., places, :].float() @ key.float().mT / math.sqrt(query.shape[-1])  # (B, H, q, S)
    seen = torch.ones_like(scores, dtype=torch.bool)
    if causal:
        seen = seen & (torch.arange(keys, device=query.device) <= places[:, None])
    if mask is not None:
        chosen = mask.expand(*mask.shape[:-2], length, keys)[..., places, :]
        seen = seen & (chosen if chosen.dtype is torch.bool else torch.isfinite(chosen))
        scores = scores if chosen.dtype is torch.bool else scores + chosen
    weights = torch.softmax(scores.masked_fill(~seen, float("-inf")), dim=-1)
    entropy = torch.special.entr(weights).sum(-1)  # (B, H, q)
    counts = seen.sum(-1)
    enough = counts >= torch.clamp(counts.max() // 2, min=2)  # a query that sees two keys of many says little
    relative = torch.where(enough, entropy / counts.clamp_min(2).log(), 0.0)
    total = enough.expand_as(relative).sum(dim=(0, 2))
    return torch.where(total > 0, relative.nan_to_num().sum(dim=(0, 2)) / total.clamp_min(1), 1.0)


def concentration(x: Tensor) -> Tensor:
    """The share of all energy that the last dimension's loudest unit has: 1 where it is alone."""
    energy = x.float().square().flatten(0, -2).mean(dim=0)
    return energy.max() / energy.sum().clamp_min(1e-30)
