"""Removes containers that nobody owns any more, and retries removals that failed; it never touches a living owner's."""

import asyncio
import time

from ghostd.errors import SandboxUnavailable
from ghostd.sandbox.engine import Engine
from ghostd.sandbox.owner import OWNER_LABEL, Owner, is_orphan, pid_namespace

_ATTEMPTS = 5  # before a removal is left to the next sweep


class Reaper:
    """Sweeps once on `start` and then on a timer."""

    def __init__(self, engine: Engine, owner: Owner, every_seconds: float) -> None:
        self._engine = engine
        self._owner = owner
        self._every_seconds = every_seconds
        self._failed: set[str] = set()  # ids whose removal is to be tried again
        self._timer: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Sweep, and go on sweeping; how many orphans the first sweep removed. Raises SandboxUnavailable."""
        removed = await self.sweep()
        self._timer = asyncio.get_running_loop().create_task(self._sweeping())
        return removed

    async def stop(self) -> None:
        """End the timer and try once more what could not be removed."""
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.gather(self._timer, return_exceptions=True)
            self._timer = None
        for container in list(self._failed):
            await self.remove(container)

    async def remove(self, container: str) -> None:
        """Remove a container now, or after a while if the engine refuses. Raises nothing."""
        for attempt in range(_ATTEMPTS):
            try:
                await asyncio.to_thread(self._engine.remove, container)
            except SandboxUnavailable:
                await asyncio.sleep(0.1 * 2**attempt)
            else:
                self._failed.discard(container)
                return
        self._failed.add(container)

    async def sweep(self) -> int:
        """Remove every orphan; how many there were. Raises SandboxUnavailable."""
        namespace, now = pid_namespace(), time.time()
        listed = await asyncio.to_thread(self._engine.labelled, OWNER_LABEL)
        orphans = [
            one.id
            for one in listed
            if is_orphan(one.labels, one.state, now - one.created_at, boot_id=self._owner.boot_id, namespace=namespace)
        ]
        for container in {*orphans, *self._failed}:
            await self.remove(container)
        return len(orphans)

    async def _sweeping(self) -> None:
        while True:
            await asyncio.sleep(self._every_seconds)
            try:
                await self.sweep()
            except SandboxUnavailable:
                continue  # whoever needs a cell meets the same outage and reports it
