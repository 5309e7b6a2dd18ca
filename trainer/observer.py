"""What may look on while a model trains, and what it may say about it; it observes nothing itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from trainer.evaluate import Score
from trainer.model import LanguageModel


@dataclass(frozen=True, slots=True)
class Finding:
    """What an observer found; every part may be left out."""

    line: str = ""  # said on the terminal
    record: Mapping[str, object] | None = None  # a line of diagnostics.jsonl; no clock in it, so equal runs agree
    rate: float = 1.0  # the learning rates are multiplied by it from the next step on, and stay so
    stop: str = ""  # why the run is over; '' goes on


class Observer(Protocol):
    """Looks at a run; called in this order, on every process of the run; the first process's findings are heeded.

    It changes neither weights nor gradients and draws no random numbers. Steps count from 1.
    """

    name: str  # in the checkpoint and in diagnostics.jsonl

    def before_step(self, step: int, model: LanguageModel) -> None:
        """Nothing of the step was computed yet: the moment to hang hooks on layers."""

    def after_backward(self, step: int, model: LanguageModel) -> Sequence[Finding]:
        """The gradients are those of all passes and processes, not clipped; called even if the loss is no number."""

    def after_step(self, step: int, model: LanguageModel, loss: float, norm: float, rate: float) -> Sequence[Finding]:
        """The weights moved and the gradients are gone.

        Args:
            step: that was taken.
            model: with its new weights.
            loss: mean over the step's ids, in nats.
            norm: of the gradient before it was clipped.
            rate: the fraction of the peak learning rates.

        """

    def after_evaluation(self, step: int, score: Score) -> Sequence[Finding]:
        """The held-out rows were read."""

    def summary(self) -> Sequence[str]:
        """Lines for the terminal when the process ends its work on the run."""

    def state(self) -> dict[str, Any]:
        """What a resumed run must know, in terms of JSON; it travels in the checkpoint."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from what `state` returned."""
