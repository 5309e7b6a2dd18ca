"""Implements student_ports.Pupil: a student taught a handful of conversations in a folder of its own, then served."""

import json
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from ghostd.core.training import TrainingPlan
from ghostd.errors import TrainingFailed
from ghostd.student.client import ServedStudent, served
from ghostd.student.trainer import ChildTrainer
from ghostd.student.workshop import Workshop, keep_plan

_MARKS = 4  # ids of a conversation that are no bytes: where it begins and ends, and who speaks


@dataclass(slots=True)
class ChildPupil:
    """Each one that is taught is new; its folder stays until the workshop's is removed."""

    workshop: Workshop
    trainer: ChildTrainer
    plan: TrainingPlan  # of the first, whose lessons are few
    taught_before: int = 0

    @asynccontextmanager
    async def taught(self, lessons: Sequence[tuple[str, str]], passes: float) -> AsyncIterator[ServedStudent]:
        """Train on (question, answer) and serve. Raises TrainingFailed, also when it is interrupted."""
        self.taught_before += 1
        with self.workshop.bench(self.taught_before) as bench:
            bench.dataset.mkdir(exist_ok=True)
            lines = [_line(question, answer) for question, answer in lessons]
            (bench.dataset / "lessons.jsonl").write_text("".join(lines), encoding="utf-8")
            if not await self.trainer.train(bench, keep_plan(bench.folder, self._plan(lessons, passes))):
                raise TrainingFailed("The training was interrupted; begin anew.")
            async with served(bench.folder, self.trainer.threads) as student:
                yield student

    def _plan(self, lessons: Sequence[tuple[str, str]], passes: float) -> TrainingPlan:
        ids = sum(len(question.encode()) + len(answer.encode()) + _MARKS for question, answer in lessons)
        steps = math.ceil(passes * ids / (self.plan.batch * self.plan.context))
        return replace(self.plan, steps=max(self.plan.steps, steps))


def _line(question: str, answer: str) -> str:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": turns}) + "\n"
