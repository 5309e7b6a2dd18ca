"""Cache look-ups, reservations and settlements of teacher calls, grouped into batches over a durable `CallStore`."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ghostd.core.budget import Amount, CachedAnswer, Caps, Reservation, Settlement, Spent, refuse, total_of
from ghostd.errors import BudgetExceeded
from ghostd.teacher.batch import Batcher

_SECONDS_A_DAY = 86_400


class CallStore(Protocol):
    """Where calls are recorded. Each method is one transaction and returns once it is durable."""

    async def find(self, keys: Sequence[str]) -> dict[str, CachedAnswer]:
        """The newest answer with status 'ok' for each key that has one."""
        ...

    async def reserve(self, calls: Sequence[Reservation]) -> list[int]:
        """Record calls in state 'sent' with their estimates; their ids in order.

        Raises BudgetExceeded, and records none of them, when together they could pass a cap (`core.budget.refuse`).
        """
        ...

    async def settle(self, results: Sequence[Settlement]) -> None:
        """Record what became of calls."""
        ...


class Ledger:
    """One teacher's view of the store: single items in, batches out."""

    def __init__(self, store: CallStore) -> None:
        self._store = store
        self._finding: Batcher[str, CachedAnswer | None] = Batcher(self._find)
        self._reserving: Batcher[Reservation, int] = Batcher(store.reserve, alone=BudgetExceeded)
        self._settling: Batcher[Settlement, None] = Batcher(self._settle)

    async def find(self, key: str) -> CachedAnswer | None:
        """The earlier answer to the same call, if there is one."""
        return await self._finding.submit(key)

    async def reserve(self, reservation: Reservation) -> int:
        """The id of the call's durable row. Raises BudgetExceeded before anything is spent."""
        future = self._reserving.submit(reservation)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(self._abandon)  # the row may be written all the same
            raise

    async def settle(self, settlement: Settlement) -> None:
        """Return once the result is durable."""
        await asyncio.shield(self.settle_later(settlement))

    def settle_later(self, settlement: Settlement) -> asyncio.Future[None]:
        """Record a result without waiting; for calls that are being cancelled."""
        return self._settling.submit(settlement)

    async def close(self) -> None:
        """Wait until everything is durable."""
        for batcher in (self._reserving, self._settling):
            await batcher.drain()

    def _abandon(self, reserved: asyncio.Future[int]) -> None:
        if not reserved.cancelled() and reserved.exception() is None:
            self.settle_later(
                Settlement(reserved.result(), "failed", "", 0, 0, 0.0, True, 0.0, 0, "cancelled: never sent")
            )

    async def _find(self, keys: list[str]) -> list[CachedAnswer | None]:
        found = await self._store.find(keys)
        return [found.get(key) for key in keys]

    async def _settle(self, settlements: list[Settlement]) -> list[None]:
        await self._store.settle(settlements)
        return [None] * len(settlements)


@dataclass(slots=True)
class CallRow:
    """One call as `MemoryCallStore` keeps it."""

    reservation: Reservation
    day: int  # days since the epoch, UTC
    settlement: Settlement | None = None  # None: in state 'sent'


class MemoryCallStore:
    """A call store that forgets everything with the process; for tests, benchmarks and one-off use."""

    def __init__(self, caps: Caps = Caps(), clock: Callable[[], float] = time.time) -> None:  # noqa: B008 - frozen
        """`clock` gives seconds since the epoch."""
        self.rows: list[CallRow] = []  # a call's id is its index + 1
        self._caps = caps
        self._clock = clock
        self._answers: dict[str, CachedAnswer] = {}
        self._days: dict[int, Amount] = {}
        self._total = Amount()

    def spent(self) -> Spent:
        """What was spent today and in all."""
        return Spent(self._days.get(self._today(), Amount()), self._total)

    async def find(self, keys: Sequence[str]) -> dict[str, CachedAnswer]:
        """See `CallStore.find`."""
        return {key: self._answers[key] for key in keys if key in self._answers}

    async def reserve(self, calls: Sequence[Reservation]) -> list[int]:
        """See `CallStore.reserve`."""
        total = total_of(calls)
        reason = refuse(self.spent(), total, self._caps)
        if reason:
            raise BudgetExceeded(reason)
        day = self._today()
        self._add(day, total)
        first = len(self.rows) + 1
        self.rows.extend(CallRow(call, day) for call in calls)
        return list(range(first, first + len(calls)))

    async def settle(self, results: Sequence[Settlement]) -> None:
        """See `CallStore.settle`."""
        for result in results:
            row = self.rows[result.call_id - 1]
            estimate = row.reservation.amount
            row.settlement = result
            tokens = result.prompt_tokens + result.completion_tokens
            self._add(row.day, Amount(tokens - estimate.tokens, result.cost - estimate.cost))
            if result.status == "ok":
                self._answers[row.reservation.key] = CachedAnswer(
                    result.call_id, result.answer, result.prompt_tokens, result.completion_tokens
                )

    def _today(self) -> int:
        return int(self._clock() // _SECONDS_A_DAY)

    def _add(self, day: int, amount: Amount) -> None:
        self._days[day] = self._days.get(day, Amount()) + amount
        self._total += amount
