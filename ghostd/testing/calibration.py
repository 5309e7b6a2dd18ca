"""Calibration for tests: a planter that plants what it was told to, and the records in memory."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from ghostd.core.calibration import Alarm, Label, Order, Planted, Tally
from ghostd.ports import Teacher, Teachers


class MemoryPlanter:
    """Implements ports.Planter: the same items for every order, all told by one teacher."""

    def __init__(self, teacher: Teacher, items: Sequence[Planted] = ()) -> None:
        self._teacher = teacher
        self.items = list(items)
        self.orders: list[Order] = []

    def plant(self, order: Order) -> list[Planted]:
        """The items, whatever was ordered."""
        self.orders.append(order)
        return self.items

    @asynccontextmanager
    async def teachers(self, kinds: Sequence[str], seed: int) -> AsyncIterator[Mapping[str, Teachers]]:
        """The one teacher, for lessons and solutions."""
        del seed
        yield dict.fromkeys(kinds, (self._teacher, self._teacher))


class MemoryCalibrations:
    """Implements ports.Calibrations; runs are numbered by their arrival, and all of them lie within every window."""

    def __init__(self) -> None:
        self.due = False
        self.runs: list[tuple[Tally, ...]] = []
        self.alarms: list[str] = []  # reasons, the open one last
        self.cleared_by: list[str] = []  # of each alarm that is closed
        self._counted_from = 0  # index of the first run that still counts

    async def calibration_due(self, every_seconds: float, first_after_seconds: float) -> bool:
        """What the test says."""
        del every_seconds, first_after_seconds
        return self.due

    async def record_calibration(self, run_id: int, tallies: Sequence[Tally]) -> None:
        """Keep a run."""
        del run_id
        self.runs.append(tuple(tallies))

    async def calibration_window(self, window_seconds: float) -> tuple[Tally, ...]:
        """The sums of the runs that count, by kind."""
        del window_seconds
        sums: dict[tuple[Label, str], list[Tally]] = {}
        for one in (one for run in self.runs[self._counted_from :] for one in run):
            sums.setdefault((one.label, one.kind), []).append(one)
        return tuple(
            Tally(
                kind,
                label,
                sum(one.planted for one in group),
                sum(one.accepted for one in group),
                sum(one.mutants_killed for one in group),
                sum(one.mutants_total for one in group),
            )
            for (label, kind), group in sorted(sums.items())
        )

    async def calibration_alarm(self) -> Alarm | None:
        """The open alarm."""
        is_open = len(self.alarms) > len(self.cleared_by)
        return Alarm(self.alarms[-1], 0.0) if is_open else None

    async def raise_calibration_alarm(self, reason: str) -> bool:
        """Open the alarm; False when one is open already."""
        if await self.calibration_alarm():
            return False
        self.alarms.append(reason)
        self._counted_from = len(self.runs)
        return True

    async def clear_calibration_alarm(self, cleared_by: str) -> bool:
        """Close the alarm; False when none is open."""
        if not await self.calibration_alarm():
            return False
        self.cleared_by.append(cleared_by)
        if cleared_by == "operator":
            self._counted_from = len(self.runs)
        return True
