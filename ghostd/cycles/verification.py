"""Verification: lesson to verdict to crystal; it has what failed repaired, and checks nothing twice."""

from dataclasses import dataclass
from functools import partial

from ghostd.core.crystal import Verdict, VerdictKind
from ghostd.core.identity import crystallise
from ghostd.core.lesson import Failure
from ghostd.cycles.distillation import Distillation
from ghostd.log import logger
from ghostd.ports import Agenda, AttemptRecord, Clock, Store, Verifier

_log = logger("verification")


@dataclass(frozen=True, slots=True)
class Verification:
    """Turns attempts into crystals or reasoned rejections. Every method may be repeated without harm."""

    verifier: Verifier
    store: Store
    agenda: Agenda
    distillation: Distillation
    clock: Clock
    licence: str

    async def verify(self, attempt: AttemptRecord) -> None:
        """Bring one attempt to its end. Raises SandboxUnavailable, TeacherUnavailable, TeacherRejected or
        BudgetExceeded; the job is then retried, and finds a solution that was paid for in the call ledger.
        """
        if attempt.verdict or attempt.lesson is None or attempt.exam is None:
            return  # finished by someone else, or never parsed
        solve = partial(self.distillation.solve, attempt.concept)
        verdict = await self.verifier.verify(attempt.concept, attempt.lesson, attempt.exam, solve)
        if verdict.kind is VerdictKind.VERIFIED:
            await self._store(attempt, verdict)
        else:
            await self._reject(attempt, verdict)

    async def _store(self, attempt: AttemptRecord, verdict: Verdict) -> None:
        if attempt.lesson is None or attempt.exam is None:
            return
        crystal = crystallise(
            attempt.concept, attempt.lesson, attempt.exam, verdict, attempt.teacher, self.licence, self.clock.now()
        )
        if await self.store.crystallise(attempt.id, crystal, verdict):
            _log.info("crystal.stored", quality=round(crystal.quality, 3), **crystal.log_context())
        else:
            _log.info("crystal.duplicate", **crystal.log_context())

    async def _reject(self, attempt: AttemptRecord, verdict: Verdict) -> None:
        failure = verdict.failure or Failure("verification", "unexplained")
        if not await self.store.reject(attempt.id, verdict.reached, verdict.kind, failure, verdict.evidence):
            return
        _log.info(
            "lesson.rejected",
            attempt=attempt.id,
            reason=failure.reason,
            round=attempt.repair_round,
            **attempt.concept.log_context(),
        )
        if attempt.repair_round < self.distillation.config.repairs:
            await self.distillation.jobs.defer("repair", f"repair:{attempt.id}", attempt_id=attempt.id)
        else:
            await self.agenda.mark(attempt.concept.slug, "failed")
