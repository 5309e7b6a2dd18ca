"""Real sandboxes for tests: every backend of the registry; one that is missing here is a visible skip."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ghostd.ports import Sandbox
from ghostd.sandbox.choose import BACKENDS, build, obstacle
from ghostd.sandbox.config import Backend, SandboxConfig

_MARKS = {Backend.DOCKER: [pytest.mark.docker], Backend.BUBBLEWRAP: [pytest.mark.bubblewrap]}
EVERY_BACKEND = [pytest.param(one, id=one.value, marks=_MARKS.get(one, [])) for one in BACKENDS]
ISOLATING_BACKENDS = [
    pytest.param(one, id=one.value, marks=_MARKS[one]) for one in BACKENDS if one is not Backend.TRUSTED
]


@asynccontextmanager
async def started(backend: Backend, *, warm_cells: int = 1) -> AsyncIterator[Sandbox]:
    """A started sandbox, or a skip that says what is missing."""
    config = SandboxConfig(backend=backend, warm_cells=warm_cells)
    if missing := await obstacle(backend, config):
        pytest.skip(f"{backend.value}: {missing}")
    sandbox = build(backend, config, "tests")
    await sandbox.start()
    try:
        yield sandbox
    finally:
        await sandbox.stop()
