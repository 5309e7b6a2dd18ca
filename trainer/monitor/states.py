"""What the decays and states of a recurrence say: half-lives, step sizes, ranks, slots that nobody reads."""

import math
from typing import Final

import torch
from torch import Tensor

HALF_LIFE_EDGES: Final = (0.25, 1.0, 4.0, 16.0, 64.0, 256.0, 1024.0)  # ids; the histogram's bins lie between
_INSTANT: Final = 1 / 20  # ids
_FOREVER: Final = 1e6  # ids
_SATURATED: Final = 5.0
_VANISHED: Final = 1e-5
_FEW: Final = 48  # positions and channels that are looked at, evenly spread
_SMALLEST_NORMAL: Final = math.log(torch.finfo(torch.float32).tiny)  # exp of less is denormal
_SMALLEST: Final = math.log(torch.finfo(torch.float32).smallest_normal * torch.finfo(torch.float32).eps)  # 0 below


def spread(x: Tensor, dimension: int, most: int = _FEW) -> Tensor:
    """At most so many entries of the dimension, evenly spread."""
    length = x.shape[dimension]
    if length <= most:
        return x
    return x.index_select(dimension, torch.linspace(0, length - 1, most, device=x.device).long())


def decay_measures(log_decay: Tensor) -> dict[str, Tensor]:
    """Of decays exp(log_decay), at most 0 each, of any shape.

    Returns:
        half_life_low, half_life, half_life_high: 10th, 50th and 90th percentile, in ids.
        half_lives: the fraction in each bin of HALF_LIFE_EDGES.
        instant: the fraction with a half-life below a twentieth of an id, thus a decay below 1e-6.
        denormal: the fraction of decays that are no normal numbers and not zero.
        forever: the fraction of half-lives above a million ids.

    """
    rates = -log_decay.float().flatten()
    half_lives = math.log(2) / rates.clamp_min(1e-30)
    low, middle, high = torch.quantile(half_lives, half_lives.new_tensor([0.1, 0.5, 0.9]))
    bins = torch.bucketize(half_lives, half_lives.new_tensor(HALF_LIFE_EDGES))
    return {
        "half_life_low": low,
        "half_life": middle,
        "half_life_high": high,
        "half_lives": torch.bincount(bins, minlength=len(HALF_LIFE_EDGES) + 1) / len(rates),
        "instant": (half_lives < _INSTANT).float().mean(),
        "denormal": ((rates > -_SMALLEST_NORMAL) & (rates < -_SMALLEST)).float().mean(),
        "forever": (half_lives > _FOREVER).float().mean(),
    }


def step_measures(delta: Tensor) -> dict[str, Tensor]:
    """Of step sizes (n, channels), not negative.

    Returns:
        step: the median.
        saturated: the fraction of channels whose smallest step is above 5.
        vanished: the fraction of channels whose largest step is below 1e-5.

    """
    return {
        "step": delta.median(),
        "saturated": (delta.min(dim=0).values > _SATURATED).float().mean(),
        "vanished": (delta.max(dim=0).values < _VANISHED).float().mean(),
    }


def state_measures(state: Tensor) -> dict[str, Tensor]:
    """Of states (..., K, V), each a matrix.

    Returns:
        state: their root mean square.
        rank: the effective rank, exp of the entropy of the normalised singular values (Roy and Vetterli 2007), as a
            fraction of the largest possible; the mean over at most 16 matrices.
        state_entropy: the entropy of the energy over all entries, as a fraction of the largest possible.

    """
    matrices = spread(state.float().flatten(0, -3), 0, 16)
    size = matrices.square().mean().sqrt()
    matrices = matrices / matrices.abs().amax(dim=(-2, -1), keepdim=True).clamp_min(1e-30)
    tall = matrices.shape[-2] > matrices.shape[-1]
    gram = matrices.mT @ matrices if tall else matrices @ matrices.mT
    known = torch.isfinite(gram).all()
    values = torch.linalg.eigvalsh(torch.where(known, gram, torch.zeros_like(gram))).clamp_min(0).sqrt()
    shares = values / values.sum(-1, keepdim=True).clamp_min(1e-30)
    rank = torch.special.entr(shares).sum(-1).exp() / gram.shape[-1]
    energy = matrices.square().flatten(1)
    energy = energy / energy.sum(-1, keepdim=True).clamp_min(1e-30)
    entropy = torch.special.entr(energy).sum(-1) / math.log(max(2, energy.shape[-1]))
    return {"state": size, "rank": rank.mean(), "state_entropy": entropy.mean()}


def slot_measures(use: Tensor) -> dict[str, Tensor]:
    """Of the share of all reading that each slot of a memory gets, (slots,).

    Returns:
        slots_used: exp of the entropy of the shares, as a fraction of all slots.
        slots_dead: the fraction of slots with less than a hundredth of an even share.

    """
    shares = use.float() / use.float().sum().clamp_min(1e-30)
    used = torch.special.entr(shares).sum().exp() / len(shares)
    return {"slots_used": used, "slots_dead": (shares < 0.01 / len(shares)).float().mean()}
