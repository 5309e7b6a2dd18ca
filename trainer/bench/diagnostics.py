"""Breaks small training runs on purpose and counts how often the diagnostics name the right component and fault.

Real runs of the real loop over the standard library's sources. A fault is named right when the first diagnosis after it
has its component and its kind; any diagnosis of an unbroken run, or before the fault, is a false alarm. Outcomes are
appended to a file, so that an interrupted bench goes on.
"""

import dataclasses
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import torch

from trainer.bench.faults import FAULTS, Fault, Injection
from trainer.config import DataConfig, ModelConfig, OptimizerConfig, RunConfig, TrainingConfig
from trainer.data import Batch
from trainer.errors import Diverged
from trainer.evaluate import Score
from trainer.loop import train
from trainer.model import LanguageModel
from trainer.monitor.diagnostics import usual_observers
from trainer.observer import Finding, Observer
from trainer.training import Training

STEPS: Final = 80
AT: Final = 27  # the step that a fault happens at: between two looks
_WORSE: Final = 0.75  # nats above the best smoothed loss: the run diverges
_SMOOTHING: Final = 0.7
_NAMED: Final = 0.9  # of the faults, by component and kind
_FALSE: Final = 0.05  # of the unbroken runs
_MODULES: Final = (
    "argparse ast bisect calendar cmd codecs colorsys configparser contextlib copy csv datetime difflib dis enum "
    "filecmp fnmatch fractions functools getopt gettext glob gzip heapq hmac inspect keyword linecache locale lzma "
    "numbers opcode operator optparse os pathlib pickle platform pprint profile pstats queue random reprlib sched "
    "selectors shelve shlex shutil site socket stat statistics string struct subprocess tempfile textwrap threading"
)
_SMALL: Final[dict[str, Any]] = {"width": 32, "layers": 2, "head_width": 16, "states": 4}
MODELS: Final[dict[str, dict[str, Any]]] = {
    "transformer": {**_SMALL, "recipe": "transformer"},
    "mamba": {**_SMALL, "recipe": "mamba"},
    "hybrid": {**_SMALL, "mixers": ("mamba", "attention")},
    "llama": {**_SMALL, "recipe": "llama"},
    "mamba2": {**_SMALL, "recipe": "mamba2"},
    "rwkv6": {**_SMALL, "recipe": "rwkv6"},
    "rwkv7": {**_SMALL, "recipe": "rwkv7"},
    "groundthink": {**_SMALL, "recipe": "groundthink"},
    "ghost": {**_SMALL, "recipe": "ghost"},
    "ghost_memory": {**_SMALL, "recipe": "ghost_memory"},
}
CLEAN_RATES: Final = (0.3, 1.0, 2.0)  # times the default learning rates, in turn over the seeds


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run showed."""

    model: str
    fault: str  # '' for an unbroken run
    seed: int
    expected: str  # component: kind; '' for an unbroken run
    named: tuple[tuple[int, str], ...]  # step and what was said, in order
    at: int
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

    def steps_ahead(self) -> int | None:
        """From the right name to the divergence; None where there was no such thing."""
        first = next((step for step, said in self.named if step >= self.at and self._is_right(said)), None)
        return None if first is None or self.diverged is None else self.diverged - first


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
        if fault is not None and (step == when(fault) or (fault.every_step and step > when(fault))):
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


def when(fault: Fault) -> int:
    """The step that the fault happens at."""
    return 1 if fault.from_the_start else AT


def corpus(folder: Path) -> Path:
    """Copies of the standard library's modules."""
    folder.mkdir(parents=True)
    for module in _MODULES.split():
        shutil.copy(Path(os.__file__).parent / f"{module}.py", folder)
    return folder


def outcome(model: str, fault: Fault | None, seed: int, texts: Path) -> Outcome:
    """One run, broken or not."""
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

    times = 1.0 if fault else CLEAN_RATES[seed % len(CLEAN_RATES)]
    with tempfile.TemporaryDirectory() as folder:
        run = RunConfig(
            f"{folder}/out",
            DataConfig(str(texts), form="text", context=32, batch=16, validation_rows=8),
            ModelConfig(**MODELS[model]),
            OptimizerConfig(learning_rate=0.01 * times, muon_learning_rate=0.02 * times),
            TrainingConfig(
                STEPS, evaluate_every=10, checkpoint_every=1000, patience=0, precision="float32", device="cpu"
            ),
            seed,
        )
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
    at = when(fault) if fault else 0
    diverged = broken_down or _divergence(saboteurs[0].losses, at)
    return Outcome(model, fault.name if fault else "", seed, "".join(wanted), named, at, diverged)


def _component(fault: Fault, layer: int, mixer: str) -> str:
    """The name that the diagnosis must use."""
    return {"mixer": f"layers.{layer}.{mixer}", "mlp": f"layers.{layer}.mlp"}.get(fault.component, fault.component)


def _divergence(losses: Sequence[float], at: int) -> int | None:
    smooth = best = float("inf")
    for step, loss in enumerate(losses, start=1):
        smooth = loss if step == 1 else _SMOOTHING * smooth + (1 - _SMOOTHING) * loss
        best = min(best, smooth)
        if step >= at and smooth > best + _WORSE:
            return step
    return None


def _silent(_line: str) -> None:
    pass


def fits(fault: Fault, model: str) -> bool:
    """Whether the model has what the fault breaks."""
    if fault.mixers and not set(fault.mixers) & set(MODELS[model].get("mixers", (model,))):
        return False
    return model not in fault.without and (not fault.models or model in fault.models)


def cases(models: Sequence[str], seeds: Sequence[int]) -> list[tuple[str, Fault | None, int]]:
    """Every model with every fault that fits it, and an unbroken run at each learning rate.

    They come in a shuffled order, so that an interrupted bench has a fair sample.
    """
    found: list[tuple[str, Fault | None, int]] = []
    for seed in seeds:
        for model in models:
            found += [(model, None, seed * len(CLEAN_RATES) + number) for number in range(len(CLEAN_RATES))]
            found += [(model, fault, seed) for fault in FAULTS if fits(fault, model)]
    random.Random(0).shuffle(found)  # noqa: S311  # no secret
    return found


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """The counts, fault by fault, and what was named wrongly."""
    lines = [f"{'fault':<40}{'right':>8}{'runs':>6}{'steps late':>12}{'steps ahead of divergence':>28}"]
    broken = [each for each in outcomes if each.fault]
    for fault in FAULTS:
        runs = [each for each in broken if each.fault == fault.name]
        if runs:
            late = [step - each.at for each in runs for step, _ in each.named[:1] if each.right()]
            ahead = [steps for each in runs if (steps := each.steps_ahead()) is not None]
            shown = f"{median(ahead):.0f} ({min(ahead)} to {max(ahead)}, {len(ahead)} runs)" if ahead else "-"
            delay = f"{median(late):.0f}" if late else "-"
            lines.append(f"{fault.name:<40}{sum(map(Outcome.right, runs)):>8}{len(runs):>6}{delay:>12}{shown:>28}")
    clean = [each for each in outcomes if not each.fault]
    alarmed = [each for each in clean if each.false_alarms()]
    early = [each for each in broken if each.false_alarms()]
    right, false = sum(map(Outcome.right, broken)), len(alarmed)
    lines += [
        f"named right: {right} of {len(broken)} ({right / max(1, len(broken)):.1%}); goal 90 %",
        f"false alarms: {false} of {len(clean)} unbroken runs ({false / max(1, len(clean)):.1%}); goal 5 %",
        f"diagnoses before the fault: in {len(early)} of {len(broken)} broken runs",
    ]
    for each in outcomes:
        if (each.fault and not each.right()) or each.false_alarms():
            said = ", ".join(f"{step} {what}" for step, what in each.named[:3]) or "nothing"
            what = f"{each.model}, seed {each.seed}, {each.fault or 'unbroken'}"
            lines.append(f"  {what}: {each.expected} | {said}")
    return lines


def _read(results: Path | None) -> dict[tuple[str, str, int], Outcome | None]:
    """What earlier benches left, by model, fault and seed."""
    if results is None or not results.exists():
        return {}
    found = []
    for line in results.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        found.append(Outcome(**{**record, "named": tuple(tuple(pair) for pair in record["named"])}))
    return {(each.model, each.fault, each.seed): each for each in found}


def _append(results: Path | None, outcome: Outcome) -> None:
    if results is not None:
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dataclasses.asdict(outcome)) + "\n")


def main(models: Sequence[str], seeds: Sequence[int], results: Path | None, seconds: float) -> int:
    """Runs what `results` does not hold yet, for at most so many seconds; prints the table of all; 1 below a goal."""
    known = _read(results)
    found, left, end = [], 0, time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        texts = corpus(Path(folder) / "corpus")
        for model, fault, seed in cases(models, seeds):
            each = known.get((model, fault.name if fault else "", seed))
            if each is None and time.monotonic() > end:
                left += 1
                continue
            if each is None:
                each = outcome(model, fault, seed, texts)
                _append(results, each)
            found.append(each)
    lines = table(found)
    if left:
        lines.append(f"{left} runs are left; the same command goes on")
    sys.stdout.write("\n".join(lines) + "\n")
    broken, clean = [each for each in found if each.fault], [each for each in found if not each.fault]
    enough = sum(map(Outcome.right, broken)) >= _NAMED * len(broken)
    return int(not enough or sum(1 for each in clean if each.false_alarms()) > _FALSE * len(clean))
