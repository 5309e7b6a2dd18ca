"""The folders of the students: one for each run, locked while it is worked on; it runs nothing.

```
students/exams/<hash>/     the frozen exam
students/000007/           plan.json run.json dataset/ checkpoints/ metrics.jsonl trainer.log card.json README.md
```
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ghostd.core.training import Bench, Pace, TimedStep, TrainingPlan, pace
from ghostd.errors import AlreadyRunning, TrainingFailed

DATASET = "dataset"
LOG = "trainer.log"
EVALUATION = "evaluation"  # of the frozen exam
_LOOKS = 20  # evaluations of a whole run
_SAVES = 40  # checkpoints of a whole run


@dataclass(frozen=True, slots=True)
class Workshop:
    """Knows the folders by the numbers of their runs."""

    home: Path  # data_dir/students

    def folder(self, run_id: int) -> Path:
        """Of one run, whether it is there or not."""
        return self.home / f"{run_id:06d}"

    @property
    def exams(self) -> Path:
        """Where the frozen exam is."""
        return self.home / "exams"

    @contextmanager
    def bench(self, run_id: int) -> Iterator[Bench]:
        """The run's folder, made if need be. Raises AlreadyRunning while another process works on the run."""
        folder = self.folder(run_id)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise TrainingFailed(f"{folder} cannot be written ({error.strerror}); check the data directory.") from error
        try:
            _take(lock, run_id)
            yield Bench(run_id, folder, lock)
        finally:
            os.close(lock)

    def prune(self, keep: set[int]) -> list[str]:
        """Remove the folders of all other runs; the paths of the datasets that went with them."""
        dropped = []
        for folder in sorted(self.home.glob("[0-9]*")):
            if folder.name.isdigit() and int(folder.name) not in keep:
                dropped.append(str(folder / DATASET))
                shutil.rmtree(folder, ignore_errors=True)
        return dropped


def _take(lock: int, run_id: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # shared with the trainer, unlike the locks of fcntl(2)
    except BlockingIOError as error:
        raise AlreadyRunning(f"Another process trains run {run_id}; `ghostd status` shows how far it is.") from error


def keep_plan(folder: Path, wanted: TrainingPlan) -> TrainingPlan:
    """The plan that the run began with; else it begins with the wanted one, and so does the trainer's run.json."""
    if (folder / "plan.json").exists():
        return read_plan(folder)
    _replace(folder / "run.json", run_document(wanted))
    _replace(folder / "plan.json", asdict(wanted))
    return wanted


def read_plan(folder: Path) -> TrainingPlan:
    """Raises TrainingFailed when there is none that can be read."""
    try:
        return TrainingPlan(**json.loads((folder / "plan.json").read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise TrainingFailed(f"{folder}/plan.json cannot be read ({error}); train anew with `ghostd train`.") from error


def run_document(plan: TrainingPlan) -> dict[str, Any]:
    """What the trainer reads (trainer/config.py), meant from the run's folder on."""
    held_out = {} if plan.validates else {"validation_fraction": 0.0}
    dimensions = {"width": plan.width, "layers": plan.layers}
    return {
        "out": ".",
        "data": {"path": DATASET, "context": plan.context, "batch": plan.batch, **held_out},
        "model": {
            "recipe": plan.recipe,
            "size": plan.size,
            **{name: value for name, value in dimensions.items() if value is not None},
        },
        "training": {
            "steps": plan.steps,
            "evaluate_every": max(1, plan.steps // _LOOKS),
            "checkpoint_every": max(1, plan.steps // _SAVES),
        },
        "seed": plan.seed,
    }


def pace_of(folder: Path, plan: TrainingPlan) -> Pace:
    """How far the run in the folder is, by the trainer's own clock."""
    return pace([TimedStep(one["step"], one["seconds"]) for one in journal(folder, "timing")], plan)


def bits_per_byte_of(folder: Path) -> float | None:
    """What the rows that the run holds back cost it when it looked at them last; None before."""
    looks = [one["bits_per_byte"] for one in journal(folder, "metrics") if "bits_per_byte" in one]
    return looks[-1] if looks else None


def answers_given(folder: Path) -> int | None:
    """How many questions of its exam the student in the folder has answered so far; None before the exam began."""
    if not (folder / EVALUATION).is_dir():
        return None
    return max(0, len(journal(folder / EVALUATION, "answers-0")) - 1)  # the first line says who answers


def journal(folder: Path, name: str) -> list[dict[str, Any]]:
    """The records of one of the trainer's journals; a line that is being written is left out."""
    try:
        lines = (folder / f"{name}.jsonl").read_bytes().splitlines(keepends=True)
    except OSError:
        return []
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


def _replace(path: Path, document: dict[str, Any]) -> None:
    aside = path.with_suffix(".new")
    aside.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    aside.replace(path)
