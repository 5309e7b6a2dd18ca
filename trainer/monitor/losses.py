"""What the losses of single steps say: a spike, a slow rise (CUSUM), a loss as if the targets had no reason."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from trainer.data import Batch

_MEMORY: Final = 0.9  # of mean and deviation, for each step
_EARLY: Final = 16  # steps before anything is judged
_OF_DIFFERENCES: Final = math.pi**0.5 / 2  # times their mean absolute value is the deviation, where it is normal
_SLACK: Final = 1.0  # deviations that a rise may have for nothing
_LIMIT: Final = 10.0  # deviations, summed up
_SMALLEST_DEVIATION: Final = 0.02  # of the mean
_WINDOW: Final = 16  # steps of one mean
_CLOSE: Final = 0.12  # nats below the entropy of single ids
_GAINED: Final = 1.5  # deviations: so much is chance
_LEAST_GAINS: Final = 5
_SMALLEST_ERROR: Final = 1e-6  # nats
_LEAST_STEPS: Final = 48


@dataclass(slots=True)
class LossTrack:
    """The losses so far, in a few numbers. CUSUM: Page 1954, "Continuous inspection schemes", one-sided."""

    steps: int = 0
    mean: float = 0.0
    last: float = 0.0
    deviation: float = 0.0  # mean absolute difference of neighbours, which a falling loss does not blow up
    rise: float = 0.0  # summed up, in deviations
    recent: tuple[float, ...] = ()  # of the last two windows

    def add(self, loss: float) -> float:
        """Takes the loss of the next step; returns the rise where it is above the limit, else 0."""
        self.steps += 1
        self.recent = (*self.recent, loss)[-2 * _WINDOW :]
        if self.steps == 1:
            self.mean = loss
            self.last = loss
        scale = max(_OF_DIFFERENCES * self.deviation, _SMALLEST_DEVIATION * abs(self.mean), 1e-6)
        judged = self.steps > _EARLY
        self.rise = max(0.0, self.rise + (loss - self.mean) / scale - _SLACK) if judged else 0.0
        most = 4 * scale if judged else math.inf  # an outlier must not move what it is held against
        self.mean += (1 - _MEMORY) * max(-most, min(most, loss - self.mean))
        self.deviation += (1 - _MEMORY) * (min(most, abs(loss - self.last)) - self.deviation)
        self.last = loss
        if self.rise <= _LIMIT:
            return 0.0
        found, self.rise = self.rise, 0.0
        return found

    def windows(self) -> tuple[float, float] | None:
        """The mean losses of the last window and of the one before it."""
        if self.steps < _LEAST_STEPS:
            return None
        return math.fsum(self.recent[_WINDOW:]) / _WINDOW, math.fsum(self.recent[:_WINDOW]) / _WINDOW

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "steps": self.steps,
            "mean": self.mean,
            "last": self.last,
            "deviation": self.deviation,
            "rise": self.rise,
            "recent": list(self.recent),
        }

    @staticmethod
    def of_state(state: dict[str, Any]) -> "LossTrack":
        """What `state` returned."""
        return LossTrack(**{**state, "recent": tuple(state["recent"])})


def unpredictable(loss: float, entropy: float | None, gains: Sequence[tuple[float, float]]) -> bool:
    """Whether the model learns how often each id comes, and nothing else, or not even that.

    A slow learner stays at the same loss, but what it does know gains a little at every look; together they tell
    (Stouffer's sum of normal deviates, 1949).

    Args:
        loss: of the last steps, in nats.
        entropy: of the targets, one by one, in nats; None where unknown.
        gains: of looks, each with its standard error (activations.gain).

    """
    if entropy is None or loss < entropy - _CLOSE or len(gains) < _LEAST_GAINS:
        return False
    deviates = [gain / max(error, _SMALLEST_ERROR) for gain, error in gains]
    return sum(deviates) / math.sqrt(len(deviates)) < _GAINED


def entropy_of_targets(batches: Sequence[Batch]) -> float | None:
    """Of the ids that are learnt, one by one, in nats; None where there are none."""
    counts = torch.zeros(0, dtype=torch.float64)
    for batch in batches:
        targets = batch.targets.flatten().cpu()
        more = torch.bincount(targets, batch.weights.flatten().cpu().double(), minlength=len(counts))
        more[: len(counts)] += counts
        counts = more
    if not counts.sum() > 0:
        return None
    return float(torch.special.entr(counts / counts.sum()).sum())
