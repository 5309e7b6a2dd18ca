"""Calibration: plants items whose truth is known, off the books, and counts how often the verifier is fooled."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ghostd.core.calibration import (
    Fate,
    Label,
    Order,
    Planted,
    Standing,
    Tally,
    daily_order,
    items_needed,
    judge,
    sentence,
    tally,
    total,
)
from ghostd.core.concept import Concept
from ghostd.core.crystal import VerdictKind
from ghostd.core.lesson import Solution
from ghostd.cycles.config import CalibrationConfig
from ghostd.cycles.run import journalled
from ghostd.errors import CrystallisationPaused, SandboxUnavailable
from ghostd.log import logger
from ghostd.ports import Calibrations, Clock, Journal, Planter, Teacher, Teachers, Verifier

_log = logger("calibration")
_DAY_SECONDS = 86_400.0
_FIRST_AFTER_SECONDS = 3_600.0  # the first sample leaves a fresh start alone
_TRIES = 3  # of an item in whose cell something went wrong
_LOST_SHARE = 0.1  # of the items: more outages than that, and the run says nothing

Progress = Callable[[int, int], None]
"""Told how many items are done, of how many."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Measures the pipeline with items of known truth. No crystal, concept or attempt comes of them."""

    verifier: Verifier
    planter: Planter
    records: Calibrations
    journal: Journal
    clock: Clock
    config: CalibrationConfig

    async def calibrate_if_due(self) -> dict[str, int]:
        """The day's sample, if it is due; while the alarm is on, one that is large enough to end it."""
        if not self.config.items_per_day:
            return {}
        if not await self.records.calibration_due(_DAY_SECONDS, _FIRST_AFTER_SECONDS):
            return {}
        alarm = await self.records.calibration_alarm()
        least = items_needed(self.config.false_accept_bound) if alarm else 0
        today = int(self.clock.now() // _DAY_SECONDS)
        order = daily_order(self.config.items_per_day, today, false=least)
        tallies = await self.run(order, "the day's sample", self.config.at_once)
        return _counts(tallies)

    async def run(self, order: Order, reason: str, at_once: int, progress: Progress | None = None) -> tuple[Tally, ...]:
        """Plant an order, count, record and judge; the run's tallies.

        Raises SandboxUnavailable when outages cost more than a tenth of the items, and what the teacher client raises.
        """
        async with journalled(self.journal, "calibration", reason) as run_id:
            items = self.planter.plant(order)
            fates = await self._fates(items, order.seed, at_once, progress or (lambda _done, _all: None))
            tallies = tally(fates)
            await self.records.record_calibration(run_id, tallies)
            await self.journal.finish_run(run_id, "ok", _counts(tallies), reason)
        await self._assess()
        return tallies

    async def require_trust(self) -> None:
        """Raises CrystallisationPaused, with the remedy, while the alarm is on."""
        alarm = await self.records.calibration_alarm()
        if alarm is not None:
            raise CrystallisationPaused(f"{CrystallisationPaused.__doc__} ({alarm.reason})")

    async def _assess(self) -> None:
        """Raise or end the alarm, as the runs of the window say."""
        bound = self.config.false_accept_bound
        window = await self.records.calibration_window(self.config.window_days * _DAY_SECONDS)
        figures = sentence(window, bound)
        match judge(window, bound):
            case Standing.FOOLED:
                if await self.records.raise_calibration_alarm(figures):
                    _log.error("calibration.alarm", figures=figures)
            case Standing.GOOD:
                if await self.records.clear_calibration_alarm("calibration"):
                    _log.info("calibration.resumed", cleared_by="calibration", figures=figures)
            case Standing.UNDECIDED:
                _log.info("calibration.undecided", figures=figures)

    async def _fates(
        self, items: Sequence[Planted], seed: int, at_once: int, progress: Progress
    ) -> list[tuple[Planted, Fate]]:
        waiting = iter(items)
        fates: list[tuple[Planted, Fate]] = []
        lost = 0

        async def work(teachers: Mapping[str, Teachers]) -> None:
            nonlocal lost
            for planted in waiting:
                fate = await self._fate(planted, *teachers[planted.kind])
                lost += fate is None
                if lost > max(1, _LOST_SHARE * len(items)):
                    raise SandboxUnavailable
                if fate is not None:
                    fates.append((planted, fate))
                progress(len(fates) + lost, len(items))

        progress(0, len(items))
        async with self.planter.teachers([one.kind for one in items], seed) as teachers:
            workers = [asyncio.create_task(work(teachers)) for _ in range(min(at_once, len(items)))]
            try:
                await asyncio.gather(*workers)
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)
        return fates

    async def _fate(self, planted: Planted, teacher: Teacher, solver: Teacher) -> Fate | None:
        """What becomes of one item; None when no cell could be had for it, which says nothing about anyone."""
        concept = planted.concept
        lesson, exam = await asyncio.gather(teacher.write_lesson(concept), teacher.write_exam(concept))
        if lesson.value is None:
            return Fate(accepted=False, reason=f"lesson.{lesson.problem}")
        if exam.value is None:
            return Fate(accepted=False, reason=f"exam.{exam.problem}")
        for _ in range(_TRIES):
            try:
                verdict = await self.verifier.verify(
                    concept, lesson.value, exam.value, partial(_solve, solver, concept)
                )
                break
            except SandboxUnavailable as outage:
                _log.warning("calibration.outage", kind=planted.kind, reason=str(outage))
        else:
            return None
        if verdict.kind is not VerdictKind.VERIFIED:
            return Fate(accepted=False, reason=verdict.failure.reason if verdict.failure else verdict.kind.value)
        believed = {one.claim.check for one in verdict.claims if one.status == "verified"}
        if planted.lies and not planted.lies & believed:
            return Fate(accepted=False, reason="claim.refuted")
        return Fate(True, "", verdict.mutants_killed, verdict.mutants_total)


async def _solve(solver: Teacher, concept: Concept, asked_before: int) -> Solution | None:
    return (await solver.write_solution(concept, asked_before)).value


def _counts(tallies: Sequence[Tally]) -> dict[str, int]:
    sums = [(label, total(tallies, label)) for label in Label]
    planted = {f"{label.value}_planted": one.planted for label, one in sums}
    return planted | {f"{label.value}_accepted": one.accepted for label, one in sums}
