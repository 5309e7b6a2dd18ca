"""A training of the student: what was asked for, and how far it has come by its own journal; it starts nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

_WINDOW = 50  # the newest records, which the pace is taken from


class RunStatus(StrEnum):
    """Where a training run stands."""

    WAITING = "waiting"  # asked for, not begun
    RUNNING = "running"  # or left so by a process that was killed
    INTERRUPTED = "interrupted"  # saved, and resumed at the next occasion
    OK = "ok"
    FAILED = "failed"

    @property
    def finished(self) -> bool:
        """Whether nothing more will come of it."""
        return self in {RunStatus.OK, RunStatus.FAILED}


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What to train, and for how long."""

    recipe: str = "transformer"  # named model of the trainer
    size: str = "1M"
    steps: int = 2000
    seconds: float = 3600.0  # of training, over all restarts; then the best checkpoint so far counts
    context: int = 256  # bytes of one row
    batch: int = 32  # rows of one step
    seed: int = 0
    width: int | None = None  # None: as the size says
    layers: int | None = None
    validates: bool = True  # hold rows back, and stop when they are predicted no better


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One student, as recorded. Times are seconds since the epoch."""

    id: int
    recipe: str
    status: RunStatus
    dataset_id: int | None  # None until its dataset is written
    folder: str  # of its configuration, dataset, checkpoints and card; '' until it begins
    metrics: dict[str, Any] = field(default_factory=dict)  # plan, exam, score, verdict ...
    promoted: bool = False
    started_at: float = 0.0
    finished_at: float | None = None
    root: str = ""  # Merkle root of its dataset, hex
    crystals: int = 0  # in its dataset
    revoked: int = 0  # of them, known by now


@dataclass(frozen=True, slots=True)
class Bench:
    """The folder of a run, while one process has it to itself."""

    run_id: int
    folder: Path
    lock: int  # descriptor of the lock; the trainer inherits it, and so holds it however this process ends

    @property
    def dataset(self) -> Path:
        """Where its dataset is, or is to be written."""
        return self.folder / "dataset"


@dataclass(frozen=True, slots=True)
class FrozenExam:
    """The exam that every student takes."""

    folder: Path
    sha256: str  # over its files
    rows: int  # that are asked
    lineages: frozenset[str]  # none of which is ever trained on


@dataclass(frozen=True, slots=True)
class TimedStep:
    """One record of the trainer's clock."""

    step: int
    seconds: float  # since its process began


@dataclass(frozen=True, slots=True)
class Pace:
    """How far a run is."""

    step: int = 0
    steps: int = 0  # of the whole run
    spent_seconds: float = 0.0  # over all processes that worked on it
    left_seconds: float | None = None  # None while nothing can be said


def pace(records: Sequence[TimedStep], plan: TrainingPlan) -> Pace:
    """The pace of a run by its records in order. A process's seconds begin anew at every resume."""
    if not records:
        return Pace(steps=plan.steps)
    spent = 0.0
    began = 0  # the first record of the newest process
    for index, (before, after) in enumerate(pairwise(records), start=1):
        if after.seconds < before.seconds:
            spent += before.seconds
            began = index
    spent += records[-1].seconds
    recent = records[began:][-_WINDOW:]
    first, last = recent[0], recent[-1]
    left = None
    if last.step > first.step:
        speed = (last.seconds - first.seconds) / (last.step - first.step)
        left = max(0.0, min(speed * (plan.steps - last.step), plan.seconds - spent))
    return Pace(last.step, plan.steps, spent, left)
