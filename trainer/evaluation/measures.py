"""Shares with their uncertainty, agreement over phrasings, pass@k: arithmetic on what was graded."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_Z: Final = 1.959964  # standard deviations of 95 %


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many, with Wilson's 95 % interval (Wilson 1927)."""

    count: int
    of: int

    @property
    def value(self) -> float:
        """NaN of nothing."""
        return self.count / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """From, to; (0, 1) of nothing."""
        if not self.of:
            return 0.0, 1.0
        share, weight = self.value, _Z**2 / self.of
        middle = (share + weight / 2) / (1 + weight)
        half = _Z / (1 + weight) * math.sqrt(share * (1 - share) / self.of + weight / (4 * self.of))
        return max(0.0, middle - half), min(1.0, middle + half)


def share(flags: Iterable[bool]) -> Share:
    """The share of true ones."""
    listed = list(flags)
    return Share(sum(listed), len(listed))


@dataclass(frozen=True, slots=True)
class Consistency:
    """Of the exercises that were asked in more than one form."""

    agree: Share  # all forms were answered alike, right or wrong
    all_right: Share  # every form was answered rightly


def consistency(answers: Iterable[tuple[str, str, bool]]) -> Consistency:
    """From (exercise, normalised answer, right) of each question; exercises asked in one form only are left out."""
    by_exercise: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for exercise, answer, right in answers:
        if exercise:
            by_exercise[exercise].append((answer, right))
    several = [forms for forms in by_exercise.values() if len(forms) > 1]
    # Two right answers agree, though they may be written differently.
    agree = share(len({"" if right else f"wrong {answer}" for answer, right in forms}) == 1 for forms in several)
    return Consistency(agree, share(all(right for _, right in forms) for forms in several))


def pass_at(k: int, counts: Sequence[tuple[int, int]]) -> float:
    """The chance that one of k samples passes, from (samples, passed) of each problem, without bias.

    Chen et al. 2021, arXiv 2107.03374, equation 1. NaN when a problem has fewer than k samples, or there is none.
    """
    if not counts or any(samples < k for samples, _ in counts):
        return math.nan
    misses = (math.comb(samples - passed, k) / math.comb(samples, k) for samples, passed in counts)
    return sum(1 - miss for miss in misses) / len(counts)


def quantile(values: Sequence[float], fraction: float) -> float:
    """The value that the fraction of all lies at or below (nearest rank); NaN of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)] if ordered else math.nan
