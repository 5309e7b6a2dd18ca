"""The verifier: takes a lesson up the ladder, or a crystal up it again; it stores and revokes nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ghostd.core import ladder
from ghostd.core.attestation import result_hash
from ghostd.core.concept import Concept
from ghostd.core.crystal import Crystal, Grade, Stage, Verdict, VerdictKind
from ghostd.core.evidence import Evidence
from ghostd.core.ladder import Replay
from ghostd.core.lesson import Exam, Failure, Lesson
from ghostd.core.quality import quality
from ghostd.ports import Sandbox
from ghostd.verify.audit import audit
from ghostd.verify.config import VerificationConfig
from ghostd.verify.deterministic import ELSEWHERE, ReplayBatch, in_cell_variations
from ghostd.verify.exam import ExamReading
from ghostd.verify.examiner import Findings, examine
from ghostd.verify.runs import Plan, Subject, Trial, evidence_of, main_run
from ghostd.verify.static import inspect_exam, inspect_lesson

NOTHING_READ = ExamReading(asserts=0, questions=(), tautologies=0)


@dataclass(frozen=True, slots=True)
class Screening:
    """What the static rung says: the exam as read, and why not to go on (None: go on)."""

    reading: ExamReading
    failure: Failure | None


Screen = Callable[[Concept, Lesson, Exam, VerificationConfig], Screening]


def screen(concept: Concept, lesson: Lesson, exam: Exam, config: VerificationConfig) -> Screening:
    """The static rung."""
    failure = inspect_lesson(concept, lesson)
    if failure:
        return Screening(NOTHING_READ, failure)
    reading, failure = inspect_exam(concept, exam, config)
    return Screening(reading or NOTHING_READ, failure)


class Verifier:
    """Verifies lessons and replays crystals in a sandbox. Several may be verified at once on one event loop.

    `screening` is the static rung; the tests of containment hand in one that lets everything through.
    """

    def __init__(self, sandbox: Sandbox, config: VerificationConfig, *, screening: Screen = screen) -> None:
        self._sandbox = sandbox
        self._config = config
        self._screen = screening
        self._batch = ReplayBatch(sandbox, config.batch_lessons, config.batch_seconds)
        self._room = asyncio.Semaphore(config.lessons_at_once)

    async def verify(self, concept: Concept, lesson: Lesson, exam: Exam) -> Verdict:
        """The verdict with all its evidence. Raises SandboxUnavailable for outages only."""
        screened = self._screen(concept, lesson, exam, self._config)
        if screened.failure:
            return self._verdict(screened.failure, None, (), screened.reading)
        subject = Subject(concept, lesson, exam, screened.reading)
        ticket = self._batch.enter()
        try:
            async with self._room, self._sandbox.cell() as cell:
                trial = Trial(cell)
                findings = await examine(trial, subject, self._config)
            evidence, failure = trial.evidence, findings.failure
            if self._worth_replaying(failure):
                replays, unequal = await self._replay_elsewhere(ticket, subject, findings.first)
                evidence += replays
                failure = unequal or failure
        finally:
            self._batch.leave(ticket)
        return self._verdict(failure, findings, tuple(evidence), subject.reading)

    async def replay(self, crystal: Crystal) -> Verdict:
        """Run a crystal's exercises, exam and claims again in a fresh cell and compare with what it recorded.

        Raises SandboxUnavailable for outages only.
        """
        async with self._sandbox.cell() as cell:
            trial = Trial(cell)
            failure = await audit(trial, crystal, self._config)
        head = ladder.conclude(failure)
        held = failure is None
        return Verdict(
            kind=head.kind,
            grade=Grade.AUDITED if held else head.grade,
            reached=Stage.STORED if held else head.reached,
            failure=head.failure,
            evidence=tuple(trial.evidence),
            claims=crystal.claims,
            exercises=crystal.exercises,
            quality=crystal.quality if held else 0.0,
        )

    async def close(self) -> None:
        """Wait for the replays on their way; the sandbox is its owner's to stop."""
        await self._batch.close()

    def _worth_replaying(self, failure: Failure | None) -> bool:
        """Only what would be kept pays for another container."""
        kept = ladder.conclude(failure, self._config.grade)
        return kept.kind is VerdictKind.VERIFIED and kept.grade >= Grade.REPRODUCIBLE

    async def _replay_elsewhere(
        self, ticket: object, subject: Subject, first: Replay
    ) -> tuple[list[Evidence], Failure | None]:
        runs = [main_run(subject, self._config.limits(), variation) for variation in ELSEWHERE]
        replayed = await self._batch.replay(ticket, runs, first.result_hash)
        replays = [
            Replay(run.variation, result_hash(one.outcome), one.outcome, one.place.cell_id)
            for run, one in zip(runs, replayed, strict=True)
        ]
        before = len(in_cell_variations(self._config.replays))
        evidence = [
            evidence_of(
                Plan("reproducible", f"replay:{number}", run),
                one.outcome,
                one.place,
                supports=replay.result_hash == first.result_hash and not one.outcome.taints,
            )
            for number, (run, one, replay) in enumerate(zip(runs, replayed, replays, strict=True), start=before)
        ]
        return evidence, ladder.judge_replays(first, replays)

    def _verdict(
        self, failure: Failure | None, findings: Findings | None, evidence: tuple[Evidence, ...], reading: ExamReading
    ) -> Verdict:
        head = ladder.conclude(failure, self._config.grade)
        if findings is None:
            return Verdict(head.kind, head.grade, head.reached, head.failure, evidence)
        strength, claims = findings.strength, findings.claims
        verified = sum(one.status == "verified" for one in claims)
        worth = quality(reading.asserts, strength.mutants_killed, strength.mutants_total, verified, len(claims))
        return Verdict(
            kind=head.kind,
            grade=head.grade,
            reached=head.reached,
            failure=head.failure,
            evidence=evidence,
            claims=claims,
            exercises=findings.exercises,
            quality=worth if head.kind is VerdictKind.VERIFIED else 0.0,
            mutants_killed=strength.mutants_killed,
            mutants_total=strength.mutants_total,
        )
