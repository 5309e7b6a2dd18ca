"""Waiting for the limiter: first come first served, retries first; it decides nothing itself."""

import asyncio
import math
from collections import deque
from collections.abc import Callable

from ghostd.core.limiter import Limiter, Permit


class Throttle:
    """Hands out the limiter's permits on one event loop."""

    def __init__(self, limiter: Limiter, clock: Callable[[], float] | None = None) -> None:
        self.limiter = limiter
        self._clock = clock
        self._waiters: deque[asyncio.Future[Permit]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """Seconds on the clock that the limiter is driven with."""
        return self._clock() if self._clock else asyncio.get_running_loop().time()

    async def acquire(self, *, first: bool = False) -> Permit:
        """Wait for a permit. `first` goes before everybody who waits. Safe to cancel."""
        if first or not self._waiters:
            granted = self.limiter.acquire(self.now())
            if isinstance(granted, Permit):
                return granted
        waiter: asyncio.Future[Permit] = asyncio.get_running_loop().create_future()
        if first:
            self._waiters.appendleft(waiter)
        else:
            self._waiters.append(waiter)
        self._hand_out()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.dropped(waiter.result())  # granted in the moment of the cancellation
            raise

    def succeeded(self, permit: Permit) -> None:
        """See `Limiter.succeeded`."""
        self.limiter.succeeded(permit, self.now())
        self._hand_out()

    def dropped(self, permit: Permit) -> None:
        """See `Limiter.dropped`."""
        self.limiter.dropped(permit, self.now())
        self._hand_out()

    def refused(self, permit: Permit, retry_after: float | None) -> None:
        """See `Limiter.refused`."""
        self.limiter.refused(permit, self.now(), retry_after)
        self._hand_out()

    def _hand_out(self) -> None:
        """Serve the queue as far as the limiter allows, and come back when it says so."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiters:
            if self._waiters[0].done():  # cancelled while it waited
                self._waiters.popleft()
                continue
            granted = self.limiter.acquire(self.now())
            if isinstance(granted, Permit):
                self._waiters.popleft().set_result(granted)
                continue
            if not math.isinf(granted):
                self._timer = asyncio.get_running_loop().call_later(max(granted, 0.001), self._hand_out)
            return
