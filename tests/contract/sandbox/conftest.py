"""One sandbox per backend of the registry for the whole session; a backend that is missing is a visible skip."""

import pytest
import pytest_asyncio

from ghostd.sandbox.choose import BACKENDS, build, obstacle
from ghostd.sandbox.config import Backend, SandboxConfig

_MARKS = {Backend.DOCKER: [pytest.mark.docker], Backend.BUBBLEWRAP: [pytest.mark.bubblewrap], Backend.TRUSTED: []}


@pytest_asyncio.fixture(
    scope="session",
    loop_scope="session",
    params=[pytest.param(backend, marks=_MARKS[backend], id=backend.value) for backend in BACKENDS],
)
async def sandbox(request):
    config = SandboxConfig(warm_cells=1)
    problem = await obstacle(request.param, config)
    if problem:
        pytest.skip(f"{request.param.value}: {problem}")
    sandbox = build(request.param, config, "contract-tests")
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def cell(sandbox):
    async with sandbox.cell() as cell:
        yield cell
