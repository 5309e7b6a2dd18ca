"""Re-verification: replays crystals that are due, blindly and in fresh cells, and revokes what no longer holds."""

from dataclasses import dataclass, replace

from ghostd.core.crystal import Verdict
from ghostd.core.reverification import Decision, Due, Image, Policy, judge, rank
from ghostd.cycles.config import ReverificationConfig
from ghostd.cycles.run import journalled
from ghostd.errors import SandboxUnavailable
from ghostd.log import logger
from ghostd.ports import Archive, Clock, Journal, Verifier

_log = logger("reverification")
_DAY_SECONDS = 86_400.0
_POOL = 4  # candidates looked at for each crystal of a run, and for each reason to be due


@dataclass(frozen=True, slots=True)
class Reverification:
    """Checks old crystals again. A run may be repeated, or end anywhere, without harm."""

    verifier: Verifier
    archive: Archive
    journal: Journal
    image: Image  # what the verifier's cells consist of
    clock: Clock
    config: ReverificationConfig

    async def reverify(self) -> dict[str, int]:
        """Replay the crystals that are due, the most urgent first, `batch` at most and for `run_seconds` at most.

        One that breaks its cell while others do not is left for a day. Raises SandboxUnavailable when every one did.
        """
        policy = self._policy()
        due = rank(await self.archive.standings(policy, _POOL * self.config.batch), policy, self.config.batch)
        if not due:
            return {}
        began = self.clock.now()
        replayed = 0
        revoked: set[str] = set()
        postponed: list[str] = []
        async with journalled(self.journal, "reverification", f"{len(due)} crystals due for a replay") as run:
            for one in due:
                if one.crystal_id in revoked:
                    continue  # it fell with its ancestor a moment ago
                if self.clock.now() - began >= self.config.run_seconds:
                    break
                try:
                    revoked |= set(await self._replay(one))
                    replayed += 1
                except SandboxUnavailable as outage:
                    postponed.append(one.crystal_id)
                    _log.warning("replay.postponed", crystal=one.crystal_id[:12], reason=str(outage))
                    if len(postponed) == len(due):
                        raise
            if replayed and postponed:
                await self.archive.postpone(postponed)
            counts = {"replayed": replayed, "revoked": len(revoked), "postponed": len(postponed)}
            await self.journal.finish_run(run, "ok", counts, "scheduled re-verification")
        return counts

    async def _replay(self, due: Due) -> tuple[str, ...]:
        """The crystals that are revoked for it: itself, and what is made of it. Raises SandboxUnavailable."""
        crystal = await self.archive.get(due.crystal_id)
        verdicts = [await self.verifier.replay(crystal)]
        judgement = judge(verdicts)
        if judgement.decision is Decision.REPEAT:
            verdicts.append(await self.verifier.replay(crystal))
            judgement = judge(verdicts)
        revoked = await self.archive.record_reverification(crystal.id, _together(verdicts), judgement, due)
        told = {"decision": judgement.decision.value, "reason": judgement.reason, **crystal.log_context()}
        if revoked:
            _log.warning("crystal.revoked", descendants=len(revoked) - 1, **told)
        else:
            _log.debug("crystal.replayed", due=[one.value for one in due.reasons], **told)
        return revoked

    def _policy(self) -> Policy:
        return Policy(
            after_seconds=self.config.after_days * _DAY_SECONDS,
            risky_after_seconds=self.config.risky_after_days * _DAY_SECONDS,
            image=self.image,
        )


def _together(verdicts: list[Verdict]) -> Verdict:
    """The last verdict with the evidence of all."""
    return replace(verdicts[-1], evidence=tuple(found for one in verdicts for found in one.evidence))
