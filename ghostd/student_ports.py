"""What the cycles need for training and asking a student: Protocols only, beside those of `ports`."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from ghostd.core.answering import Said
from ghostd.core.promotion import Score
from ghostd.core.training import Bench, FrozenExam, RunStatus, TrainingPlan, TrainingRun
from ghostd.core.variation import Answered


class TrainingSets(Protocol):
    """Datasets for the student, recorded like any other."""

    async def write_training_set(self, folder: Path) -> int:
        """Write and record one; its row's id. Raises ExportError."""
        ...

    async def forget(self, folders: Sequence[str]) -> None:
        """Note that the datasets in these folders are gone."""
        ...


class Students(Protocol):
    """The records of training; at most one run is unfinished."""

    async def request_training(self, recipe: str) -> TrainingRun:
        """The unfinished run, else a new one that waits."""
        ...

    async def unfinished_training(self) -> TrainingRun | None: ...

    async def begin_training(self, run_id: int, folder: str, dataset_id: int | None) -> None: ...

    async def interrupt_training(self, run_id: int) -> None: ...

    async def finish_training(
        self, run_id: int, status: RunStatus, metrics: dict[str, Any], *, promoted: bool = False
    ) -> None: ...

    async def reopen_training(self, run_id: int) -> TrainingRun:
        """The failed run, unfinished again. Raises NotFound, TrainingError if it did not fail, AlreadyRunning."""
        ...

    async def training_run(self, run_id: int) -> TrainingRun:
        """Raises NotFound."""
        ...

    async def training_runs(self, limit: int = 100) -> list[TrainingRun]:
        """The newest first."""
        ...

    async def champion(self) -> TrainingRun | None: ...

    async def crystals_since_training(self) -> int: ...


class Trainer(Protocol):
    """The trainer as a process. Raises TrainingFailed, with the trainer's own last words."""

    def missing(self) -> str:
        """What keeps it from running and what mends that, as one sentence; '' when nothing does."""
        ...

    async def train(self, bench: Bench, plan: TrainingPlan) -> bool:
        """Train or resume; False when it was interrupted, and saved."""
        ...

    async def evaluate(self, bench: Bench, exam: FrozenExam) -> Score | None:
        """Put the exam to the run's best checkpoint; None when that was interrupted."""
        ...

    def interrupt(self) -> None:
        """End what is under way and begin nothing more."""
        ...


class RunFolders(Protocol):
    """What lies on the disk of each run, and the frozen exam."""

    def bench(self, run_id: int) -> AbstractContextManager[Bench]:
        """The run's folder. Raises AlreadyRunning while another process works in it."""
        ...

    def exists(self, run_id: int) -> bool:
        """Whether the run's folder is there."""
        ...

    def plan(self, bench: Bench, wanted: TrainingPlan) -> TrainingPlan:
        """The plan that the run began with; it begins with the wanted one."""
        ...

    def exam(self, dataset: Path, most_rows: int) -> FrozenExam:
        """The exam, fixed now if there was none. Raises TrainingFailed when the dataset has none, or trains on it."""
        ...

    def conclude(self, bench: Bench, run: TrainingRun, plan: TrainingPlan) -> None:
        """Write the student's card."""
        ...

    def prune(self, keep: set[int]) -> list[str]:
        """Remove all other runs' folders; the paths of the datasets in them."""
        ...


class Pupil(Protocol):
    """A student for one purpose: taught a few conversations, then asked. Raises TrainingFailed."""

    def taught(self, lessons: Sequence[tuple[str, str]], passes: float) -> AbstractAsyncContextManager["Served"]:
        """Train a new one on (question, answer) alone, so many times over all at least; it is there to be asked for as
        long as the context.
        """
        ...


class Served(Protocol):
    """A student that answers."""

    async def ask(
        self, question: str, *, most: int = 320, temperature: float = 0.0, seed: int = 0, choices: int = 1
    ) -> list[Said]: ...


class Variations(Protocol):
    """Verified variations of known questions, with their lineage."""

    async def keep_variations(self, found: Sequence[Answered]) -> int:
        """Store those that are new, of crystals that are believed; how many."""
        ...

    async def variations(self, crystal_ids: Sequence[str]) -> list[Answered]:
        """Of believed crystals, in the order of their arrival."""
        ...
