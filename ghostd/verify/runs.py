"""Plans of executions and the evidence they leave; it decides nothing and runs them through a cell only."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ghostd.core.attestation import result_hash, run_key
from ghostd.core.concept import Concept
from ghostd.core.evidence import Evidence, Limits, Outcome, Place, Run, Variation
from ghostd.core.lesson import Exam, Lesson
from ghostd.ports import Cell
from ghostd.verify.exam import ExamReading

MAXIMUM_CALLS = 64  # exercises and the exam's questions together, per execution
_ASKED_AGAIN = 16  # of the calls; an answer that depends on what was asked before shows at one of them as a rule


@dataclass(frozen=True, slots=True)
class Subject:
    """What is being verified: a lesson beside its concept and exam."""

    concept: Concept
    lesson: Lesson
    exam: Exam
    reading: ExamReading

    @property
    def exercise_arguments(self) -> tuple[str, ...]:
        """The argument lists of the exercises, in order."""
        return tuple(exercise.arguments for exercise in self.lesson.exercises)[:MAXIMUM_CALLS]


@dataclass(frozen=True, slots=True)
class Plan:
    """One execution to make and what it is for."""

    rung: str
    purpose: str
    run: Run


def main_run(subject: Subject, limits: Limits, variation: Variation = Variation()) -> Run:  # noqa: B008 - frozen
    """The run that everything else is compared with: exercises, the exam's questions, the first again, the exam.

    Asked again from the last to the first: replays make the same calls in the same order, so only this shows
    an answer that depends on the calls before it.
    """
    exercises = subject.exercise_arguments  # first, so that their places in the outcome are theirs
    questions = (question.arguments for question in subject.reading.questions)
    calls = (*exercises, *(arguments for arguments in questions if arguments not in exercises))[:MAXIMUM_CALLS]
    return Run(
        code=subject.lesson.code,
        entry=subject.concept.entry,
        calls=(*calls, *reversed(calls[:_ASKED_AGAIN])),
        checks=subject.exam.checks,
        limits=limits,
        variation=variation,
    )


def exam_run(subject: Subject, code: str, limits: Limits) -> Run:
    """The exam put to other code, left at the first check that notices."""
    return Run(code=code, entry=subject.concept.entry, checks=subject.exam.checks, stop_on_failure=True, limits=limits)


@dataclass(frozen=True, slots=True)
class Trial:
    """One lesson's executions in one cell, and the evidence of them."""

    cell: Cell
    evidence: list[Evidence] = field(default_factory=list)

    async def execute(self, plans: Sequence[Plan]) -> list[Outcome]:
        """One outcome per plan, in order. Raises SandboxUnavailable when the cell or its engine dies."""
        return await self.cell.run([plan.run for plan in plans]) if plans else []

    def record(self, plan: Plan, outcome: Outcome, *, supports: bool) -> None:
        """Keep what came of one plan; `supports` says whether it speaks for the lesson."""
        self.evidence.append(evidence_of(plan, outcome, self.cell.place, supports=supports))


def evidence_of(plan: Plan, outcome: Outcome, place: Place, *, supports: bool) -> Evidence:
    """The record of one planned execution."""
    return Evidence(
        rung=plan.rung,
        purpose=plan.purpose,
        run=plan.run,
        outcome=outcome,
        place=place,
        run_key=run_key(plan.run, place),
        result_hash=result_hash(outcome),
        supports=supports,
    )


def passed(outcome: Outcome, checks: Sequence[str]) -> bool:
    """Ran to its end with every one of the checks reached and passed: never taken from the exit class alone."""
    return (
        outcome.ok and len(outcome.checks) == len(checks) and all(one.reached and one.passed for one in outcome.checks)
    )
