"""Choosing the next id from logits: penalties, temperature, top-k, top-p, min-p; it knows no model."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.bytes import BOUNDARY, BYTES

Probabilities = NDArray[np.float64]

_CHOSEN: Final = BOUNDARY + 1  # ids that may be chosen: the bytes, and the boundary, which stands right behind them
_NEVER: Final = -np.inf


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next id is chosen; the filters work in the order of the fields, each on what the one before has left."""

    temperature: float = 0.8  # 0 takes the most likely id
    top_k: int = 0  # ids to choose among; 0 for all
    top_p: float = 1.0  # of the probability to choose among, the most likely ids first (arXiv 1904.09751)
    min_p: float = 0.0  # of the most likely id's probability that an id must have (arXiv 2407.01082)
    repetition_penalty: float = 1.0  # logits of ids that were written are divided by it (arXiv 1909.05858)
    presence_penalty: float = 0.0  # taken from the logits of ids that were written
    frequency_penalty: float = 0.0  # taken from them for each time that they were

    @property
    def penalizes(self) -> bool:
        """Whether it matters what was written."""
        return self.repetition_penalty != 1 or self.presence_penalty != 0 or self.frequency_penalty != 0


class Sampler:
    """Draws ids one after the other; the same seed and the same logits give the same ids."""

    def __init__(self, sampling: Sampling, seed: int) -> None:
        self._sampling = sampling
        self._generator = np.random.Generator(np.random.PCG64(seed))
        self._counts = np.zeros(_CHOSEN) if sampling.penalizes else None

    def choose(self, logits: NDArray[np.float32]) -> int:
        """The id that follows, of (vocabulary,) logits; one random number is drawn unless the temperature is 0."""
        if self._sampling.temperature == 0 and self._counts is None:
            return int(logits[:_CHOSEN].argmax())
        probabilities = distribution(logits, self._sampling, self._counts)
        if self._sampling.temperature == 0:
            chosen = int(probabilities.argmax())
        else:
            sums = probabilities.cumsum()
            chosen = int(sums.searchsorted(self._generator.random() * sums[-1], side="right"))
        if self._counts is not None:
            self._counts[chosen] += 1
        return chosen

    def remember(self, ids: Iterable[int]) -> None:
        """Counts ids as written, for the penalties."""
        if self._counts is not None:
            for each in ids:
                self._counts[each] += each < BYTES


def distribution(
    logits: NDArray[np.float32], sampling: Sampling, counts: NDArray[np.float64] | None = None
) -> Probabilities:
    """The probabilities of the bytes and the boundary, (257,).

    Args:
        logits: (vocabulary,).
        sampling: how.
        counts: (257,), how often each id was written; None where nothing is to be penalized.

    """
    scores = logits[:_CHOSEN].astype(np.float64)
    if counts is not None:
        scores = _penalized(scores, sampling, counts)
    if sampling.temperature == 0:
        certain: Probabilities = (np.arange(_CHOSEN) == scores.argmax()).astype(np.float64)
        return certain
    scores = (scores - scores.max()) / sampling.temperature
    if 0 < sampling.top_k < _CHOSEN:
        scores[scores < np.partition(scores, -sampling.top_k)[-sampling.top_k]] = _NEVER
    probabilities = np.exp(scores)
    probabilities /= probabilities.sum()
    if sampling.top_p < 1:
        order = np.argsort(-probabilities, kind="stable")
        ordered = probabilities[order]
        probabilities[order[ordered.cumsum() - ordered >= sampling.top_p]] = 0
    if sampling.min_p > 0:
        probabilities[probabilities < sampling.min_p * probabilities.max()] = 0
    found: Probabilities = probabilities / probabilities.sum()
    return found


def choose(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """(B,) ids drawn from (B, vocabulary) logits."""
    rows = [distribution(row, sampling) for row in logits.detach().float().cpu().numpy()]
    probabilities = torch.from_numpy(np.stack(rows)).to(logits.device)
    if sampling.temperature == 0:
        return probabilities.argmax(-1)
    return torch.multinomial(probabilities, 1, generator=generator)[:, 0]


def log_probabilities(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """The model's own, over the whole vocabulary: natural logarithms, before any temperature or filter."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    found: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found


def _penalized(scores: Probabilities, sampling: Sampling, counts: NDArray[np.float64]) -> Probabilities:
    written = counts > 0
    divided = np.where(scores > 0, scores / sampling.repetition_penalty, scores * sampling.repetition_penalty)
    taken = sampling.presence_penalty * written + sampling.frequency_penalty * counts
    found: Probabilities = np.where(written, divided, scores) - taken
    return found
