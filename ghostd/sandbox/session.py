"""One attached cell: greets it, sends it runs, reads results; starting and destroying it is its launcher's matter."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ghostd.core.evidence import Outcome, Place, Run
from ghostd.errors import SandboxUnavailable
from ghostd.sandbox import wire


class Stream(Protocol):
    """The bytes to and from a cell."""

    async def read(self, count: int) -> bytes:
        """Exactly `count` bytes. Raises asyncio.IncompleteReadError at the end of the stream."""
        ...

    async def write(self, data: bytes) -> None:
        """Hand over all of it."""
        ...


@dataclass(slots=True, eq=False)
class Session:
    """A cell with its stream. It answers one batch at a time and is good for one trust unit."""

    place: Place
    stream: Stream
    destroy: Callable[[], Awaitable[None]]  # ends the cell and all in it; safe to call again
    diagnose: Callable[[], str]  # what the cell wrote to stderr, for an error message
    grace_seconds: float
    greeting: wire.Greeting | None = None
    key: bytes = b""
    received: int = 0
    used: bool = False
    broken: bool = False

    async def greet(self, timeout_seconds: float) -> None:
        """Send the key and wait until the cell is ready. Raises SandboxUnavailable."""
        self.key = secrets.token_bytes(32)
        try:
            async with asyncio.timeout(timeout_seconds):
                await self.stream.write(wire.framed({"key": self.key.hex()}))
                self.greeting = wire.Greeting.model_validate_json(await self._frame())
        except (TimeoutError, OSError, asyncio.IncompleteReadError, ValueError) as problem:
            raise SandboxUnavailable(self._reason("did not become ready", problem)) from problem

    async def run(self, runs: Sequence[Run]) -> list[Outcome]:
        """Execute in order; one outcome per run. Raises SandboxUnavailable when the cell dies or hangs."""
        if self.broken:
            raise SandboxUnavailable("The cell failed earlier and cannot be used again.")
        if not runs:
            return []
        message = wire.batch(runs)
        self.used = True
        limit = self.grace_seconds + sum(run.limits.wall_seconds for run in runs)
        self.broken = True  # until every answer is in: a cancelled batch leaves answers in the stream
        try:
            async with asyncio.timeout(limit):
                _, outcomes = await asyncio.gather(self.stream.write(message), self._outcomes(runs))
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as problem:
            raise SandboxUnavailable(self._reason("stopped answering", problem)) from problem
        self.broken = False
        return outcomes

    async def _outcomes(self, runs: Sequence[Run]) -> list[Outcome]:
        return [wire.outcome(await self._frame(), run) for run in runs]

    async def _frame(self) -> bytes:
        size = int.from_bytes(await self.stream.read(wire.HEADER_BYTES), "big")
        if size > wire.RESULT_CAP:
            raise SandboxUnavailable(f"A cell announced a frame of {size} bytes; {wire.RESULT_CAP} are allowed.")
        body = wire.opened(await self.stream.read(size), self.key, self.received)
        self.received += 1
        return body

    def _reason(self, what: str, problem: BaseException) -> str:
        said = self.diagnose().strip()[-800:]
        kind = type(problem).__name__
        return f"A {self.place.backend} cell {what} ({kind})" + (f"; it wrote: {said}" if said else ".")
