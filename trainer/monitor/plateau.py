"""What a validation curve advises: go on, cut the learning rate, or stop; the loop's patience decides, not this."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Final

_LEAST: Final = 4  # evaluations before anything but "continue"
_WINDOW: Final = 3  # evaluations without a better one are a plateau
_RELATIVE: Final = 0.002  # of the loss: less is no change
_CLEARLY: Final = 0.04  # of the best loss: so much above it is worse
_HIGH: Final = 0.3  # of the peak learning rate: cutting it still helps


class Advice(StrEnum):
    """The four verdicts."""

    CONTINUE = "continue"
    CUT = "cut lr"
    OVERFIT = "stop: overfit"
    CONVERGED = "stop: converged"


@dataclass(frozen=True, slots=True)
class Point:
    """One evaluation."""

    step: int
    validation: float  # nats
    training: float  # nats, smoothed over the steps before it
    schedule: float  # the fraction of the peak learning rate


@dataclass(frozen=True, slots=True)
class Verdict:
    """The advice, its reason, and the envelope of the curve."""

    advice: Advice
    reason: str
    best: float  # the lowest so far
    high: float  # the highest of the last evaluations
    noise: float  # nats between two evaluations that mean nothing


def judge(curve: Sequence[Point]) -> Verdict:
    """The verdict after the last evaluation of `curve`, which is not empty."""
    last, best = curve[-1], min(curve, key=lambda point: point.validation)
    noise = max(_RELATIVE * abs(last.validation), _noise([point.validation for point in curve]))
    high = max(point.validation for point in curve[-_WINDOW:])

    def verdict(advice: Advice, reason: str) -> Verdict:
        return Verdict(advice, reason, best.validation, high, noise)

    if len(curve) < _LEAST:
        return verdict(Advice.CONTINUE, f"{len(curve)} evaluations are too few to judge")
    clearly = best.validation + max(2 * noise, _CLEARLY * abs(best.validation))
    above = [point.validation > clearly for point in curve[-_WINDOW + 1 :]]
    gap = best.training - last.training
    if all(above) and gap > noise:
        reason = (
            f"validation is {last.validation - best.validation:.3f} nats above its best at step {best.step}, "
            f"while the training loss fell by {gap:.3f}: take the best checkpoint, more data, or a smaller model"
        )
        return verdict(Advice.OVERFIT, reason)
    before = min(point.validation for point in curve[:-_WINDOW])
    gain = before - min(point.validation for point in curve[-_WINDOW:])
    if gain > noise:
        return verdict(Advice.CONTINUE, f"the last {_WINDOW} evaluations gained {gain:.3f} nats")
    if last.schedule > _HIGH:
        reason = f"{_WINDOW} evaluations gained {gain:.3f} nats at {last.schedule:.0%} of the peak learning rate"
        return verdict(Advice.CUT, reason)
    reason = f"{_WINDOW} evaluations gained {gain:.3f} nats, and the learning rate is down to {last.schedule:.0%}"
    return verdict(Advice.CONVERGED, reason)


def _noise(values: Sequence[float]) -> float:
    """The deviation of single evaluations, from how they miss the line through their neighbours."""
    misses = [
        abs(after - 2 * here + before) for before, here, after in zip(values, values[1:], values[2:], strict=False)
    ]
    return 1.4826 * median(misses) / 6**0.5 if misses else 0.0
