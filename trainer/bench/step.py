"""Times the training step of every recipe side by side: data, forward, backward, clipping, optimizer, nothing left out.

Each precision has a row of its own, for `auto` measures which of them a run takes. Beside the clock stands the
processor time of all threads, which a busy machine spoils less. The gate: the first steps of two runs from one seed
have the same losses bit by bit, every loss and gradient norm is finite, and the loss falls. The models take turns, so
that a busy moment meets all of them; the figure is the least of the turns. Prints a table and one line of JSON; a model
that fails the gate is not timed.
"""

import itertools
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch

from trainer import recipes
from trainer.audience import Audience
from trainer.config import DataConfig, ModelConfig, Precision, RunConfig, Size, TrainingConfig
from trainer.metrics import MutedJournals
from trainer.ops import loader
from trainer.processes import Processes
from trainer.processor import prepare_processor
from trainer.step import Update, take_step
from trainer.training import Training, prepare

SIZES: Final = ((12, 64), (32, 256))  # rows, ids of a row
_GATE_STEPS: Final = 4
_MODULES: Final = 60  # of the standard library: some 1.5 MB to learn from


@dataclass(slots=True)
class Subject:
    """A model that passed the gate, and its times."""

    recipe: str
    precision: Precision
    training: Training
    parameters: int
    least: float = math.inf  # seconds of a step
    processor: float = math.inf  # seconds of processor time of a step
    optimizer: float = math.inf  # seconds of processor time of it that are the optimizer's

    def turn(self, steps: int) -> None:
        """Takes some steps and keeps the best time of one."""
        audience = Audience(self.training, MutedJournals(), print)
        for _ in range(steps):
            began, before = time.perf_counter(), time.process_time()
            take_step(self.training, audience)
            self.least = min(self.least, time.perf_counter() - began)
            self.processor = min(self.processor, time.process_time() - before)
        for weight in self.training.model.parameters():
            weight.grad = torch.full_like(weight, 1e-9)
        before = time.process_time()
        self.training.optimizer.step(1e-9)
        self.optimizer = min(self.optimizer, time.process_time() - before)


def corpus(folder: Path) -> Path:
    """Real text: the largest modules of the standard library."""
    modules = sorted(Path(os.__file__).parent.glob("*.py"), key=lambda path: -path.stat().st_size)
    folder.mkdir(parents=True)
    for module in modules[:_MODULES]:
        shutil.copy(module, folder)
    return folder


def run_of(recipe: str, size: Size, rows: int, context: int, folder: Path) -> RunConfig:
    """A run of enough steps that none of those taken is the last."""
    data = DataConfig(path=str(folder), form="text", context=context, batch=rows, validation_rows=1)
    training = TrainingConfig(steps=1000, device="cpu", precision="float32")
    return RunConfig(str(folder / "out"), data, ModelConfig(recipe=recipe, size=size), training=training)


def first_steps(run: RunConfig) -> tuple[Training, list[Update]]:
    """The run after its first steps, and what these did."""
    training = prepare(run, Processes())
    training.progress = replace(training.progress, precision=run.training.precision)
    audience = Audience(training, MutedJournals(), print)
    return training, [take_step(training, audience) for _ in range(_GATE_STEPS)]


def failure(updates: Sequence[Update], again: Sequence[Update]) -> str:
    """Why the gate stays shut, or ''."""
    if not all(math.isfinite(each) for update in updates for each in (update.loss, update.norm)):
        return "a loss or a gradient is no number"
    if list(updates) != list(again):
        return "two runs from one seed differ"
    if not updates[-1].loss < updates[0].loss:
        return "the loss does not fall"
    return ""


def denormals(recipe: str, size: Size) -> dict[str, float]:
    """The time of a pass with denormal gradients over that of a usual one, each in a process: flushed, and not."""
    found = {}
    for name, value in (("flushed", "1"), ("unflushed", "0")):
        command = [sys.executable, "-m", "trainer.bench.denormals", recipe, size]
        environment = {**os.environ, loader.DENORMALS_VARIABLE: value}
        said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        found[name] = round(float(said), 3)
    return found


def main(
    chosen: Sequence[str],
    *,
    size: Size,
    turns: int,
    steps: int,
    provoked: Sequence[str],
    precisions: Sequence[Precision] = ("float32",),
) -> int:
    """Prints the table; returns 1 where a model fails the gate."""
    prepare_processor()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = corpus(Path(temporary) / "corpus")
        for batch, context in SIZES:
            subjects = []
            for recipe, precision in itertools.product(chosen or recipes.names(), precisions):
                run = run_of(recipe, size, batch, context, folder)
                run = replace(run, training=replace(run.training, precision=precision))
                training, updates = first_steps(run)
                why = failure(updates, first_steps(run)[1])
                parameters = sum(weight.numel() for weight in training.model.parameters())
                subjects.append(Subject(recipe, precision, training, parameters))
                if why:
                    shape = {"rows": batch, "context": context}
                    rows.append({"model": recipe, "precision": precision, **shape, "failure": why})
                    subjects.pop()
            for _ in range(turns):
                for subject in subjects:
                    subject.turn(steps)
            rows += [_row(subject, batch, context, _reference(subjects, subject.precision)) for subject in subjects]
    for row in rows:
        sys.stdout.write(_line(row) + "\n")
    for recipe in provoked:
        times = denormals(recipe, size)
        said = ", ".join(f"{name} {factor:.3f}" for name, factor in times.items())
        sys.stdout.write(f"{recipe:<14} denormals provoked, times the usual pass: {said}\n")
        rows.append({"model": recipe, "denormals": times})
    sys.stdout.write(json.dumps({"threads": torch.get_num_threads(), "size": size, "rows": rows}) + "\n")
    return int(any("failure" in row for row in rows))


def _reference(subjects: Sequence[Subject], precision: Precision) -> float:
    """Seconds of the transformer's step in the same precision; NaN where it was not asked for."""
    found = (each.least for each in subjects if (each.recipe, each.precision) == ("transformer", precision))
    return next(found, math.nan)


def _row(subject: Subject, batch: int, context: int, reference: float) -> dict[str, Any]:
    return {
        "model": subject.recipe,
        "precision": subject.precision,
        "parameters": subject.parameters,
        "rows": batch,
        "context": context,
        "milliseconds": round(1e3 * subject.least, 1),
        "processor": round(1e3 * subject.processor, 1),
        "optimizer": round(1e3 * subject.optimizer, 1),
        "bytes_per_second": round(batch * context / subject.least),
        "of_the_transformer": round(reference / subject.least, 2),
    }


def _line(row: dict[str, Any]) -> str:
    size = f"{row['model']:<14} {row['precision']:<9} B{row['rows']} T{row['context']:<4}"
    if "failure" in row:
        return f"{size} failed the gate: {row['failure']}"
    times = f"{row['milliseconds']:>8.1f} ms ({row['processor']:.1f} CPU), optimizer {row['optimizer']:>5.1f} CPU"
    speed = f"{row['bytes_per_second']:>8,} bytes/s, {row['of_the_transformer']:.2f} of the transformer"
    return f"{size} {row['parameters']:>10,} parameters {times} {speed}"
