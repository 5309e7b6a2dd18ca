"""Calibration on a real Postgres, real HTTP bodies and real cells: right labels, off the books, and a real pause."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL

from ghostd.app import calibration_of, opened_daemon
from ghostd.core.calibration import Label, Order, Tally, total
from ghostd.daemon.lifecycle import StopRequest, Until
from ghostd.db.store import PostgresStore
from ghostd.monitor.status import knowledge_status
from ghostd.sandbox.config import Backend
from ghostd.settings import Settings, load
from ghostd.verify.config import VerificationConfig
from ghostd.verify.pipeline import Verifier
from tests.sandboxes import started
from tests.sql import execute

pytest_plugins = ["tests.postgres"]

BOOKS = ("domains", "concepts", "attempts", "evidence", "crystals", "ledger")


def counts(url: URL) -> dict[str, int]:
    return {table: execute(url, f"SELECT count(*) FROM {table}")[0][0] for table in BOOKS}


def settings(url: URL, data_dir: Path, **overrides: object) -> Settings:
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    values = {"database": {"url": address}, "textbook": {"always": True}, "sandbox": {"backend": "trusted"}}
    return load(data_dir=data_dir, **(values | overrides))


async def test_each_item_gets_its_due_and_nothing_is_entered_in_the_books(
    store: PostgresStore, database_url: URL, tmp_path: Path
) -> None:
    before = counts(database_url)
    async with started(Backend.TRUSTED) as sandbox:
        verifier = Verifier(sandbox, VerificationConfig(cpu_seconds=1.0, batch_seconds=0.2))
        cycle = calibration_of(settings(database_url, tmp_path), store, verifier)
        tallies = await cycle.run(Order(false=12, true=6, deep=4, seed=11), "for the test", 6)
        again = await cycle.run(Order(false=2, true=0, seed=11, kind="wrong_claim"), "for the test", 2)
        await verifier.close()
    false, true = total(tallies, Label.FALSE), total(tallies, Label.TRUE)
    assert (false.planted, false.accepted) == (12, 0)
    assert (true.planted, true.accepted) == (6, 6), [one.misjudged for one in tallies]
    assert true.mutants_killed >= 0.8 * true.mutants_total > 0
    deep = {one.kind: one for one in tallies if one.label is Label.DEEP}
    assert deep["deep_misconception_two_teachers"].accepted == 0
    assert again[0].accepted == 0
    assert counts(database_url) == before
    await _the_accounts_are_kept_apart(store, database_url)
    assert [one["false_planted"] for one in await store.calibration_trend(5)] == [2, 12]
    assert sum(one.planted for one in await store.calibration_window(3600)) == 24


async def _the_accounts_are_kept_apart(store: PostgresStore, url: URL) -> None:
    assert (await store.spend())["calls"] == 0
    assert (await store.calibration_calls.spend())["calls"] >= 48
    assert execute(url, "SELECT DISTINCT purpose, status FROM llm_calls WHERE kind = 'exam'") == [("calibration", "ok")]


async def test_calibration_is_due_an_hour_after_the_first_cycle_and_then_daily(
    store: PostgresStore, database_url: URL
) -> None:
    assert not await store.calibration_due(86_400, 3600), "nothing has run yet"
    run = await store.start_run("curiosity", "test")
    assert not await store.calibration_due(86_400, 3600)
    execute(database_url, "UPDATE cycle_runs SET started_at = now() - interval '61 minutes'")
    assert await store.calibration_due(86_400, 3600)
    await store.record_calibration(run, [Tally("off_by_one", Label.FALSE, 1, 0)])
    assert not await store.calibration_due(86_400, 3600)
    execute(database_url, "UPDATE calibrations SET created_at = now() - interval '25 hours'")
    assert await store.calibration_due(86_400, 3600)


async def fool_a_lax_verifier(store: PostgresStore, chosen: Settings) -> None:
    """A run that raises the alarm: this verifier keeps what only runs and repeats, whatever its exam is worth."""
    async with started(Backend.TRUSTED) as sandbox:
        verifier = Verifier(sandbox, VerificationConfig(minimum_grade="reproducible", batch_seconds=0.2))
        (tally,) = await calibration_of(chosen, store, verifier).run(
            Order(false=6, true=0, kind="trivial_exam"), "for the test", 3
        )
        await verifier.close()
    assert tally.accepted >= 3, tally.reasons


@asynccontextmanager
async def daemon_at_work(chosen: Settings) -> AsyncIterator[None]:
    async with opened_daemon(chosen, lambda _: None) as (daemon, _):
        stop = StopRequest()
        task = asyncio.create_task(daemon.run(Until(), stop))
        try:
            yield
        finally:
            stop.request()
            await asyncio.wait_for(task, 60)


async def eventually(happened: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_the_alarm_makes_lessons_wait_and_loses_none(
    store: PostgresStore, database_url: URL, tmp_path: Path
) -> None:
    def number(query: str) -> int:
        return int(execute(database_url, query)[0][0])

    chosen = settings(database_url, tmp_path, distillation={"in_flight": 4}, curiosity={"domains": 1, "backlog": 4})
    await fool_a_lax_verifier(store, chosen)
    async with daemon_at_work(chosen):
        parsed = "SELECT count(*) FROM attempts WHERE stage = 'parsed' AND verdict = ''"
        await eventually(lambda: number(parsed) == 4, 40)
        await asyncio.sleep(1.0)
        assert number("SELECT count(*) FROM crystals") == 0
        assert number("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'verify'") == 4
        status = (await knowledge_status(store, chosen.calibration.window_days))["calibration"]
        assert "of 6 false items were accepted" in status["paused"]
        assert await store.calibration_window(3600) == ()
        assert [one.planted for one in await store.calibration_window(3600, settled=True)] == [6]
        waiting = [one for (one,) in execute(database_url, "SELECT id FROM attempts ORDER BY id")]
        assert await store.clear_calibration_alarm("operator")
        ended = f"SELECT count(*) FROM attempts WHERE verdict <> '' AND id IN ({', '.join(map(str, waiting))})"
        await eventually(lambda: number(ended) == len(waiting), 60)
    assert number("SELECT count(*) FROM crystals") >= 3
    assert (await knowledge_status(store, chosen.calibration.window_days))["calibration"]["paused"] == ""
