"""What every implementation of ports.Calibrations must do: the one on Postgres, and the one in memory."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import URL

from ghostd.core.calibration import Label, Tally
from ghostd.db.config import StoreConfig
from ghostd.db.engine import Database
from ghostd.db.store import PostgresStore
from ghostd.testing.calibration import MemoryCalibrations

pytest_plugins = ["tests.postgres"]

FALSE = Tally("off_by_one", Label.FALSE, 10, 1, 8, 9, (("tested.exam_failed", 9),), ("text/one",))
TRUE = Tally("plain_code", Label.TRUE, 5, 4, 40, 40, (), ("text/two",))
DAY = 86_400.0


@pytest.fixture(params=["postgres", "memory"])
async def records(
    request: pytest.FixtureRequest, database_url: URL
) -> AsyncIterator[PostgresStore | MemoryCalibrations]:
    if request.param == "memory":
        yield MemoryCalibrations()
    else:
        async with PostgresStore(Database(database_url, StoreConfig())) as store:
            yield store


async def record(records: PostgresStore | MemoryCalibrations, *tallies: Tally) -> None:
    run = await records.start_run("calibration", "test") if isinstance(records, PostgresStore) else 0
    await records.record_calibration(run, tallies)


async def test_the_runs_of_the_window_are_summed_by_kind(records: PostgresStore | MemoryCalibrations) -> None:
    assert await records.calibration_window(DAY) == ()
    await record(records, FALSE, TRUE)
    await record(records, FALSE)
    summed = {one.kind: one for one in await records.calibration_window(DAY)}
    assert (summed["off_by_one"].planted, summed["off_by_one"].accepted) == (20, 2)
    assert (summed["off_by_one"].mutants_killed, summed["off_by_one"].mutants_total) == (16, 18)
    assert (summed["plain_code"].label, summed["plain_code"].planted) == (Label.TRUE, 5)


async def test_one_alarm_at_most_is_open_and_it_begins_a_new_count(records: PostgresStore | MemoryCalibrations) -> None:
    await record(records, FALSE)
    assert await records.calibration_alarm() is None
    assert not await records.clear_calibration_alarm("operator")
    assert await records.raise_calibration_alarm("3 of 3")
    assert not await records.raise_calibration_alarm("4 of 4")
    alarm = await records.calibration_alarm()
    assert alarm is not None
    assert alarm.reason == "3 of 3"
    assert await records.calibration_window(DAY) == ()


async def test_what_follows_an_alarm_counts_on_unless_an_operator_ends_it(
    records: PostgresStore | MemoryCalibrations,
) -> None:
    await records.raise_calibration_alarm("first")
    await record(records, TRUE)
    assert await records.clear_calibration_alarm("calibration")
    assert await records.calibration_alarm() is None
    assert [one.planted for one in await records.calibration_window(DAY)] == [5]
    assert await records.raise_calibration_alarm("second")
    await record(records, FALSE)
    assert await records.clear_calibration_alarm("operator")
    assert await records.calibration_window(DAY) == ()
    await record(records, TRUE)
    assert [one.kind for one in await records.calibration_window(DAY)] == ["plain_code"]
