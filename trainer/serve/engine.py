"""Runs generators of work on one thread, a few milliseconds at a time and in turns; it knows nothing of what they do.

The decoder is fastest with all processors on one sequence, and is not safe in two threads: so requests take turns.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from trainer.serve.wire import BadRequest

Item = TypeVar("Item")

_SLICE_SECONDS: Final = 0.01


class Engine:
    """One thread. `active` requests take turns, `waiting` more may wait; the next one is refused."""

    def __init__(self, active: int, waiting: int) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")
        self._active, self._room = asyncio.Semaphore(active), active + waiting
        self.requests = 0  # active and waiting

    def check_room(self) -> None:
        """Raises BadRequest with status 429 when too many wait."""
        if self.requests >= self._room:
            raise BadRequest("Too many requests wait already; try again soon.", status=429, code="rate_limit_exceeded")

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A request's place among the active ones. Raises as `check_room` does."""
        self.check_room()
        self.requests += 1
        try:
            async with self._active:
                yield
        finally:
            self.requests -= 1

    async def run(self, work: Iterator[Item]) -> AsyncGenerator[list[Item], None]:
        """What the work yields, slice by slice; when the reader stops, so does the work."""
        loop = asyncio.get_running_loop()
        try:
            ended = False
            while not ended:
                items, ended = await loop.run_in_executor(self._thread, _slice, work)
                yield items
        finally:
            # On the thread, behind a slice that may still run: a generator cannot be closed while it is running.
            self._thread.submit(_close, work)

    async def call(self, act: Callable[[], None]) -> None:
        """Does something short on the thread."""
        await asyncio.get_running_loop().run_in_executor(self._thread, act)

    def close(self) -> None:
        """Ends the thread when its slice is over."""
        self._thread.shutdown(wait=True, cancel_futures=True)


def _slice(work: Iterator[Item]) -> tuple[list[Item], bool]:
    """Items for a few milliseconds, and whether the work is over."""
    until = time.perf_counter() + _SLICE_SECONDS
    items: list[Item] = []
    for item in work:
        items.append(item)
        if time.perf_counter() > until:
            return items, False
    return items, True


def _close(work: Any) -> None:
    work.close()
