"""One run of a cycle in the journal, closed however it ends; what the cycle does is its own affair."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ghostd.errors import GhostdError
from ghostd.ports import Journal


@asynccontextmanager
async def journalled(journal: Journal, cycle: str, reason: str) -> AsyncIterator[int]:
    """The number of a run that has begun; the cycle finishes it, what goes wrong closes it and passes through."""
    run = await journal.start_run(cycle, reason)
    try:
        yield run
    except Exception as failure:
        reason = str(failure) if isinstance(failure, GhostdError) else f"a defect: {failure!r}"
        await journal.finish_run(run, "failed", {}, reason)
        raise
