"""Distillation: chooses concepts at the frontier and gets their lessons and exams from the teacher."""

import asyncio
from dataclasses import dataclass

from ghostd.core.concept import Concept
from ghostd.core.crystal import VerdictKind
from ghostd.core.frontier import select
from ghostd.core.lesson import Exam, Failure, Lesson, Solution
from ghostd.cycles.config import DistillationConfig
from ghostd.log import logger
from ghostd.ports import Agenda, AttemptRecord, Jobs, Reply, Store, Teacher

_log = logger("distillation")
_CANDIDATES = 120  # open concepts that one choice looks at
_WEAK_EXAM = (  # failures that say nothing against the lesson: the exam is asked for afresh
    "static.exam",
    "tested.stub_accepted",
    "tested.mutants_survived",
    "tested.too_few_mutants",
    "corroborated.too_few_inputs",
    "corroborated.no_solution",
    "corroborated.solution_broken",
)
_CONTESTED = "corroborated.disagreement"  # lesson and exam agree with each other alone: either may be wrong


@dataclass(frozen=True, slots=True)
class Distillation:
    """From an open concept to a parsed lesson with its exam, or to a recorded failure."""

    teacher: Teacher
    store: Store
    agenda: Agenda
    jobs: Jobs
    config: DistillationConfig
    corroborator: Teacher | None = None  # writes the independent solutions; None: the teacher, in a call of its own
    examines: bool = False  # whether the corroborator writes the exams too

    async def choose(self) -> int:
        """Schedule the most promising open concepts, as many as there is room for; how many were scheduled."""
        room = self.config.in_flight - await self.agenda.in_flight()
        if room <= 0:
            return 0
        choices = select(await self.agenda.frontier(_CANDIDATES), room)
        moved = await self.agenda.schedule(choices)
        for slug in moved:
            await self.jobs.defer("distil", f"distil:{slug}", slug=slug)
        return len(moved)

    async def distil(self, slug: str) -> None:
        """Ask for the lesson and, in a call that never sees it, the exam."""
        concept = await self.agenda.concept(slug)
        attempt = await self.store.open_attempt(concept, self.teacher.name)
        if attempt.lesson is not None:  # answered before a crash
            await self._hand_over(attempt)
            return
        lesson, exam = await asyncio.gather(self.teacher.write_lesson(concept), self._examiner.write_exam(concept))
        await self._record(attempt, lesson, exam)

    async def repair(self, attempt: AttemptRecord, failure: Failure) -> None:
        """Give the error artifact back to the teacher; a new attempt comes of it."""
        if attempt.lesson is None or attempt.exam is None:
            return
        concept, repair_round = attempt.concept, attempt.repair_round + 1
        repaired = await self.store.open_attempt(concept, self.teacher.name, repair_round, attempt.id)
        if repaired.lesson is not None:  # answered before a crash
            await self._hand_over(repaired)
        elif failure.reason.startswith(_WEAK_EXAM):
            exam = await self._examiner.write_exam(concept, repair_round)
            await self._record(repaired, Reply(attempt.lesson), exam)
        elif failure.reason == _CONTESTED:
            lesson, exam = await asyncio.gather(
                self.teacher.repair_lesson(concept, attempt.lesson, failure, repair_round),
                self._examiner.write_exam(concept, repair_round),
            )
            await self._record(repaired, lesson, exam)
        else:
            lesson = await self.teacher.repair_lesson(concept, attempt.lesson, failure, repair_round)
            await self._record(repaired, lesson, Reply(attempt.exam))

    async def solve(self, concept: Concept, asked_before: int) -> Solution | None:
        """An independent solution: from the statement alone, by another call or another teacher.

        Every repair of a lesson meets the same one again, because the call is cached: to ask until one agrees would
        outvote it.
        """
        reply = await (self.corroborator or self.teacher).write_solution(concept, asked_before)
        if reply.value is None:
            _log.info("solution.missing", problem=reply.problem, **concept.log_context())
        return reply.value

    async def abandon(self, attempt: AttemptRecord, failure: Failure) -> None:
        """Close an attempt that cannot be brought to its end; nothing happens when it has ended."""
        if await self.store.reject(attempt.id, attempt.stage, VerdictKind.INCONCLUSIVE, failure, ()):
            await self.agenda.mark(attempt.concept.slug, "failed")
            _log.info("lesson.rejected", reason=failure.reason, **attempt.concept.log_context())

    @property
    def _examiner(self) -> Teacher:
        return self.corroborator if self.corroborator is not None and self.examines else self.teacher

    async def _record(self, attempt: AttemptRecord, lesson: Reply[Lesson], exam: Reply[Exam]) -> None:
        if lesson.value is not None and exam.value is not None:
            if await self.store.record_lesson(attempt.id, lesson.value, exam.value):
                await self._hand_over(attempt)
            return
        what, reply = ("lesson", lesson) if lesson.value is None else ("exam", exam)
        await self.abandon(attempt, Failure("distillation", f"{what}.{reply.problem}", reply.detail))

    async def _hand_over(self, attempt: AttemptRecord) -> None:
        await self.jobs.defer("verify", f"verify:{attempt.id}", attempt_id=attempt.id)
