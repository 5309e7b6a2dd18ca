"""Implements student_ports.Trainer and RunFolders: child processes that train and examine in the workshop."""

import asyncio
import importlib.util
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from ghostd.core.promotion import Score
from ghostd.core.training import Bench, FrozenExam, TrainingPlan, TrainingRun
from ghostd.errors import TrainingFailed
from ghostd.log import logger
from ghostd.student.card import write_card
from ghostd.student.child import Ended, command, environment, last_words, run_child
from ghostd.student.exam import fix_exam, frozen_exam, require_unseen
from ghostd.student.report import read_score
from ghostd.student.workshop import EVALUATION, LOG, Workshop, keep_plan, pace_of

_log = logger("student")
_NEEDED = ("torch", "numpy", "safetensors")
_STARTS = 3  # of a trainer that something kills, such as the system when memory runs out


def lacking() -> str:
    """What the trainer would miss here, as one sentence; '' for nothing. Looks and imports nothing."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    return f"The trainer needs {', '.join(missing)}; `pip install 'ghostd[train]'` adds it." if missing else ""


@dataclass(frozen=True, slots=True)
class ChildTrainer:
    """The trainer as children of this process."""

    threads: int  # of the processor; 0 for half of them
    niceness: int
    grader: str = ""  # command line that runs generated code in the sandbox; without it no code is graded
    variables: Mapping[str, str] = field(default_factory=dict)  # of the children's environment, beside this process's
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def missing(self) -> str:
        """What keeps it from running, '' when nothing does."""
        return lacking()

    def interrupt(self) -> None:
        """End what is under way and begin nothing more."""
        self.stop.set()

    async def train(self, bench: Bench, plan: TrainingPlan) -> bool:
        """Train or resume; False when it was interrupted, and saved.

        Raises TrainingFailed when the trainer gave up, or was killed time and again.
        """
        for _ in range(_STARTS):
            left = plan.seconds - pace_of(bench.folder, plan).spent_seconds
            if left <= 0:
                break
            match await self._run(bench, command("train", "run.json"), left):
                case Ended.DONE | Ended.LATE:
                    break
                case Ended.ASKED:
                    return False
                case Ended.FAILED:
                    raise TrainingFailed(f"Student {bench.run_id}: {last_words(bench.folder / LOG)}")
                case Ended.KILLED:
                    _log.warning("trainer.killed", run=bench.run_id)
        else:
            raise TrainingFailed(
                f"The trainer of student {bench.run_id} was killed {_STARTS} times; is there too little memory? "
                "A smaller training.size needs less."
            )
        if not (bench.folder / "checkpoints" / "last.json").exists():
            raise TrainingFailed(f"Student {bench.run_id} had no time for a checkpoint; raise training.hours.")
        return True

    async def evaluate(self, bench: Bench, exam: FrozenExam) -> Score | None:
        """Put the exam to the run's best checkpoint; None when that was interrupted. Raises TrainingFailed."""
        out = bench.folder / EVALUATION
        out.mkdir(exist_ok=True)  # the status tells by it that the exam began
        grader = ("--execute", self.grader) if self.grader else ()
        asked = command("eval", ".", "--dataset", exam.folder, "--out", out, *grader)
        match await self._run(bench, asked, None):
            case Ended.DONE:
                return await asyncio.to_thread(read_score, out / "report.json", exam.sha256)
            case Ended.ASKED:
                return None
            case Ended.KILLED:
                why = "something killed the examiner; is there too little memory?"
            case _:
                why = last_words(bench.folder / LOG)
        again = f"`ghostd train --retry {bench.run_id}` asks it again"
        raise TrainingFailed(f"Student {bench.run_id} was not examined ({why}); {again}.")

    async def _run(self, bench: Bench, arguments: list[str], seconds: float | None) -> Ended:
        if self.stop.is_set():
            return Ended.ASKED
        return await run_child(
            arguments,
            folder=bench.folder,
            log=bench.folder / LOG,
            environment={**environment(self.threads), **self.variables},
            niceness=self.niceness,
            stop=self.stop,
            seconds=seconds,
            held=(bench.lock,),
        )


@dataclass(frozen=True, slots=True)
class ChildFolders:
    """The folders that those children work in."""

    workshop: Workshop
    seed: int  # of the split, export.seed

    def bench(self, run_id: int) -> AbstractContextManager[Bench]:
        """The run's folder. Raises AlreadyRunning while another process works in it."""
        return self.workshop.bench(run_id)

    def exists(self, run_id: int) -> bool:
        """Whether the run's folder is there."""
        return self.workshop.folder(run_id).is_dir()

    def plan(self, bench: Bench, wanted: TrainingPlan) -> TrainingPlan:
        """The plan that the run began with; it begins with the wanted one."""
        return keep_plan(bench.folder, wanted)

    def exam(self, dataset: Path, most_rows: int) -> FrozenExam:
        """The exam, fixed now if there was none. Raises TrainingFailed when the dataset has none, or trains on it."""
        found = frozen_exam(self.workshop.exams) or fix_exam(self.workshop.exams, dataset, most_rows, self.seed)
        require_unseen(found, dataset)
        return found

    def conclude(self, bench: Bench, run: TrainingRun, plan: TrainingPlan) -> None:
        """Write the student's card."""
        write_card(bench.folder, run, plan)

    def prune(self, keep: set[int]) -> list[str]:
        """Remove all other runs' folders; the paths of the datasets in them."""
        return self.workshop.prune(keep)


def ghostd_command() -> tuple[str, ...]:
    """The ghostd command line with this interpreter."""
    return (sys.executable, "-m", "ghostd.cli.main")
