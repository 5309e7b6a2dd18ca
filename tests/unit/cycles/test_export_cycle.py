"""The export cycle: a version when enough is new, and none before."""

import pytest

from ghostd.cycles.config import VersionsConfig
from ghostd.cycles.export import Export
from ghostd.errors import ExportError
from ghostd.testing.scripted import MemoryDatasets, SettableClock
from ghostd.testing.store import MemoryStore

CONFIG = VersionsConfig(every_crystals=100, keep=2)


class FullDisk(MemoryDatasets):
    """Datasets that cannot be written."""

    async def write_version(self, keep: int) -> dict[str, int]:
        raise ExportError("no space left")


async def test_no_version_is_written_before_enough_is_new() -> None:
    datasets, journal = MemoryDatasets(99), MemoryStore(SettableClock())
    assert await Export(datasets, journal, CONFIG).export_if_due() == {}
    assert (datasets.kept, journal.runs) == ([], {})


async def test_a_version_is_written_once_enough_is_new_and_not_again() -> None:
    datasets, journal = MemoryDatasets(100), MemoryStore(SettableClock())
    export = Export(datasets, journal, CONFIG)
    assert await export.export_if_due() == {"crystals": 100}
    assert await export.export_if_due() == {}
    assert datasets.kept == [2]
    assert [(run.cycle, run.status, run.counts) for run in journal.runs.values()] == [
        ("export", "ok", {"crystals": 100})
    ]


async def test_a_version_that_cannot_be_written_is_recorded_as_failed() -> None:
    journal = MemoryStore(SettableClock())
    with pytest.raises(ExportError):
        await Export(FullDisk(100), journal, CONFIG).export_if_due()
    assert [(run.status, run.reason) for run in journal.runs.values()] == [("failed", "no space left")]
