"""One sandbox per backend of the registry for the whole session; a backend that is missing is a visible skip."""

import pytest_asyncio

from tests.sandboxes import EVERY_BACKEND, started


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=EVERY_BACKEND)
async def sandbox(request):
    async with started(request.param) as sandbox:
        yield sandbox


@pytest_asyncio.fixture(loop_scope="session")
async def cell(sandbox):
    async with sandbox.cell() as cell:
        yield cell
