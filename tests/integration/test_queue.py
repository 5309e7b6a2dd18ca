"""The queue on a real Postgres: what it promises about keys, outages, defects, dead workers and the end."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import URL

from ghostd.daemon.queue import GiveUp, Handler, Queue, Task
from ghostd.errors import BudgetExceeded, StoreError, StoreUnavailable, TeacherUnavailable
from tests.sql import execute

pytest_plugins = ["tests.postgres"]

TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
JOBS = "SELECT task_name, status::text, attempts, args FROM procrastinate_jobs ORDER BY id"


async def never_give_up(task: str, arguments: Mapping[str, str | int], error: Exception) -> bool:
    return False


async def do_nothing(**arguments: str | int) -> None:
    """A handler that is never reached or has nothing to do."""


@asynccontextmanager
async def queue(url: URL, handler: Handler, give_up: GiveUp = never_give_up) -> AsyncIterator[Queue]:
    """An open queue with one kind of job, `work`, and no worker yet; closed with its workers aborted."""
    opened = Queue(url.set(drivername="postgresql").render_as_string(hide_password=False))
    await opened.open()
    opened.register({"work": Task(handler, "teacher")}, give_up)
    try:
        yield opened
    finally:
        await opened.abort()
        await opened.close()


async def eventually(happened: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for it, or fail."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.02)


def hang_after(started: asyncio.Event) -> Callable[..., Awaitable[None]]:
    async def hang(**arguments: str | int) -> None:
        started.set()
        await asyncio.sleep(600)

    return hang


def hurry(url: URL) -> None:
    """Make everything that waits due now."""
    execute(url, "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo'")


async def test_equal_keys_do_not_pile_up_and_other_keys_do(database_url: URL) -> None:
    async with queue(database_url, do_nothing) as jobs:
        first = await asyncio.gather(*(jobs.defer("work", "one", number=number) for number in range(8)))
        assert sorted(first) == [False] * 7 + [True]
        assert await jobs.defer("work", "two", number=2)
    assert len(execute(database_url, JOBS)) == 2


async def test_a_job_is_done_once_with_its_arguments_and_leaves_no_row(database_url: URL) -> None:
    done: list[dict[str, str | int]] = []

    async def handler(**arguments: str | int) -> None:
        done.append(arguments)

    async with queue(database_url, handler) as jobs:
        await jobs.defer("work", "one", slug="maths/sum", attempt_id=7)
        jobs.start_workers({"teacher": 2})
        await eventually(lambda: not execute(database_url, JOBS))
    assert done == [{"slug": "maths/sum", "attempt_id": 7}]


async def test_an_equal_job_waits_until_the_one_in_hand_is_done(database_url: URL) -> None:
    together, most, done = 0, 0, 0

    async def handler(**arguments: str | int) -> None:
        nonlocal together, most, done
        together += 1
        most = max(most, together)
        await asyncio.sleep(0.3)
        together -= 1
        done += 1

    async with queue(database_url, handler) as jobs:
        jobs.start_workers({"teacher": 4})
        await jobs.defer("work", "one")
        await eventually(lambda: together == 1)
        assert await jobs.defer("work", "one"), "what is in hand does not keep the next one away"
        await eventually(lambda: done == 2)
    assert most == 1


@pytest.mark.parametrize("outage", [StoreUnavailable(), TeacherUnavailable()])
async def test_an_outage_is_waited_out_with_growing_patience(database_url: URL, outage: Exception) -> None:
    asked: list[Exception] = []
    tries = 0

    async def handler(**arguments: str | int) -> None:
        nonlocal tries
        tries += 1
        if tries <= 7:
            raise outage

    async def give_up(task: str, arguments: Mapping[str, str | int], error: Exception) -> bool:
        asked.append(error)
        return False

    waits: list[float] = []
    async with queue(database_url, handler, give_up) as jobs:
        await jobs.defer("work", "one")
        jobs.start_workers({"teacher": 1})
        for seen in range(1, 8):
            await eventually(lambda seen=seen: [row[1:3] for row in execute(database_url, JOBS)] == [("todo", seen)])
            ((wait,),) = execute(
                database_url, "SELECT extract(epoch FROM scheduled_at - now())::float8 FROM procrastinate_jobs"
            )
            waits.append(float(str(wait)))
            hurry(database_url)
        await eventually(lambda: not execute(database_url, JOBS))
    assert tries == 8
    assert asked == [outage] * 3, "after five tries it is asked whether the job causes the outage"
    assert all(2**number - 1.5 <= wait <= 2**number for number, wait in enumerate(waits[:6])), waits
    assert 58 <= waits[6] <= 60


async def test_a_spent_budget_is_looked_at_again_once_a_minute(database_url: URL) -> None:
    async def handler(**arguments: str | int) -> None:
        raise BudgetExceeded

    async with queue(database_url, handler) as jobs:
        await jobs.defer("work", "one")
        jobs.start_workers({"teacher": 1})
        await eventually(lambda: [row[1:3] for row in execute(database_url, JOBS)] == [("todo", 1)])
        ((wait,),) = execute(
            database_url, "SELECT extract(epoch FROM scheduled_at - now())::float8 FROM procrastinate_jobs"
        )
    assert 55 <= float(str(wait)) <= 60


async def test_an_outage_that_the_job_itself_causes_ends_with_the_job(database_url: URL) -> None:
    tries = 0

    async def handler(**arguments: str | int) -> None:
        nonlocal tries
        tries += 1
        raise TeacherUnavailable

    async def give_up(task: str, arguments: Mapping[str, str | int], error: Exception) -> bool:
        return True

    async with queue(database_url, handler, give_up) as jobs:
        await jobs.defer("work", "one")
        jobs.start_workers({"teacher": 1})
        for seen in range(1, 5):
            await eventually(lambda seen=seen: [row[1:3] for row in execute(database_url, JOBS)] == [("todo", seen)])
            hurry(database_url)
        await eventually(lambda: not execute(database_url, JOBS))
    assert tries == 5


async def test_a_defect_is_tried_three_times_and_then_given_up(database_url: URL) -> None:
    given_up: list[tuple[str, dict[str, str | int], str]] = []
    tries = 0

    async def handler(**arguments: str | int) -> None:
        nonlocal tries
        tries += 1
        raise ZeroDivisionError("a defect")

    async def give_up(task: str, arguments: Mapping[str, str | int], error: Exception) -> bool:
        given_up.append((task, dict(arguments), repr(error)))
        return True

    async with queue(database_url, handler, give_up) as jobs:
        await jobs.defer("work", "one", slug="a")
        jobs.start_workers({"teacher": 1})
        await eventually(lambda: not execute(database_url, JOBS))
    assert tries == 3
    assert given_up == [("work", {"slug": "a"}, "ZeroDivisionError('a defect')")]


async def test_a_failed_job_makes_room_for_an_equal_one_that_waits(database_url: URL) -> None:
    started, fail = asyncio.Event(), asyncio.Event()
    tries = 0

    async def handler(**arguments: str | int) -> None:
        nonlocal tries
        tries += 1
        started.set()
        await fail.wait()
        if tries == 1:
            raise TeacherUnavailable

    async with queue(database_url, handler) as jobs:
        jobs.start_workers({"teacher": 1})
        await jobs.defer("work", "one")
        await started.wait()
        assert await jobs.defer("work", "one")
        fail.set()
        await eventually(lambda: not execute(database_url, JOBS))
    assert tries == 2


async def test_the_jobs_of_a_killed_worker_are_given_back_at_once_when_asked(database_url: URL) -> None:
    started = asyncio.Event()
    async with queue(database_url, hang_after(started)) as jobs:
        await jobs.defer("work", "one", slug="a")
        jobs.start_workers({"teacher": 1})
        await started.wait()
        snapshot = execute(database_url, JOBS)
        assert snapshot == [("work", "doing", 0, {"slug": "a"})]
        async with queue(database_url, do_nothing) as other:  # as a restarted daemon would see it
            assert await other.reap(3600) == 0, "a worker that was heard of lately keeps its jobs"
            assert await other.reap(0) == 1
            assert execute(database_url, JOBS) == [("work", "todo", 1, {"slug": "a"})]


async def test_a_reaped_job_makes_room_for_an_equal_one_that_waits(database_url: URL) -> None:
    started = asyncio.Event()
    async with queue(database_url, hang_after(started)) as jobs:
        await jobs.defer("work", "one")
        jobs.start_workers({"teacher": 1})
        await started.wait()
        assert await jobs.defer("work", "one")
        async with queue(database_url, do_nothing) as other:
            assert await other.reap(0) == 1
            assert [row[1:3] for row in execute(database_url, JOBS)] == [("todo", 0)]


async def test_draining_waits_for_what_is_begun_and_begins_nothing(database_url: URL) -> None:
    started, done = asyncio.Event(), []

    async def handler(**arguments: str | int) -> None:
        started.set()
        await asyncio.sleep(0.5)
        done.append(arguments["number"])

    async with queue(database_url, handler) as jobs:
        await jobs.defer("work", "one", number=1)
        jobs.start_workers({"teacher": 1})
        await started.wait()
        await jobs.defer("work", "two", number=2)
        await jobs.drain(10.0)
        assert done == [1]
        assert execute(database_url, JOBS) == [("work", "todo", 0, {"number": 2})]


async def test_draining_hands_back_what_takes_longer_than_the_grace(database_url: URL) -> None:
    started = asyncio.Event()
    async with queue(database_url, hang_after(started)) as jobs:
        await jobs.defer("work", "one", slug="a")
        jobs.start_workers({"teacher": 1})
        await started.wait()
        began = time.monotonic()
        await jobs.drain(0.3)
        assert time.monotonic() - began < 3
        assert execute(database_url, JOBS) == [("work", "todo", 1, {"slug": "a"})]


async def test_aborting_is_fast_even_while_draining_and_hands_everything_back(database_url: URL) -> None:
    started = asyncio.Event()
    async with queue(database_url, hang_after(started)) as jobs:
        for number in range(4):
            await jobs.defer("work", f"key {number}")
        jobs.start_workers({"teacher": 4})
        await started.wait()
        await eventually(lambda: [row[1] for row in execute(database_url, JOBS)] == ["doing"] * 4)
        drained = asyncio.create_task(jobs.drain(600))
        await asyncio.sleep(0.1)
        began = time.monotonic()
        await jobs.abort()
        await drained
        assert time.monotonic() - began < 3
    assert [row[1] for row in execute(database_url, JOBS)] == ["todo"] * 4


async def test_workers_survive_the_loss_of_every_connection(database_url: URL) -> None:
    done: list[str | int] = []

    async def handler(**arguments: str | int) -> None:
        done.append(arguments["number"])

    async with queue(database_url, handler) as jobs:
        jobs.start_workers({"teacher": 1})
        await jobs.defer("work", "before", number=1)
        await eventually(lambda: done == [1])
        for _ in range(3):
            execute(database_url.set(database="template1"), f"{TERMINATE} WHERE datname = %s", database_url.database)
            await asyncio.sleep(0.2)
        await jobs.defer("work", "after", number=2)
        await eventually(lambda: done == [1, 2], 30)
        assert not any(task.done() for task in jobs.running)


async def test_a_daemon_that_slept_for_long_keeps_its_jobs_and_one_that_was_struck_off_comes_back(
    database_url: URL,
) -> None:
    sleeping = "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'"
    done: list[str | int] = []
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(**arguments: str | int) -> None:
        started.set()
        await go_on.wait()
        done.append(arguments["number"])

    async with queue(database_url, handler) as jobs, queue(database_url, do_nothing) as other:
        jobs.start_workers({"teacher": 2})
        await jobs.defer("work", "one", number=1)
        await started.wait()
        execute(database_url, sleeping)
        assert await jobs.reap(45) == 0, "its own job is in hand"
        assert await other.reap(45) == 0, "and the others know now"
        go_on.set()
        await eventually(lambda: done == [1] and not execute(database_url, JOBS))
        execute(database_url, sleeping)
        await other.reap(45)
        await jobs.defer("work", "two", number=2)
        await eventually(lambda: done == [1, 2])
        assert not any(task.done() for task in jobs.running)


async def test_a_worker_that_cannot_go_on_ends_with_its_error(database_url: URL) -> None:
    async with queue(database_url, do_nothing) as jobs:
        jobs.start_workers({"teacher": 1})
        execute(database_url, "DROP FUNCTION procrastinate_fetch_job_v2 CASCADE")
        await jobs.defer("work", "one")
        await eventually(jobs.running[0].done)
        with pytest.raises(StoreError, match="queue"):
            await jobs.running[0]


async def test_a_database_that_is_gone_is_an_outage_and_a_broken_one_an_error(database_url: URL) -> None:
    async with queue(database_url, do_nothing) as jobs:
        execute(database_url, "DROP TABLE procrastinate_jobs CASCADE")
        with pytest.raises(StoreError, match="db upgrade"):
            await jobs.defer("work", "one")
        execute(
            database_url.set(database="template1"),
            f"ALTER DATABASE {database_url.database} WITH ALLOW_CONNECTIONS false",
        )
        execute(database_url.set(database="template1"), f"{TERMINATE} WHERE datname = %s", database_url.database)
        with pytest.raises(StoreUnavailable):
            await jobs.defer("work", "one")
