"""A process that stores crystals is killed at random moments: nothing committed is lost, nothing is there twice."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ghostd.core.ledger import leaf_hash
from ghostd.db.config import StoreConfig
from ghostd.db.placement import place
from ghostd.db.process import processes_in
from ghostd.db.store import open_store
from tests.sql import execute

pytest_plugins = ["tests.postgres"]

ROOT = Path(__file__).parents[2]
KILLS = 5

_WRITER = """
import asyncio, sys
from pathlib import Path
from ghostd.core.crystal import Stage, Verdict, VerdictKind
from ghostd.db.config import StoreConfig
from ghostd.db.store import open_store
from tests.crystals import crystal

async def main():
    async with await open_store(StoreConfig(), Path(sys.argv[1]), exclusive=True) as store:
        print("ready", flush=True)
        for number in range(10_000):
            one = crystal(number)
            await store.admit_concepts([one.concept], "for the test")
            attempt = await store.open_attempt(one.concept, "a teacher")
            await store.record_lesson(attempt.id, one.lesson, one.exam)
            verdict = Verdict(VerdictKind.VERIFIED, one.grade, Stage.TESTED, None, (), one.claims)
            if await store.crystallise(attempt.id, one, verdict):
                print(one.id, flush=True)

asyncio.run(main())
"""


def store_and_kill(data_directory: Path, dice: random.Random) -> list[str]:
    """Let a process store crystals for a moment and kill it; the ids that it announced."""
    command = [sys.executable, "-c", _WRITER, str(data_directory)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(dice.uniform(0.2, 1.5))
        writer.kill()
        return writer.stdout.read().split("\n")[:-1]


@pytest.mark.slow
async def test_kill_nine_at_any_moment_loses_no_crystal_and_duplicates_none(open_directory: Path) -> None:
    dice = random.Random(3)
    stored = [one for _ in range(KILLS) for one in store_and_kill(open_directory, dice)]
    assert len(stored) == len(set(stored)) > 0
    async with await open_store(StoreConfig(), open_directory) as store:
        found = [one.id async for one in store.crystals()]
        assert set(found) >= set(stored)
        assert len(found) <= len(stored) + KILLS, "at most the one in flight at each kill is there unannounced"
        leaves = execute(store.url, "SELECT leaf_index, subject, entry, leaf_hash FROM ledger ORDER BY leaf_index")
        assert [index for index, *_ in leaves] == list(range(len(leaves)))
        assert sorted(str(subject) for _, subject, *_ in leaves) == sorted(found)
        assert all(leaf_hash(str(entry).encode()) == kept for *_, entry, kept in leaves)
        assert sum((await store.waterfall()).open.values()) <= 1, "the next writer takes up what the last one left"
    assert processes_in(place(open_directory).cluster) == []
