"""Real sandboxes for the tests of the ladder: every backend of the registry; one that is missing is a visible skip."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ghostd.ports import Sandbox
from ghostd.sandbox.choose import BACKENDS, build, obstacle
from ghostd.sandbox.config import Backend, SandboxConfig

_MARKS = {Backend.DOCKER: [pytest.mark.docker], Backend.BUBBLEWRAP: [pytest.mark.bubblewrap]}
EVERY_BACKEND = [pytest.param(one, id=one.value, marks=_MARKS.get(one, [])) for one in BACKENDS]
TRUSTED = [pytest.param(Backend.TRUSTED, id=Backend.TRUSTED.value)]


@asynccontextmanager
async def started(backend: Backend) -> AsyncIterator[Sandbox]:
    """A started sandbox, or a skip that says what is missing."""
    config = SandboxConfig(backend=backend)
    missing = await obstacle(backend, config)
    if missing:
        pytest.skip(missing)
    sandbox = build(backend, config, "tests")
    await sandbox.start()
    try:
        yield sandbox
    finally:
        await sandbox.stop()
