"""The life of the daemon once everything is open: work until told to stop, then shut down in a numbered sequence."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ghostd.daemon.config import DaemonConfig
from ghostd.daemon.handlers import Handlers
from ghostd.daemon.health import DaemonState, write_state
from ghostd.daemon.notify import notify, watchdog_seconds
from ghostd.daemon.schedule import Schedule
from ghostd.errors import GhostdError, StoreUnavailable
from ghostd.log import logger
from ghostd.ports import Clock

_log = logger("daemon")
_HEARTBEAT_SECONDS = 1.0
_CLOCK_JUMP_SECONDS = 5.0


class Counter(Protocol):
    """Counts the crystals; proves on the way that the database answers."""

    async def crystal_count(self) -> int:
        """Crystals in the store, revoked ones left out."""
        ...


@dataclass(frozen=True, slots=True)
class Until:
    """When the daemon ends by itself; 0 means never."""

    crystals: int = 0  # crystals in the store
    seconds: float = 0.0


class StopRequest:
    """SIGTERM and SIGINT: the first asks to drain, the second to stop now; before `begun`, the first ends the start."""

    def __init__(self) -> None:
        self.drain = asyncio.Event()
        self.now = asyncio.Event()
        self._starting: asyncio.Task[object] | None = None

    def install(self) -> None:
        """Listen to the signals on the running loop; until `begun`, they cancel the task that calls this."""
        self._starting = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.request)

    def begun(self) -> None:
        """The start is over: there is something to drain now."""
        self._starting = None

    def request(self) -> None:
        """Ask to stop; ask twice to stop at once."""
        if self._starting is not None:
            self._starting.cancel()
        if self.drain.is_set():
            self.now.set()
        self.drain.set()


@dataclass(frozen=True, slots=True)
class Daemon:
    """Everything that runs, opened and handed in."""

    handlers: Handlers
    counter: Counter
    clock: Clock
    state: DaemonState
    data_dir: Path
    config: DaemonConfig
    exclusive_store: bool  # no other host works on this database

    async def run(self, until: Until, stop: StopRequest, on_beat: Callable[[], Awaitable[None]] | None = None) -> str:
        """Work until told to stop; why it stopped. Raises what a watched side task raised."""
        schedule = Schedule(self.handlers.queue, self.config)
        self.handlers.register()
        if self.exclusive_store:
            await self.handlers.recover()
        self.handlers.start_workers()
        schedule.start()
        schedule.rearm()
        self._enter("working")
        notify("READY=1", f"STATUS=learning from {self.state.teacher}")
        beat = asyncio.create_task(self._beat(until, stop, schedule, on_beat), name="heartbeat")
        asked = asyncio.create_task(stop.drain.wait(), name="stop-requested")
        watched = [beat, asked, *self.handlers.queue.running]
        try:
            done, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            return _why(done, beat, asked)
        finally:
            await self._shut_down(schedule, stop)
            asked.cancel()
            beat.cancel()
            await asyncio.gather(beat, asked, return_exceptions=True)

    async def _shut_down(self, schedule: Schedule, stop: StopRequest) -> None:
        notify("STOPPING=1")
        self._enter("draining")
        schedule.stop()  # 1. no new work, and none that outlasts the grace period
        self.handlers.interrupt()
        drained = asyncio.create_task(self.handlers.queue.drain(self.config.grace_seconds))  # 2. finish what is begun
        impatient = asyncio.create_task(stop.now.wait())
        await asyncio.wait({drained, impatient}, return_when=asyncio.FIRST_COMPLETED)
        if not drained.done():
            _log.warning("daemon.stopping_now")
            await self.handlers.queue.abort()  # 3. or hand it back
        impatient.cancel()
        await asyncio.gather(drained, impatient, return_exceptions=True)

    def _enter(self, phase: str) -> None:
        self.state.phase = phase
        self._write_state()
        _log.info(f"daemon.{phase}")

    def _write_state(self) -> None:
        self.state.heartbeat_at = self.clock.now()
        try:
            write_state(self.data_dir, self.state)
        except OSError as error:  # a full disk must not take the daemon down
            _log.warning("state.unwritten", reason=str(error))

    async def _beat(
        self, until: Until, stop: StopRequest, schedule: Schedule, on_beat: Callable[[], Awaitable[None]] | None
    ) -> str:
        loop = asyncio.get_running_loop()
        began = loop.time()
        watchdog, fed = watchdog_seconds(), began
        offset = self.clock.now() - began
        while not stop.drain.is_set():
            jump = self.clock.now() - loop.time() - offset
            if abs(jump) > _CLOCK_JUMP_SECONDS:
                _log.warning("clock.jumped", seconds=round(jump, 1))
                offset += jump
                schedule.rearm()
            reason = await self._look(until, loop.time() - began)
            if reason:
                return reason
            if watchdog and loop.time() - fed >= min(watchdog, _HEARTBEAT_SECONDS) and self.state.store_answers:
                notify("WATCHDOG=1")
                fed = loop.time()
            if on_beat is not None and self.state.store_answers:
                with suppress(StoreUnavailable):  # the next look at the database sets the alarm
                    await on_beat()
            await asyncio.sleep(_HEARTBEAT_SECONDS if not until.crystals else _HEARTBEAT_SECONDS / 4)
        return "asked to stop"

    async def _look(self, until: Until, age_seconds: float) -> str:
        """Ask the database how far things are; why to stop, or ''."""
        try:
            crystals = await self.counter.crystal_count()
            self.state.store_answers, self.state.alarm = True, self.handlers.queue.alarm
        except StoreUnavailable as outage:
            self.state.store_answers, self.state.alarm = False, str(outage)
            return ""
        finally:
            self._write_state()
        if until.crystals and crystals >= until.crystals:
            return f"{crystals} crystals in the store"
        if until.seconds and age_seconds >= until.seconds:
            return f"{until.seconds:g} seconds have passed"
        return ""


def _why(done: set["asyncio.Task[object]"], beat: "asyncio.Task[str]", asked: "asyncio.Task[bool]") -> str:
    for task in done - {beat, asked}:
        task.result()  # raises what the worker raised
        raise GhostdError(f"The {task.get_name()} ended by itself; that is a defect. Start again with `ghostd start`.")
    return beat.result() if beat in done else "asked to stop"
