"""A warm pool of one-shot cells over any launcher; it knows nothing of containers or processes."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from ghostd.errors import SandboxUnavailable
from ghostd.sandbox.config import SandboxConfig
from ghostd.sandbox.selftest import prove
from ghostd.sandbox.session import Session


class Launcher(Protocol):
    """Starts cells of one kind."""

    backend: str
    image_id: str
    isolates: bool  # whether its cells have no network and a read-only root

    async def prepare(self) -> None:
        """Connect, and reap what dead owners left. Raises SandboxUnavailable."""
        ...

    async def launch(self) -> Session:
        """A started cell, not yet greeted. Raises SandboxUnavailable."""
        ...

    async def close(self) -> None:
        """Let go of the engine; every cell is destroyed by now."""
        ...


class WarmPool:
    """Implements `ports.Sandbox`: cells are started before they are needed and never used twice."""

    def __init__(self, launcher: Launcher, config: SandboxConfig) -> None:
        self.backend = launcher.backend  # docker, bubblewrap or trusted
        self.image_id = ""  # what the cells consist of, as evidence names it; known once started
        self._launcher = launcher
        self._config = config
        self._lifecycle = asyncio.Semaphore(config.lifecycle_in_flight)
        self._warm: deque[Session] = deque()
        self._live: set[Session] = set()
        self._background: set[asyncio.Task[None]] = set()
        self._refill: asyncio.Task[None] | None = None
        self._stopping = True  # until started

    async def start(self) -> None:
        """Prepare the launcher, prove the isolation on a canary cell, begin to fill the pool. Raises SandboxError."""
        await self._launcher.prepare()
        self.image_id = self._launcher.image_id
        self._stopping = False
        try:
            async with self.cell() as canary:
                await prove(canary, isolated=self._launcher.isolates)
        except BaseException:
            await self.stop()
            raise
        self._fill()

    async def stop(self) -> None:
        """Destroy every cell; safe to call again."""
        self._stopping = True
        if self._refill is not None:
            self._refill.cancel()
            await asyncio.gather(self._refill, return_exceptions=True)
            self._refill = None
        self._warm.clear()
        await asyncio.gather(*(self._destroy(session) for session in list(self._live)))
        await asyncio.gather(*self._background)
        await self._launcher.close()

    @asynccontextmanager
    async def cell(self) -> AsyncIterator[Session]:
        """A fresh cell, destroyed on leaving the context, whatever happened. Raises SandboxUnavailable."""
        if self._stopping:
            raise SandboxUnavailable("The sandbox is not started.")
        session = self._warm.popleft() if self._warm else await self._open()
        self._fill()
        try:
            yield session
        finally:
            # destroyed in the background: the caller has its outcomes and need not wait for the engine
            task = asyncio.get_running_loop().create_task(self._destroy(session))
            self._background.add(task)
            task.add_done_callback(self._background.discard)

    async def _open(self) -> Session:
        async with self._lifecycle:
            session = await self._launcher.launch()
            self._live.add(session)
        try:
            await session.greet(self._config.start_seconds)
        except BaseException:
            await self._destroy(session)
            raise
        return session

    async def _destroy(self, session: Session) -> None:
        async with self._lifecycle:
            await session.destroy()
            self._live.discard(session)

    def _fill(self) -> None:
        if not self._stopping and (self._refill is None or self._refill.done()):
            self._refill = asyncio.get_running_loop().create_task(self._refilling())

    async def _refilling(self) -> None:
        """Open cells until the pool is full. An engine that fails is met again by whoever asks for a cell next."""
        while len(self._warm) < self._config.warm_cells and not self._stopping:
            try:
                session = await self._open()
            except SandboxUnavailable:
                return
            self._warm.append(session)
