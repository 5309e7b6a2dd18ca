"""Knowing what one does not know: risk against coverage, a threshold to abstain below, calibration; pure arithmetic.

Every function takes (confidence, right) of each question; a confidence is any number that grows with belief.
"""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

Judged = tuple[float, bool]
_BINS: Final = 10


@dataclass(frozen=True, slots=True)
class Point:
    """Answering only what one is surest of."""

    coverage: float  # share of all questions that is answered
    risk: float  # share of wrong answers among those


def risk_coverage(judged: Sequence[Judged]) -> list[Point]:
    """The curve from the surest answers to all (El-Yaniv and Wiener 2010); equal confidences enter together."""
    points, answered, wrong = [], 0, 0
    ordered = sorted(judged, key=lambda each: -each[0])
    for _, tied in groupby(ordered, key=lambda each: each[0]):
        for _, right in tied:
            answered += 1
            wrong += not right
        points.append(Point(answered / len(judged), wrong / answered))
    return points


def risk_at(coverage: float, judged: Sequence[Judged]) -> float:
    """The risk when that share is answered, surest first; ties are broken by chance, so it is the expected one.

    NaN where nothing was judged.
    """
    wanted = coverage * len(judged)
    before, wrong = 0.0, 0.0
    for point in risk_coverage(judged):
        answered = point.coverage * len(judged)
        wrong_now = point.risk * answered
        if answered >= wanted:
            return (wrong + (wrong_now - wrong) * (wanted - before) / (answered - before)) / wanted
        before, wrong = answered, wrong_now
    return math.nan


def area(judged: Sequence[Judged]) -> float:
    """The mean risk over all coverages, ties taken as they come on average: 0 is best, the error rate is no skill."""
    if not judged:
        return math.nan
    return sum(risk_at(answered / len(judged), judged) for answered in range(1, len(judged) + 1)) / len(judged)


def threshold(judged: Sequence[Judged], most_risk: float) -> float:
    """The lowest confidence at which answering everything above it stays within the risk; infinity: never answer."""
    allowed, answered = math.inf, 0
    points = risk_coverage(judged)
    ordered = sorted((confidence for confidence, _ in judged), reverse=True)
    for point in points:
        answered = round(point.coverage * len(judged))
        if point.risk <= most_risk:
            allowed = ordered[answered - 1]
    return allowed


@dataclass(frozen=True, slots=True)
class Abstention:
    """What a threshold does: it is fitted elsewhere and applied here."""

    threshold: float
    abstained: int
    hallucinated: int  # answered wrongly
    right: int


def abstain(judged: Sequence[Judged], limit: float) -> Abstention:
    """What is left to say when everything below the limit is not answered."""
    answered = [right for confidence, right in judged if confidence >= limit]
    return Abstention(limit, len(judged) - len(answered), answered.count(False), answered.count(True))


@dataclass(frozen=True, slots=True)
class Calibrator:
    """Confidence to probability: a rising step function, fitted by pooling adjacent violators (Ayer et al. 1955)."""

    confidences: tuple[float, ...]  # where a step begins
    probabilities: tuple[float, ...]

    def __call__(self, confidence: float) -> float:
        """The share of right answers that answers of such confidence had."""
        return self.probabilities[max(0, bisect.bisect_right(self.confidences, confidence) - 1)]


def calibrated(judged: Sequence[Judged]) -> Calibrator:
    """Fits. Raises ValueError when there is nothing to fit."""
    if not judged:
        raise ValueError("nothing was judged")
    pools: list[tuple[float, float, int]] = []  # lowest confidence, right ones, all
    for confidence, tied in groupby(sorted(judged), key=lambda each: each[0]):
        flags = [right for _, right in tied]
        pools.append((confidence, float(sum(flags)), len(flags)))
        while len(pools) > 1 and pools[-2][1] / pools[-2][2] >= pools[-1][1] / pools[-1][2]:
            _, right, count = pools.pop()
            begin, earlier_right, earlier = pools.pop()
            pools.append((begin, earlier_right + right, earlier + count))
    return Calibrator(tuple(pool[0] for pool in pools), tuple(right / count for _, right, count in pools))


def calibration_error(judged: Sequence[Judged], bins: int = _BINS) -> float:
    """Expected calibration error: probabilities against shares over equal bins (Guo et al. 2017, arXiv 1706.04599).

    The confidences must be probabilities. NaN of nothing.
    """
    if not judged:
        return math.nan
    total = 0.0
    for number in range(bins):
        inside = [each for each in judged if min(int(each[0] * bins), bins - 1) == number]
        total += abs(sum(confidence - right for confidence, right in inside))
    return total / len(judged)
