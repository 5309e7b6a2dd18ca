"""The observer that is on by default: looks every few steps and names what is wrong; it changes nothing.

`training.diagnose_every` spreads the cost of a look over steps (measured in LOG.md). An alarm of the losses makes the
next step a look out of turn, and a gradient that is no number is looked into at once.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from trainer.evaluate import Score
from trainer.model import LanguageModel
from trainer.monitor.components import components
from trainer.monitor.gradients import Footprint, gradient_norms
from trainer.monitor.looks import Diagnosis, Kind, Look
from trainer.monitor.losses import LossTrack, entropy_of_targets, unpredictable
from trainer.monitor.merging import merged
from trainer.monitor.plateau import Advice, Point, judge
from trainer.monitor.probe import Probe
from trainer.monitor.rules import first_diagnosis
from trainer.monitor.watch import Measures
from trainer.observer import Finding, Observer
from trainer.schedule import factor
from trainer.spread import whole
from trainer.training import Training

_REMEMBERED: Final = 12  # looks
_WRITTEN: Final = 4  # one look of so many goes to the journal, and every one that finds something
_FORGOTTEN: Final = 64  # steps without it, and a diagnosis is news again


class Diagnostics:
    """Hangs on one run."""

    name = "diagnostics"

    def __init__(self, training: Training) -> None:
        self._every = training.run.training.diagnose_every
        self._steps, self._optimizer = training.progress.steps, training.run.optimizer
        self._processes = training.processes
        self._parts = components(training.model)
        self._probe = Probe(training.forward, self._parts)
        self._entropy = entropy_of_targets(training.held_out)
        self._measured: dict[str, Measures] | None = None  # of this step, where it is a look
        self._footprint: Footprint | None = None
        self._past: list[Look] = []
        self._track = LossTrack()
        self._curve: list[Point] = []
        self._said: dict[str, int] = {}  # the step at which each diagnosis was true last
        self._count: dict[str, int] = {}  # how often each was said
        self._looks = 0
        self._alarm = ""  # of the losses; it asks for a look at the next step
        self._advice = Advice.CONTINUE

    def before_step(self, step: int, model: LanguageModel) -> None:
        """See Observer."""

    def after_backward(self, step: int, model: LanguageModel) -> Sequence[Finding]:
        """See Observer."""
        self._measured = None
        gradient = model.head.weight.grad
        broken = gradient is not None and not math.isfinite(float(whole(gradient.sum())))
        due = step in {1, self._steps} or step % self._every == 0 or bool(self._alarm)
        if not due and not broken:
            return ()
        gradients = gradient_norms(self._parts)
        measured = merged(self._processes.gathered(self._probe.read(whole=broken)))
        for name, norm in gradients.items():
            measured.setdefault(name, {})["gradient"] = norm
        if broken or not all(math.isfinite(norm) for norm in gradients.values()):
            return self._news(step, first_diagnosis(Look(step, math.nan, math.nan, 1.0, measured), self._past))
        self._measured, self._footprint = measured, Footprint(self._parts)
        return ()

    def after_step(self, step: int, model: LanguageModel, loss: float, norm: float, rate: float) -> Sequence[Finding]:  # noqa: ARG002  # see Observer
        """See Observer."""
        rise, before = self._track.add(loss), self._alarm
        self._alarm = ""
        if rise:
            self._alarm = f"the loss rose to {loss:.3f} nats, {rise:.0f} deviations above its course, at step {step}"
        found: list[Finding] = []
        diagnosis = None
        if self._measured is not None and self._footprint is not None:
            for name, (size, update) in self._footprint.measures(self._processes).items():
                self._measured.setdefault(name, {}).update(weight=size, update=update)
            schedule = factor(step - 1, self._steps, self._optimizer)
            record = Look(step, loss, norm, schedule, self._measured).record()
            look = Look.of_record(record)  # as a resumed run will remember it
            diagnosis = first_diagnosis(look, self._past) or self._of_losses(look)
            if diagnosis is None and before and not self._lately(step):
                remedy = "no component stands out: look at the data of that step, or clip more"
                diagnosis = Diagnosis("loss", Kind.LOSS_SPIKE, before, remedy)
            self._looks += 1
            last = step == self._steps
            if last or self._looks % _WRITTEN == 1 or (diagnosis is not None and not self._known(step, diagnosis)):
                found.append(Finding(record={"event": "look", **{k: v for k, v in record.items() if k != "step"}}))
            self._past = [*self._past, look][-_REMEMBERED:]
            self._measured, self._footprint = None, None
        return [*found, *self._news(step, diagnosis)]

    def _of_losses(self, look: Look) -> Diagnosis | None:
        windows = self._track.windows()
        gains = [
            (gain, error)
            for each in (*self._past, look)
            if each.step > 1
            and (gain := each.value("head", "gain")) is not None
            and (error := each.value("head", "gain_error")) is not None
        ]
        if windows is None or not unpredictable(windows[0], self._entropy, gains):
            return None
        course = f"{self._entropy:.3f} nats are had by knowing how often each id comes"
        why = f"the loss is at {windows[0]:.3f} and nothing is gained by the ids before; {course}"
        remedy = "check that each target is the id after its input; if it is, raise the learning rates"
        return Diagnosis("data", Kind.TARGETS_UNPREDICTABLE, why, remedy)

    def after_evaluation(self, step: int, score: Score) -> Sequence[Finding]:
        """See Observer."""
        windows = self._track.windows()
        training = windows[0] if windows else self._track.mean
        schedule = factor(step - 1, self._steps, self._optimizer)
        self._curve.append(Point(step, score.loss, training, schedule))
        verdict = judge(self._curve)
        record = {
            "event": "verdict",
            "verdict": str(verdict.advice),
            "reason": verdict.reason,
            "validation": score.loss,
            "best": verdict.best,
            "high": verdict.high,
            "noise": verdict.noise,
        }
        new = verdict.advice is not self._advice and verdict.advice is not Advice.CONTINUE
        self._advice = verdict.advice
        found = [Finding(line=f"step {step}: {verdict.advice}: {verdict.reason}" if new else "", record=record)]
        if verdict.advice is Advice.OVERFIT:
            remedy = "take the best checkpoint; more data, fewer epochs or a smaller model help"
            found += self._news(step, Diagnosis("data", Kind.OVERFIT, verdict.reason.split(":")[0], remedy), quiet=True)
        return found

    def summary(self) -> Sequence[str]:
        """See Observer."""
        if not self._count:
            return [f"diagnostics: nothing wrong; the last verdict is {self._advice}"]
        counted = ", ".join(f"{name} ({times})" for name, times in sorted(self._count.items()))
        return [f"diagnostics: {counted}; the last verdict is {self._advice}"]

    def state(self) -> dict[str, Any]:
        """See Observer."""
        return {
            "past": [look.record() for look in self._past],
            "track": self._track.state(),
            "curve": [[point.step, point.validation, point.training, point.schedule] for point in self._curve],
            "said": self._said,
            "count": self._count,
            "looks": self._looks,
            "alarm": self._alarm,
            "advice": str(self._advice),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """See Observer."""
        self._past = [Look.of_record(record) for record in state["past"]]
        self._track = LossTrack.of_state(state["track"])
        self._curve = [Point(*point) for point in state["curve"]]
        self._said, self._count = dict(state["said"]), dict(state["count"])
        self._looks, self._alarm, self._advice = state["looks"], state["alarm"], Advice(state["advice"])

    def _known(self, step: int, diagnosis: Diagnosis) -> bool:
        return step - self._said.get(_key(diagnosis), -_FORGOTTEN) < _FORGOTTEN

    def _lately(self, step: int) -> bool:
        """Whether anything was wrong a short while ago: a spike after it is a consequence."""
        return any(step - last < _FORGOTTEN for last in self._said.values())

    def _news(self, step: int, diagnosis: Diagnosis | None, *, quiet: bool = False) -> list[Finding]:
        """What is said of a diagnosis: nothing while it was true a short while ago."""
        if diagnosis is None:
            return []
        key, known = _key(diagnosis), self._known(step, diagnosis)
        self._said[key] = step
        if known:
            return []
        self._count[key] = self._count.get(key, 0) + 1
        return [Finding(line="" if quiet else diagnosis.line(step), record=diagnosis.record())]


def usual_observers(training: Training) -> list[Observer]:
    """What watches every run, unless its configuration says otherwise."""
    return [Diagnostics(training)] if training.run.training.diagnose_every else []


def _key(diagnosis: Diagnosis) -> str:
    return f"{diagnosis.component}: {diagnosis.kind}"
