"""Implements student_ports.Pupil: a student taught a handful of conversations in a folder of its own, then served."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ghostd.core.training import TrainingPlan
from ghostd.errors import TrainingFailed
from ghostd.student.client import ServedStudent, served
from ghostd.student.trainer import ChildTrainer
from ghostd.student.workshop import Workshop, keep_plan


@dataclass(slots=True)
class ChildPupil:
    """Each one that is taught is new; its folder stays until the workshop's is removed."""

    workshop: Workshop
    trainer: ChildTrainer
    plan: TrainingPlan
    taught_before: int = 0

    @asynccontextmanager
    async def taught(self, lessons: Sequence[tuple[str, str]]) -> AsyncIterator[ServedStudent]:
        """Train on (question, answer) and serve. Raises TrainingFailed, also when it is interrupted."""
        self.taught_before += 1
        with self.workshop.bench(self.taught_before) as bench:
            bench.dataset.mkdir(exist_ok=True)
            lines = [_line(question, answer) for question, answer in lessons]
            (bench.dataset / "lessons.jsonl").write_text("".join(lines), encoding="utf-8")
            if not await self.trainer.train(bench, keep_plan(bench.folder, self.plan)):
                raise TrainingFailed("The training was interrupted; begin anew.")
            async with served(bench.folder, self.trainer.threads) as student:
                yield student


def _line(question: str, answer: str) -> str:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": turns}) + "\n"
