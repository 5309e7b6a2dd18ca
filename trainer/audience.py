"""The observers of a run together: calls them, says and records what they find, and does as they ask."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from trainer.evaluate import Score
from trainer.metrics import Journals
from trainer.observer import Finding, Observer
from trainer.training import Training

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Audience:
    """What the loop tells of, in place of every observer one by one."""

    training: Training
    journals: Journals
    say: Say

    def before_step(self, step: int) -> None:
        """See Observer."""
        for observer in self.training.observers:
            observer.before_step(step, self.training.model)

    def after_backward(self, step: int) -> list[str]:
        """See Observer; returns the lines that were said."""
        model = self.training.model
        return [
            line
            for observer in self.training.observers
            for line in self._heed(observer, step, observer.after_backward(step, model))
        ]

    def after_step(self, step: int, loss: float, norm: float, rate: float) -> None:
        """See Observer."""
        for observer in self.training.observers:
            self._heed(observer, step, observer.after_step(step, self.training.model, loss, norm, rate))

    def after_evaluation(self, step: int, score: Score) -> None:
        """See Observer."""
        for observer in self.training.observers:
            self._heed(observer, step, observer.after_evaluation(step, score))

    def leave(self) -> None:
        """Says the summaries."""
        for observer in self.training.observers:
            for line in observer.summary():
                self.say(line)

    def _heed(self, observer: Observer, step: int, found: Sequence[Finding]) -> list[str]:
        lines = []
        for finding in self.training.processes.told(list(found)):
            if finding.line:
                self.say(finding.line)
                lines.append(finding.line)
            if finding.record is not None:
                self.journals.write("diagnostics", step, observer=observer.name, **finding.record)
            before = self.training.progress
            stopped = before.stopped or finding.stop
            self.training.progress = replace(before, rate=before.rate * finding.rate, stopped=stopped)
        return lines
