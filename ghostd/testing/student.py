"""The student's side in memory: records of training, a trainer that scores as it was told, and no folders at all."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ghostd.core.promotion import Score
from ghostd.core.training import Bench, FrozenExam, RunStatus, TrainingPlan, TrainingRun
from ghostd.errors import AlreadyRunning, NotFound, TrainingError
from ghostd.testing.scripted import Script


class MemoryStudents:
    """Implements student_ports.Students and TrainingSets; `fresh` crystals are new since the last training."""

    def __init__(self, fresh: int = 0) -> None:
        self.fresh = fresh
        self.runs: dict[int, TrainingRun] = {}
        self.written: list[Path] = []  # training sets
        self.forgotten: list[str] = []

    async def request_training(self, recipe: str) -> TrainingRun:
        """The unfinished run, else a new one that waits."""
        found = await self.unfinished_training()
        if found is None:
            found = TrainingRun(len(self.runs) + 1, recipe, RunStatus.WAITING, None, "")
            self.runs[found.id] = found
            self.fresh = 0
        return found

    async def unfinished_training(self) -> TrainingRun | None:
        """The run that is not over."""
        return next((run for run in self.runs.values() if not run.status.finished), None)

    async def begin_training(self, run_id: int, folder: str, dataset_id: int | None) -> None:
        """Note that the run is being worked on."""
        self._change(run_id, status=RunStatus.RUNNING, folder=folder, dataset_id=dataset_id)

    async def interrupt_training(self, run_id: int) -> None:
        """Note that the run is to be resumed."""
        self._change(run_id, status=RunStatus.INTERRUPTED)

    async def finish_training(
        self, run_id: int, status: RunStatus, metrics: dict[str, Any], *, promoted: bool = False
    ) -> None:
        """Note how it ended."""
        self._change(run_id, status=status, metrics=metrics, promoted=promoted)

    async def reopen_training(self, run_id: int) -> TrainingRun:
        """Make a failed run an interrupted one."""
        run = await self.training_run(run_id)
        if run.status is not RunStatus.FAILED:
            raise TrainingError(f"student {run_id} did not fail")
        if await self.unfinished_training():
            raise AlreadyRunning
        self.runs[run_id] = replace(run, status=RunStatus.INTERRUPTED)
        return self.runs[run_id]

    async def training_run(self, run_id: int) -> TrainingRun:
        """Raises NotFound."""
        if run_id not in self.runs:
            raise NotFound(f"there is no training run {run_id}")
        return self.runs[run_id]

    async def training_runs(self, limit: int = 100) -> list[TrainingRun]:
        """The newest first."""
        return list(self.runs.values())[::-1][:limit]

    async def champion(self) -> TrainingRun | None:
        """The newest student that was promoted."""
        return next((run for run in reversed(self.runs.values()) if run.promoted), None)

    async def crystals_since_training(self) -> int:
        """Crystals that are new."""
        return self.fresh

    async def write_training_set(self, folder: Path) -> int:
        """Note that one was wanted."""
        self.written.append(folder)
        return len(self.written)

    async def forget(self, folders: Sequence[str]) -> None:
        """Note that these are gone."""
        self.forgotten += folders

    def _change(self, run_id: int, **values: Any) -> None:
        if not self.runs[run_id].status.finished:
            self.runs[run_id] = replace(self.runs[run_id], **values)


class ScriptedTrainer:
    """A trainer whose trainings and exams end as they were told to; after `interrupt` nothing ends well."""

    def __init__(
        self,
        *,
        trainings: Iterable[bool | Exception] = (True,),
        scores: Iterable[Score | Exception] = (),
        lacks: str = "",
    ) -> None:
        self._trainings, self._scores = Script(trainings), Script(scores)
        self.lacks = lacks
        self.interrupted = False
        self.trained: list[int] = []  # numbers of runs
        self.examined: list[int] = []

    def missing(self) -> str:
        """What it was told."""
        return self.lacks

    async def train(self, bench: Bench, plan: TrainingPlan) -> bool:  # noqa: ARG002 - the port's signature
        """The next of `trainings`."""
        self.trained.append(bench.run_id)
        return self._trainings.next() and not self.interrupted

    async def evaluate(self, bench: Bench, exam: FrozenExam) -> Score | None:  # noqa: ARG002 - likewise
        """The next of `scores`."""
        self.examined.append(bench.run_id)
        return None if self.interrupted else self._scores.next()

    def interrupt(self) -> None:
        """End everything."""
        self.interrupted = True


class MemoryFolders:
    """Implements student_ports.RunFolders; `home` is only a name."""

    def __init__(self, home: Path, exam: str = "e" * 64) -> None:
        self.home = home
        self._exam = exam
        self.taken: set[int] = set()
        self.lost: set[int] = set()
        self.plans: dict[int, TrainingPlan] = {}
        self.concluded: list[TrainingRun] = []
        self.kept: set[int] = set()

    @contextmanager
    def bench(self, run_id: int) -> Iterator[Bench]:
        """Raises AlreadyRunning while it is in use."""
        if run_id in self.taken:
            raise AlreadyRunning
        self.taken.add(run_id)
        try:
            yield Bench(run_id, self.home / str(run_id), -1)
        finally:
            self.taken.remove(run_id)

    def exists(self, run_id: int) -> bool:
        """Unless a test says that it is lost."""
        return run_id not in self.lost

    def plan(self, bench: Bench, wanted: TrainingPlan) -> TrainingPlan:
        """The first that was wanted."""
        return self.plans.setdefault(bench.run_id, wanted)

    def exam(self, dataset: Path, most_rows: int) -> FrozenExam:  # noqa: ARG002 - the port's signature
        """The one that it was made with."""
        return FrozenExam(self.home / "exam", self._exam, most_rows, frozenset())

    def conclude(self, bench: Bench, run: TrainingRun, plan: TrainingPlan) -> None:  # noqa: ARG002 - likewise
        """Remember whose card was wanted."""
        self.concluded.append(run)

    def prune(self, keep: set[int]) -> list[str]:
        """Remember what was kept; nothing is dropped."""
        self.kept = set(keep)
        return []
