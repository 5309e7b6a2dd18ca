"""Verification: lesson to verdict to crystal; repairs what failed, and checks old crystals again."""

from dataclasses import dataclass

from ghostd.core.crystal import Crystal, Stage, Verdict, VerdictKind
from ghostd.core.identity import crystallise
from ghostd.core.lesson import Failure
from ghostd.cycles.config import ReverificationConfig
from ghostd.cycles.distillation import Distillation
from ghostd.cycles.run import journalled
from ghostd.errors import SandboxUnavailable
from ghostd.log import logger
from ghostd.ports import Agenda, Archive, AttemptRecord, Clock, Journal, Store, Verifier

_log = logger("verification")


@dataclass(frozen=True, slots=True)
class Verification:
    """Turns attempts into crystals or reasoned rejections. Every method may be repeated without harm."""

    verifier: Verifier
    store: Store
    agenda: Agenda
    archive: Archive
    journal: Journal
    distillation: Distillation
    clock: Clock
    licence: str
    config: ReverificationConfig

    async def verify(self, attempt: AttemptRecord) -> None:
        """Bring one attempt to its end. Raises SandboxUnavailable; the job is then retried."""
        if attempt.verdict or attempt.lesson is None or attempt.exam is None:
            return  # finished by someone else, or never parsed
        verdict = await self.verifier.verify(attempt.concept, attempt.lesson, attempt.exam)
        if verdict.kind is VerdictKind.VERIFIED:
            await self._store(attempt, verdict)
        else:
            await self._reject(attempt, verdict)

    async def reverify(self) -> dict[str, int]:
        """Replay the crystals that are due; a crystal that no longer holds is revoked.

        One that breaks its cell is left for the next time. Raises SandboxUnavailable when every one did.
        """
        due = await self.archive.due_for_reverification(self.config.batch, self.config.after_days * 86_400)
        if not due:
            return {}
        async with journalled(self.journal, "verification", f"{len(due)} crystals due for a replay") as run:
            counts = {"replayed": 0, "revoked": 0, "postponed": 0}
            for crystal_id in due:
                try:
                    counts["revoked"] += await self._replay(await self.archive.get(crystal_id))
                    counts["replayed"] += 1
                except SandboxUnavailable as outage:
                    counts["postponed"] += 1
                    _log.warning("replay.postponed", crystal=crystal_id[:12], reason=str(outage))
                    if counts["postponed"] == len(due):
                        raise
            await self.journal.finish_run(run, "ok", counts, "scheduled re-verification")
        return counts

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
        _log.info("lesson.rejected", reason=failure.reason, round=attempt.repair_round, **attempt.concept.log_context())
        if attempt.repair_round < self.distillation.config.repairs:
            await self.distillation.jobs.defer("repair", f"repair:{attempt.id}", attempt_id=attempt.id)
        else:
            await self.agenda.mark(attempt.concept.slug, "failed")

    async def _replay(self, crystal: Crystal) -> bool:
        verdict = await self.verifier.replay(crystal)
        if verdict.kind is not VerdictKind.VERIFIED:
            verdict = await self.verifier.replay(
                crystal
            )  # a crowded machine may fail a replay; it does not do so twice
        await self.archive.record_reverification(crystal.id, verdict)
        if verdict.kind in {VerdictKind.VERIFIED, VerdictKind.INCONCLUSIVE}:
            return False
        reason = verdict.failure.reason if verdict.failure else Stage.EXECUTED.value
        _log.warning("crystal.revoked", reason=reason, **crystal.log_context())
        return await self.archive.revoke(crystal.id, reason)
