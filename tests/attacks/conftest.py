"""The isolating backends; the trusted one promises nothing that is attacked here."""

import pytest
import pytest_asyncio

from ghostd.core.canonical import decode
from ghostd.core.evidence import Limits, Run
from ghostd.sandbox.choose import build, obstacle
from ghostd.sandbox.config import Backend, SandboxConfig


@pytest_asyncio.fixture(
    scope="session",
    loop_scope="session",
    params=[
        pytest.param(Backend.DOCKER, marks=pytest.mark.docker, id="docker"),
        pytest.param(Backend.BUBBLEWRAP, marks=pytest.mark.bubblewrap, id="bubblewrap"),
    ],
)
async def sandbox(request):
    config = SandboxConfig(warm_cells=1)
    problem = await obstacle(request.param, config)
    if problem:
        pytest.skip(f"{request.param.value}: {problem}")
    sandbox = build(request.param, config, "attack-tests")
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def attack(sandbox):
    """Run code in a fresh cell; what its `f` returned, or the exit class when it did not return."""
    async with sandbox.cell() as cell:

        async def run(*sources, **limits):
            wide = Limits(**{"wall_seconds": 20.0, "cpu_seconds": 10.0, **limits})
            outcomes = await cell.run([Run(code=code, entry="f", calls=("",), limits=wide) for code in sources])
            last = outcomes[-1]
            return decode(last.calls[0].value) if last.ok else last.exit_class.value

        yield run
