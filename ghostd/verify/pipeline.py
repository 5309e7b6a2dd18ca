"""The verifier: takes a lesson up the ladder, or a crystal up it again; it stores and revokes nothing."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ghostd.core import ladder
from ghostd.core.attestation import result_hash
from ghostd.core.concept import Concept
from ghostd.core.crystal import Corroboration, Crystal, Grade, Stage, Verdict, VerdictKind
from ghostd.core.evidence import Evidence, Outcome, Run
from ghostd.core.ladder import Replay
from ghostd.core.lesson import Exam, Failure, Lesson
from ghostd.core.quality import quality
from ghostd.ports import Sandbox, Solve
from ghostd.verify.audit import audit
from ghostd.verify.config import VerificationConfig
from ghostd.verify.corroborate import Witness
from ghostd.verify.deterministic import ELSEWHERE, ReplayBatch, Replayed, agrees, in_cell_variations
from ghostd.verify.exam import ExamReading
from ghostd.verify.examiner import Findings, examine
from ghostd.verify.runs import Plan, Subject, Trial, evidence_of, main_run
from ghostd.verify.static import inspect_code, inspect_exam

NOTHING_READ = ExamReading(asserts=0, questions=(), tautologies=0)


@dataclass(frozen=True, slots=True)
class Screening:
    """What the static rung says: the exam as read, and why not to go on (None: go on)."""

    reading: ExamReading
    failure: Failure | None


Screen = Callable[[Concept, Lesson, Exam, VerificationConfig], Screening]


def screen(concept: Concept, lesson: Lesson, exam: Exam, config: VerificationConfig) -> Screening:
    """The static rung."""
    failure = inspect_code(concept, lesson.code)
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

    async def verify(self, concept: Concept, lesson: Lesson, exam: Exam, solve: Solve | None = None) -> Verdict:
        """The verdict with all its evidence. `solve` gives independent solutions; it is asked only once the lesson is
        `tested`, and without it that is as far as a lesson climbs.

        Raises SandboxUnavailable for outages, and what `solve` raises.
        """
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
            witness: Witness | None = None
            if self._worth_replaying(failure):
                if failure is None and solve is not None and self._config.corroborate:
                    witness = Witness(subject, findings.answers, solve, self._config)
                more, unequal = await self._go_elsewhere(ticket, subject, findings.first, witness)
                evidence += more
                failure = unequal or failure or (witness.failure if witness else None)
        finally:
            self._batch.leave(ticket)
        corroboration = witness.corroboration if witness else None
        return self._verdict(failure, findings, tuple(evidence), subject.reading, corroboration)

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
        kept = ladder.conclude(failure, min(self._config.grade, Grade.TESTED))
        return kept.kind is VerdictKind.VERIFIED and kept.grade >= Grade.REPRODUCIBLE

    async def _go_elsewhere(
        self, ticket: object, subject: Subject, first: Replay, witness: Witness | None
    ) -> tuple[list[Evidence], Failure | None]:
        """The replays in another container and, in the same batch, the run of the first solution."""
        runs = [main_run(subject, self._config.limits(), variation) for variation in ELSEWHERE]
        plan = await witness.call() if witness else None

        def believed(outcomes: Sequence[Outcome]) -> bool:
            held = all(agrees(outcome, first.result_hash) for outcome in outcomes[: len(runs)])
            return held and (witness is None or plan is None or witness.agrees(outcomes[-1]))

        replayed = await self._batch.replay(ticket, [*runs, *([plan.run] if plan else [])], believed)
        evidence, unequal = self._judge_replays(runs, replayed[: len(runs)], first)
        if witness and plan:
            evidence += await self._hear(ticket, witness, plan, replayed[-1])
        return evidence, unequal

    async def _hear(self, ticket: object, witness: Witness, plan: Plan, replayed: Replayed) -> list[Evidence]:
        """Weigh a solution's outcome; one that is broken is followed by another."""
        evidence = []
        while True:
            settled = witness.weigh(replayed.outcome)
            supports = witness.failure is None
            evidence.append(evidence_of(plan, replayed.outcome, replayed.place, supports=supports))
            following = None if settled else await witness.call()
            if following is None:
                return evidence
            plan = following
            (replayed,) = await self._batch.replay(ticket, [plan.run], lambda outcomes: witness.agrees(outcomes[0]))

    def _judge_replays(
        self, runs: Sequence[Run], replayed: Sequence[Replayed], first: Replay
    ) -> tuple[list[Evidence], Failure | None]:
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
        self,
        failure: Failure | None,
        findings: Findings | None,
        evidence: tuple[Evidence, ...],
        reading: ExamReading,
        corroboration: Corroboration | None = None,
    ) -> Verdict:
        climbed = Grade.CORROBORATED if corroboration else Grade.TESTED
        head = ladder.conclude(failure, self._config.grade, climbed)
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
            properties=findings.properties,
            corroboration=corroboration if head.grade is Grade.CORROBORATED else None,
        )
