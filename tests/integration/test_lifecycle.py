"""The daemon's life on a real queue: signals, targets, faults, outages, clock jumps, and what systemd hears."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import URL

from ghostd.core.concept import Concept
from ghostd.core.lesson import Lesson
from ghostd.cycles.config import CuriosityConfig, VersionsConfig
from ghostd.cycles.curiosity import Curiosity
from ghostd.cycles.export import Export
from ghostd.daemon.config import DaemonConfig
from ghostd.daemon.handlers import Handlers
from ghostd.daemon.health import DaemonState, read_state
from ghostd.daemon.lifecycle import Counter, Daemon, StopRequest, Until
from ghostd.daemon.queue import Queue
from ghostd.db.config import StoreConfig
from ghostd.db.embedded import Embedded
from ghostd.db.engine import Database
from ghostd.db.migrate import upgrade
from ghostd.db.store import PostgresStore
from ghostd.errors import StoreError, StoreUnavailable
from ghostd.ports import Reply
from ghostd.testing.scripted import MemoryDatasets, Script, ScriptedTeacher
from tests.sql import execute
from tests.unit.cycles.world import World

pytest_plugins = ["tests.postgres"]

RARELY = 3600.0


class MovableClock:
    """The wall clock, which a test may set."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        return time.time() + self.offset


class SlowTeacher(ScriptedTeacher):
    """A teacher that thinks for a while; `asked_for_lesson` tells when it has begun."""

    def __init__(self, seconds: float) -> None:
        super().__init__(exams=[Reply(None, "refusal")])
        self._seconds = seconds
        self.asked_for_lesson = asyncio.Event()

    async def write_lesson(self, concept: Concept) -> Reply[Lesson]:
        self.asked_for_lesson.set()
        await asyncio.sleep(self._seconds)
        return Reply(None, "refusal")


def refusing() -> ScriptedTeacher:
    """A teacher whose every answer ends the attempt at once."""
    return ScriptedTeacher(lessons=[Reply(None, "refusal")], exams=[Reply(None, "refusal")])


class ScriptedCounter:
    """Counts as it was told to."""

    def __init__(self, *counts: int | Exception) -> None:
        self._script = Script(counts)

    async def crystal_count(self) -> int:
        return self._script.next()


@dataclass
class Life:
    """A daemon on a queue of its own, and everything a test wants to look at."""

    url: URL
    data_dir: Path
    counter: Counter = field(default_factory=lambda: ScriptedCounter(0))
    teacher: ScriptedTeacher = field(default_factory=ScriptedTeacher)
    config: DaemonConfig = field(default_factory=lambda: DaemonConfig(grace_seconds=20, reverify_every_seconds=RARELY))

    def __post_init__(self) -> None:
        self.clock = MovableClock()
        self.stop = StopRequest()
        self.queue = Queue(self.url.set(drivername="postgresql").render_as_string(hide_password=False))
        self.state = DaemonState(os.getpid(), 0.0, 0.0, "starting", "scripted", "none", "external")
        self.world = World(self.teacher, jobs=self.queue)
        store = self.world.store
        handlers = Handlers(
            Curiosity(self.teacher, store, store, store, CuriosityConfig(domains=1, backlog=2)),
            self.world.distillation,
            self.world.verification,
            self.world.reverification,
            Export(MemoryDatasets(), store, VersionsConfig()),
            self.world.calibration,
            self.world.training,
            store,
            store,
            None,  # no job of these tests runs code
            self.queue,
            self.config,
        )
        self.daemon = Daemon(
            handlers, self.counter, self.clock, self.state, self.data_dir, self.config, exclusive_store=True
        )

    @asynccontextmanager
    async def running(
        self, until: Until | None = None, on_beat: Callable[[], Awaitable[None]] | None = None
    ) -> AsyncIterator["asyncio.Task[str]"]:
        """The daemon at work; told to stop at once at the end, if it has not ended."""
        await self.world.admit(range(3))  # enough for curiosity to leave the teacher alone
        await self.queue.open()
        task = asyncio.create_task(self.daemon.run(until or Until(), self.stop, on_beat))
        try:
            yield task
        finally:
            self.stop.request()
            self.stop.request()
            await asyncio.wait([task])
            await self.queue.close()

    def told(self) -> DaemonState:
        """What the state file says."""
        state = read_state(self.data_dir)
        assert state is not None
        return state

    def distilling(self) -> list[str]:
        """How the jobs that ask the teacher stand."""
        return [
            str(status)
            for (status,) in execute(
                self.url, "SELECT status::text FROM procrastinate_jobs WHERE task_name = 'distil' ORDER BY id"
            )
        ]


@pytest.fixture
def life(database_url: URL, tmp_path: Path) -> Life:
    return Life(database_url, tmp_path)


async def eventually(happened: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for it, or fail."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.02)


async def test_the_first_signal_lets_what_is_begun_end(database_url: URL, tmp_path: Path) -> None:
    teacher = SlowTeacher(1.0)
    life = Life(database_url, tmp_path, teacher=teacher)
    life.stop.install()
    life.stop.begun()
    async with life.running() as task:
        await teacher.asked_for_lesson.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await eventually(lambda: life.told().phase == "draining")
        assert await task == "asked to stop"
    assert "doing" not in life.distilling()
    finished = [one.failure.reason for one in life.world.store.attempts.values() if one.failure]
    assert finished and set(finished) == {"lesson.refusal"}


async def test_the_second_signal_stops_now_and_hands_the_work_back(database_url: URL, tmp_path: Path) -> None:
    teacher = SlowTeacher(600.0)
    life = Life(database_url, tmp_path, teacher=teacher)
    life.stop.install()
    life.stop.begun()
    async with life.running() as task:
        await teacher.asked_for_lesson.wait()
        os.kill(os.getpid(), signal.SIGINT)
        await eventually(lambda: life.told().phase == "draining")
        assert not task.done()
        began = time.monotonic()
        os.kill(os.getpid(), signal.SIGINT)
        assert await task == "asked to stop"
        assert time.monotonic() - began < 3
    assert set(life.distilling()) == {"todo"}


async def test_what_outlasts_the_grace_is_handed_back(database_url: URL, tmp_path: Path) -> None:
    teacher = SlowTeacher(600.0)
    life = Life(database_url, tmp_path, teacher=teacher, config=DaemonConfig(grace_seconds=0.5))
    async with life.running() as task:
        await teacher.asked_for_lesson.wait()
        life.stop.request()
        began = time.monotonic()
        await task
        assert 0.4 < time.monotonic() - began < 5
    assert set(life.distilling()) == {"todo"}


async def test_it_ends_when_the_store_holds_enough(database_url: URL, tmp_path: Path) -> None:
    life = Life(database_url, tmp_path, counter=ScriptedCounter(3, 9, 10))
    async with life.running(Until(crystals=10)) as task:
        assert await asyncio.wait_for(task, 10) == "10 crystals in the store"


async def test_it_ends_when_its_time_is_over(life: Life) -> None:
    began = time.monotonic()
    async with life.running(Until(seconds=1.5)) as task:
        assert await asyncio.wait_for(task, 10) == "1.5 seconds have passed"
    assert time.monotonic() - began >= 1.5


async def test_the_state_file_tells_each_phase(life: Life) -> None:
    async with life.running() as task:
        await eventually((life.data_dir / "daemon.json").exists)
        assert life.told().phase == "working"
        beat = life.told().heartbeat_at
        await eventually(lambda: life.told().heartbeat_at > beat)
        life.stop.request()
        await task
        assert life.told().phase == "draining"


async def test_a_state_file_that_cannot_be_written_ends_nothing(life: Life) -> None:
    async with life.running(Until(seconds=1.0)) as task:
        await eventually((life.data_dir / "daemon.json").exists)
        (life.data_dir / "daemon.json").unlink()
        (life.data_dir / "daemon.json").mkdir()
        assert await task == "1 seconds have passed"


async def test_a_worker_that_dies_ends_the_daemon_with_its_error(life: Life) -> None:
    async with life.running() as task:
        await eventually((life.data_dir / "daemon.json").exists)
        execute(life.url, "DROP FUNCTION procrastinate_fetch_job_v2 CASCADE")
        with pytest.raises(StoreError, match="queue"):
            await asyncio.wait_for(task, 15)
    assert life.told().phase == "draining"


async def test_a_heartbeat_that_dies_ends_the_daemon_with_its_error(database_url: URL, tmp_path: Path) -> None:
    life = Life(database_url, tmp_path, counter=ScriptedCounter(0, StoreError("the table is gone")))
    async with life.running() as task:
        with pytest.raises(StoreError, match="the table is gone"):
            await asyncio.wait_for(task, 15)


async def test_a_clock_jump_fires_the_timers_again(database_url: URL, tmp_path: Path) -> None:
    rarely = DaemonConfig(
        choose_every_seconds=RARELY,
        explore_every_seconds=RARELY,
        reverify_every_seconds=RARELY,
        export_every_seconds=RARELY,
        sweep_every_seconds=RARELY,
    )
    life = Life(database_url, tmp_path, config=rarely, teacher=refusing())
    async with life.running():
        await eventually(lambda: len(life.world.store.attempts) == 3)
        await life.world.admit([7])
        await asyncio.sleep(1.2)
        assert len(life.world.store.attempts) == 3, "the timers rest"
        life.clock.offset = -7200.0
        await eventually(lambda: len(life.world.store.attempts) == 4)


async def test_an_outage_sets_the_alarm_and_is_waited_out(database_url: URL, tmp_path: Path) -> None:
    away = StoreUnavailable("the database is away")
    life = Life(database_url, tmp_path, counter=ScriptedCounter(0, away, away, 0))
    alarms: list[str] = []
    drawn: list[str] = []

    async def draw() -> None:
        drawn.append(life.state.alarm)
        if len(drawn) == 1:
            raise away  # the view asks the database too

    async with life.running(on_beat=draw) as task:
        while "" not in alarms[1:] or not any(alarms):
            alarms.append(life.told().alarm if (tmp_path / "daemon.json").exists() else "")
            assert not task.done()
            await asyncio.sleep(0.1)
        await eventually(lambda: len(drawn) >= 2)
        assert not task.done()
    assert "the database is away" in alarms
    assert set(drawn) == {""}, "nothing is drawn during an outage"


@contextmanager
def service_manager(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.setblocking(False)
        yield listener


def heard(listener: socket.socket) -> list[str]:
    messages = []
    while True:
        try:
            messages.append(listener.recv(4096).decode())
        except BlockingIOError:
            return messages


async def test_systemd_hears_ready_then_the_watchdog_and_stopping_last(
    life: Life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "600000")
    with service_manager(tmp_path / "notify") as listener:
        async with life.running(Until(seconds=2.5)) as task:
            await task
        first, *between, last = heard(listener)
    assert first == "READY=1\nSTATUS=learning from scripted"
    assert set(between) == {"WATCHDOG=1"}
    assert last == "STOPPING=1"


async def test_a_real_restart_of_the_database_is_survived(open_directory: Path, tmp_path: Path) -> None:
    server = Embedded(open_directory, settings={"fsync": "off"})
    url = await asyncio.to_thread(server.start)
    try:
        await upgrade(url)
        async with PostgresStore(Database(url, StoreConfig(connect_timeout_seconds=2))) as store:
            life = Life(url, tmp_path, counter=store, teacher=refusing())
            async with life.running() as task:
                await eventually(lambda: len(life.world.store.attempts) == 3)
                await asyncio.to_thread(server.stop)
                await eventually(lambda: bool(life.told().alarm), 40)
                await asyncio.sleep(3)
                assert not task.done()
                await life.world.admit([7, 8])
                await asyncio.to_thread(server.start)
                await eventually(lambda: not life.told().alarm, 40)
                await eventually(lambda: len(life.world.store.attempts) == 5, 60)
                assert not task.done()
    finally:
        await asyncio.to_thread(server.stop)
