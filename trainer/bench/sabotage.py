"""One small training run of the bench of the diagnostics, broken or sound, and what was said of it."""

import json
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch

from trainer.bench.faults import Fault
from trainer.bench.injections import Injection
from trainer.bench.setups import Setup, run_of
from trainer.data import Batch
from trainer.errors import Diverged
from trainer.evaluate import Score
from trainer.loop import train
from trainer.model import LanguageModel
from trainer.monitor.diagnostics import usual_observers
from trainer.monitor.losses import LossTrack
from trainer.observer import Finding, Observer
from trainer.training import Training

_STEPS: Final = 80  # unless fault or set-up need another number
_AT: Final = 27  # the step that a fault happens at: between two looks
_WORSE: Final = 0.75  # nats above the best smoothed loss: the run diverges
_SMOOTHING: Final = 0.7


@dataclass(frozen=True, slots=True)
class Case:
    """A run of the bench."""

    model: str
    fault: Fault | None
    setup: Setup
    seed: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run showed."""

    model: str
    fault: str  # '' for an unbroken run
    setup: str
    seed: int
    expected: str  # component: kind; '' for an unbroken run
    named: tuple[tuple[int, str], ...]  # step and what was said, in order
    at: int  # the step of the fault; 0 for an unbroken run
    shown: int | None  # the step at which the losses alone show that something is wrong
    diverged: int | None  # the step

    def right(self) -> bool:
        """Whether the first diagnosis from the fault on is the right one."""
        after = [said for step, said in self.named if step >= self.at]
        return bool(after) and self._is_right(after[0])

    def _is_right(self, said: str) -> bool:
        """A branch of the component is as good: what breaks layers.1.blend breaks layers.1.blend.mamba."""
        (component, kind), (wanted, wanted_kind) = said.split(": "), self.expected.split(": ")
        return kind == wanted_kind and (component == wanted or component.startswith(wanted + "."))

    def false_alarms(self) -> int:
        """Diagnoses of what was not broken yet."""
        return sum(1 for step, _ in self.named if not self.fault or step < self.at)

    def recognised(self) -> int | None:
        """The step of the right name; None where there was none."""
        return next((step for step, said in self.named if step >= self.at and self._is_right(said)), None)


class Saboteur:
    """An observer that breaks the run it should only watch."""

    name = "saboteur"

    def __init__(self, training: Training, fault: Fault | None, layer: int, seed: int) -> None:
        block = training.model.layers()[layer]
        self._injection = Injection(training, block, torch.Generator().manual_seed(seed))
        self._fault = fault
        self.losses: list[float] = []
        take = training.rows.take

        def changed(lanes: range) -> Batch:
            batch = take(lanes)
            for change in self._injection.batches:
                batch = change(batch)
            return batch

        training.rows.take = changed  # type: ignore[method-assign]  # the data is what some faults break

    def before_step(self, step: int, model: LanguageModel) -> None:  # noqa: ARG002  # see Observer
        """Breaks it, when it is time."""
        fault = self._fault
        if fault is not None and (step == _when(fault) or (fault.every_step and step > _when(fault))):
            fault.inject(self._injection)

    def after_backward(self, step: int, model: LanguageModel) -> Sequence[Finding]:  # noqa: ARG002  # see Observer
        """Nothing."""
        return ()

    def after_step(self, step: int, model: LanguageModel, loss: float, norm: float, rate: float) -> Sequence[Finding]:  # noqa: ARG002  # see Observer
        """Keeps the loss."""
        self.losses.append(loss)
        return ()

    def after_evaluation(self, step: int, score: Score) -> Sequence[Finding]:  # noqa: ARG002  # see Observer
        """Nothing."""
        return ()

    def summary(self) -> Sequence[str]:
        """Nothing."""
        return ()

    def state(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def restore(self, state: Any) -> None:
        """Nothing."""


def outcome(case: Case, corpora: Path) -> Outcome:
    """Trains it; `corpora` is what setups.corpora has written."""
    model, fault, setup, seed = case.model, case.fault, case.setup, case.seed
    saboteurs: list[Saboteur] = []
    wanted: list[str] = []

    def watchers(training: Training) -> list[Observer]:
        mixers = training.model.shape.mixers
        fitting = [layer for layer, mixer in enumerate(mixers) if fault is None or mixer in (fault.mixers or mixers)]
        layer = random.Random(f"{seed} {model} {fault and fault.name}").choice(fitting)  # noqa: S311  # no secret
        saboteurs.append(Saboteur(training, fault, layer, seed))
        if fault is not None:
            wanted.append(f"{_component(fault, layer, mixers[layer])}: {fault.kind}")
        return [saboteurs[0], *usual_observers(training)]

    length = fault.steps if fault and fault.steps else _STEPS
    with tempfile.TemporaryDirectory() as folder:
        run = replace(run_of(model, setup, corpora, length), out=f"{folder}/out", seed=seed)
        broken_down = None
        try:
            train(run, _silent, watchers=watchers)
        except Diverged:
            broken_down = len(saboteurs[0].losses) + 1
        lines = (Path(run.out) / "diagnostics.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    named = tuple(
        (each["step"], f"{each['component']}: {each['kind']}") for each in records if each["event"] == "diagnosis"
    )
    at = _when(fault) if fault else 0
    diverged = _divergence(saboteurs[0].losses, at) or broken_down
    signs = [step for step in (_alarm(saboteurs[0].losses, at), diverged) if step is not None]
    shown = min(signs) if signs else None
    return Outcome(model, fault.name if fault else "", setup.name, seed, "".join(wanted), named, at, shown, diverged)


def _when(fault: Fault) -> int:
    """The step that the fault happens at."""
    return 1 if fault.from_the_start else _AT


def _component(fault: Fault, layer: int, mixer: str) -> str:
    """The name that the diagnosis must use."""
    names = {"mixer": f"layers.{layer}.{mixer}", "mlp": f"layers.{layer}.mlp"}
    names["recurrence"] = names["mixer"] + (".mamba" if mixer == "blend" else "")
    return names.get(fault.component, fault.component)


def _divergence(losses: Sequence[float], at: int) -> int | None:
    """The first step from `at` on whose smoothed loss is far above the best one before."""
    smooth = best = float("inf")
    for step, loss in enumerate(losses, start=1):
        smooth = loss if step == 1 else _SMOOTHING * smooth + (1 - _SMOOTHING) * loss
        best = min(best, smooth)
        if step >= at and smooth > best + _WORSE:
            return step
    return None


def _alarm(losses: Sequence[float], at: int) -> int | None:
    """The first step from `at` on at which who sees the losses alone is alarmed (CUSUM, monitor/losses.py)."""
    track = LossTrack()
    rises = [track.add(loss) for loss in losses]
    return next((step for step, rise in enumerate(rises, start=1) if step >= at and rise), None)


def _silent(_line: str) -> None:
    pass
