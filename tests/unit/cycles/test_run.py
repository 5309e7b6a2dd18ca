"""A run of a cycle is closed however it ends."""

import asyncio

import pytest

from ghostd.cycles.run import journalled
from ghostd.errors import ExportError
from ghostd.testing.journal import MemoryJournal


@pytest.mark.parametrize(
    ("failure", "reason"),
    [(ExportError("no space left"), "no space left"), (KeyError("slug"), "a defect: KeyError('slug')")],
)
def test_what_goes_wrong_is_written_down_and_passes_through(failure: Exception, reason: str) -> None:
    journal = MemoryJournal()

    async def cycle() -> None:
        async with journalled(journal, "export", "it is time"):
            raise failure

    with pytest.raises(type(failure)):
        asyncio.run(cycle())
    assert [(run.status, run.reason) for run in journal.runs.values()] == [("failed", reason)]
