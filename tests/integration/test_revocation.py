"""Revocation on a real Postgres: datasets are marked, nothing happens twice, and no moment to die in leaves half of it.

Every test of interruptions ends in the state of an undisturbed run: after a fault between any two statements, after
SIGKILL between any two statements, and after SIGKILL at random moments.
"""

import asyncio
import dataclasses
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, event

from ghostd.core.crystal import Crystal, Grade, Stage, Verdict, VerdictKind
from ghostd.core.lesson import Failure
from ghostd.core.reverification import Image, judge
from ghostd.cycles.config import ReverificationConfig
from ghostd.cycles.reverification import Reverification
from ghostd.db.config import StoreConfig
from ghostd.db.engine import Database
from ghostd.db.store import PostgresStore
from ghostd.testing.scripted import SettableClock
from tests.crystals import crystal
from tests.sql import execute
from tests.unit.cycles.evidence import executed

pytest_plugins = ["tests.postgres"]
pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]
IMAGE = Image("docker", "sha256:1234", "abcd")
CRYSTALS = 8  # 0 is the ancestor of 1, 2 and 3; 4 is made of 1 and 5; the others stand alone
LINEAGE = {1: [0], 2: [1], 3: [2], 4: [1, 5]}
FALLEN = (0, 1, 2, 3, 4)
WRONG = (0, 6)  # what no longer holds when it is replayed
STATE = {  # all that a revocation touches, without times
    "revocations": "SELECT crystal_id, reason, revoked_by, origin_id FROM revocations ORDER BY crystal_id",
    "ledger": "SELECT leaf_index, kind, subject, entry FROM ledger ORDER BY leaf_index",
    "concepts": "SELECT slug, state FROM concepts ORDER BY slug",
    "standings": "SELECT crystal_id, verdict FROM standings ORDER BY crystal_id",
    "datasets": "SELECT path, revoked FROM datasets ORDER BY id",
    "sketches": "SELECT kind, owner FROM sketches WHERE kind <> 'concept' ORDER BY kind, owner",
    "replays": "SELECT crystal_id, verdict, decision, detail FROM reverifications ORDER BY crystal_id, id",
    "evidence": "SELECT crystal_id, purpose FROM evidence WHERE crystal_id IS NOT NULL ORDER BY crystal_id, id",
}


def verdict(one: Crystal) -> Verdict:
    held = Verdict(VerdictKind.VERIFIED, one.grade, Stage.TESTED, None, (executed(IMAGE),), one.claims)
    return dataclasses.replace(held, mutants_killed=12, mutants_total=12)


class Forgetful:
    """A verifier for which `WRONG` no longer hold, every time they are replayed."""

    async def replay(self, one: Crystal) -> Verdict:
        if one.id in {crystal(number).id for number in WRONG}:
            failure = Failure("audited", "audited.drift", "1 != 2")
            return Verdict(VerdictKind.REFUTED, Grade.NONE, Stage.TESTED, failure, (executed(IMAGE),))
        return verdict(one)


async def populate(store: PostgresStore) -> None:
    """Crystals with their lineage, and three datasets: all of them, the unaffected, the half affected.

    The wrong ones and one more are due for a replay; the others had one just now.
    """
    for number in range(CRYSTALS):
        one = crystal(number)
        await store.admit_concepts([one.concept], "for the test")
        attempt = await store.open_attempt(one.concept, one.teacher)
        await store.record_lesson(attempt.id, one.lesson, one.exam)
        assert await store.crystallise(attempt.id, one, verdict(one))
    for child, parents in LINEAGE.items():
        await store.record_lineage(crystal(child).id, [crystal(parent).id for parent in parents], "dream")
    for number in set(range(CRYSTALS)) - {*WRONG, 5}:
        await store.record_reverification(crystal(number).id, verdict(crystal(number)))
    for path, numbers in {"/all": range(CRYSTALS), "/none": (5, 7), "/half": (3, 7)}.items():
        await store.record_dataset(path, "root", len(numbers), {}, [crystal(number).id for number in numbers])


async def revoke(store: PostgresStore) -> None:
    await store.revoke(crystal(0).id, "it was wrong", "alice")


async def reverify(store: PostgresStore) -> None:
    config = ReverificationConfig(batch=CRYSTALS)
    await Reverification(Forgetful(), store, store, IMAGE, SettableClock(), config).reverify()


WORK: dict[str, Callable[[PostgresStore], Awaitable[None]]] = {"revoke": revoke, "reverify": reverify}


def state(url: URL) -> dict[str, list[tuple[Any, ...]]]:
    return {name: execute(url, statement) for name, statement in STATE.items()}


def comparable(found: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[Any]]:
    """Which of the crystals due is replayed first is of no account: leaves in any order, but each once."""
    leaves = found["ledger"]
    assert [leaf[0] for leaf in leaves] == list(range(len(leaves))), "no gap and no index twice"
    return {**found, "ledger": sorted(leaf[1:] for leaf in leaves)}


def opened(url: URL) -> PostgresStore:
    return PostgresStore(Database(url, StoreConfig()))


@contextmanager
def before_statement(store: PostgresStore, number: int, strike: Callable[[], None]) -> Iterator[None]:
    """Strike before the statement of that number, counted from 0; the commit counts as one."""
    numbers = count()
    engine = store.engine.engine.sync_engine

    def hear(*_: object) -> None:
        if next(numbers) == number:
            strike()

    event.listen(engine, "before_cursor_execute", hear)
    event.listen(engine, "commit", hear)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", hear)
        event.remove(engine, "commit", hear)


@pytest.fixture
def copies(server_url: URL, database_url: URL) -> Iterator[Callable[[], URL]]:
    """Populated databases, one after the other, each a copy of the first; the last one goes when the next comes."""
    name = f"{database_url.database}_copy"
    drop = f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"

    async def fill() -> None:
        async with opened(database_url) as store:
            await populate(store)

    asyncio.run(fill())

    def copy() -> URL:
        execute(server_url, drop)
        execute(server_url, f"CREATE DATABASE {name} TEMPLATE {database_url.database}")
        return server_url.set(database=name)

    yield copy
    execute(server_url, drop)


def work_once(url: URL, work: str, strike_at: int | None = None, strike: Callable[[], None] = lambda: None) -> None:
    async def run() -> None:
        async with opened(url) as store:
            with before_statement(store, -1 if strike_at is None else strike_at, strike):
                await WORK[work](store)

    asyncio.run(run())


def expected(copies: Callable[[], URL], work: str) -> dict[str, list[Any]]:
    """The state after an undisturbed run."""
    url = copies()
    work_once(url, work)
    return comparable(state(url))


def test_every_descendant_is_revoked_once_and_every_dataset_with_one_is_marked(copies: Callable[[], URL]) -> None:
    url = copies()
    before = state(url)
    work_once(url, "revoke")
    after = state(url)
    fallen = {crystal(number).id for number in FALLEN}
    assert {row[0] for row in after["revocations"]} == fallen
    assert after["ledger"][len(before["ledger"])][2] == crystal(0).id, "the one that failed comes first"
    assert {row[2] for row in after["ledger"] if row[1] == "revocation"} == fallen
    assert after["datasets"] == [("/all", 5), ("/none", 0), ("/half", 1)]
    assert {row[0] for row in after["standings"]} == {crystal(number).id for number in (5, 6, 7)}
    reopened = {slug for slug, state_ in after["concepts"] if state_ == "open"}
    assert reopened == {crystal(number).concept.slug for number in FALLEN}
    assert after["sketches"] == before["sketches"], "what was false is remembered, so that it is not learnt again"
    work_once(url, "revoke")
    assert state(url) == after, "the second time changes nothing"


def test_of_many_who_revoke_at_once_each_crystal_gets_one_leaf(copies: Callable[[], URL]) -> None:
    url = copies()
    failed = Verdict(VerdictKind.REFUTED, Grade.NONE, Stage.TESTED, Failure("audited", "audited.drift"), ())

    async def at_once() -> list[Any]:
        async with opened(url) as store:
            return await asyncio.gather(
                *(store.revoke(crystal(number).id, f"by {number}") for number in (0, 1, 2, 3) for _ in range(2)),
                store.record_reverification(crystal(1).id, failed, judge([failed, failed])),
                store.record_lineage(crystal(7).id, [crystal(3).id], "dream"),
                store.record_dataset("/late", "root", 2, {}, [crystal(3).id, crystal(5).id]),
            )

    *withdrawn, _, _ = asyncio.run(at_once())
    by_callers = [crystal_id for ids in withdrawn for crystal_id in ids]
    assert len(by_callers) == len(set(by_callers)), "each crystal was withdrawn by one call"
    fallen = {crystal(number).id for number in (*FALLEN, 7)}
    assert set(by_callers) | {crystal(7).id} == fallen
    found = state(url)
    assert sorted(row[2] for row in found["ledger"] if row[1] == "revocation") == sorted(fallen)
    assert [leaf[0] for leaf in found["ledger"]] == list(range(len(found["ledger"])))
    assert found["datasets"][-1] == ("/late", 1)


def test_a_dataset_that_was_written_before_a_revocation_and_recorded_after_it_is_marked(
    copies: Callable[[], URL],
) -> None:
    url = copies()
    work_once(url, "revoke")

    async def record() -> int:
        async with opened(url) as store:
            await store.record_dataset("/late", "root", 2, {}, [crystal(0).id, crystal(7).id])
            (newest, *_) = await store.dataset_versions()
            assert [name for name, _ in await store.revoked_in("/late")] == [crystal(0).id]
            assert await store.revoked_in("/none") == []
            return newest.revoked

    assert asyncio.run(record()) == 1


def test_a_dataset_whose_folder_was_dropped_is_forgotten_unless_a_student_learnt_from_it(
    copies: Callable[[], URL],
) -> None:
    url = copies()

    async def drop() -> list[tuple[str, int, bool]]:
        async with opened(url) as store:
            (used,) = [one.id for one in await store.dataset_versions() if one.path == "/half"]
            run = await store.request_training("ghost")
            await store.begin_training(run.id, "/student", used)
            await store.datasets_dropped(["/all", "/half"])
            await revoke(store)
            return [(one.path, one.revoked, one.dropped) for one in await store.dataset_versions()]

    assert asyncio.run(drop()) == [("/half", 1, True), ("/none", 0, False), ("/all", 0, True)]


class Fault(Exception):
    """Injected between two statements."""


def fail() -> None:
    raise Fault


@pytest.mark.slow
@pytest.mark.parametrize("work", WORK)
def test_a_fault_between_any_two_statements_changes_nothing_that_a_second_run_does_not_mend(
    copies: Callable[[], URL], work: str
) -> None:
    wanted, before = expected(copies, work), comparable(state(copies()))
    struck = 0
    for place in count():
        url = copies()
        try:
            work_once(url, work, place, fail)
        except Fault:
            struck += 1
        else:
            break  # there are no more statements
        if work == "revoke":
            assert comparable(state(url)) == before, f"half of it was done before statement {place}"
        work_once(url, work)
        assert comparable(state(url)) == wanted, f"statement {place}"
    assert struck > 10


@pytest.mark.slow
@pytest.mark.parametrize("work", WORK)
def test_kill_nine_between_any_two_statements_ends_in_the_same_state(copies: Callable[[], URL], work: str) -> None:
    wanted = expected(copies, work)
    killed = 0
    for place in count():
        url = copies()
        if not died(url, work, place):
            break
        killed += 1
        work_once(url, work)
        assert comparable(state(url)) == wanted, f"statement {place}"
    assert killed > 10


def died(url: URL, work: str, place: int) -> bool:
    """Do the work in a child that kills itself before that statement; whether it came to that."""
    child = os.fork()
    if child == 0:
        work_once(url, work, place, lambda: os.kill(os.getpid(), signal.SIGKILL))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


_WORKER = """
import sys
from sqlalchemy import make_url
from tests.integration.test_revocation import work_once

print("ready", flush=True)
work_once(make_url(sys.argv[1]), sys.argv[2])
"""
KILLS = 8


@pytest.mark.slow
@pytest.mark.parametrize("work", WORK)
def test_kill_nine_at_random_moments_ends_in_the_same_state(copies: Callable[[], URL], work: str) -> None:
    dice = random.Random(5)
    began = time.monotonic()
    wanted = expected(copies, work)
    usual = time.monotonic() - began
    interrupted = 0
    for _ in range(KILLS):
        url = copies()
        command = [sys.executable, "-c", _WORKER, url.render_as_string(hide_password=False), work]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
            time.sleep(dice.uniform(0.0, usual))
            interrupted += worker.poll() is None
            worker.kill()
        work_once(url, work)
        assert comparable(state(url)) == wanted
    assert interrupted
