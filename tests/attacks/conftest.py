"""The isolating backends, one attack in a fresh cell each, and what the host must look like afterwards."""

import pytest_asyncio

from ghostd.core.canonical import decode
from ghostd.core.evidence import Limits, Run
from tests.attacks.canaries import Canaries
from tests.sandboxes import ISOLATING_BACKENDS, started

INNOCENT = Run(code="def f():\n    return 42\n", entry="f", calls=("",))


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=ISOLATING_BACKENDS)
async def sandbox(request):
    async with started(request.param) as sandbox:
        yield sandbox


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def canaries(sandbox):
    """Files, a listening port, kernel settings, mounts, processes and containers of the host, before and after."""
    with Canaries() as canaries:
        yield canaries
        await canaries.assert_unharmed(cells_at_most=2)  # the warm one, and one that is being refilled or removed


@pytest_asyncio.fixture(loop_scope="session")
async def strike(sandbox):
    """Run an attack in a fresh cell, then innocent code there, which must not notice; the attack's outcome."""
    async with sandbox.cell() as cell:

        async def run(code, *, checks=(), calls=("",), before=(), **limits):
            wide = Limits(**{"wall_seconds": 20.0, "cpu_seconds": 10.0, **limits})
            attacks = [Run(one, "f", calls, checks, limits=wide) for one in (*before, code)]
            *outcomes, after = await cell.run([*attacks, INNOCENT])
            assert after.ok and decode(after.calls[0].value) == 42, after
            return outcomes[-1]

        yield run


@pytest_asyncio.fixture(loop_scope="session")
async def attack(strike):
    """As `strike`, but what `f` returned, or the exit class when it did not return."""

    async def run(code, *, before=(), **limits):
        outcome = await strike(code, before=before, **limits)
        return decode(outcome.calls[0].value) if outcome.ok else outcome.exit_class.value

    return run
