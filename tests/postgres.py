"""A real Postgres for tests: one embedded server per session, a fresh migrated database per test, copied in moments.

A test module asks for it with `pytest_plugins = ["tests.postgres"]` and takes `store`, `database_url` or `server_url`.
"""

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from ghostd.db.config import StoreConfig
from ghostd.db.embedded import Embedded
from ghostd.db.engine import Database
from ghostd.db.migrate import upgrade
from ghostd.db.store import PostgresStore
from tests.sql import execute

_TEMPLATE = "migrated"
_numbers = itertools.count(1)


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """An empty directory that every account may enter, unlike tmp_path; removed afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="ghostd-test-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def server_url() -> Iterator[URL]:
    """The session's server, with a migrated template database."""
    directory = Path(tempfile.mkdtemp(prefix="ghostd-test-"))
    directory.chmod(0o755)
    server = Embedded(directory, settings={"fsync": "off"})  # what a test stores need not outlive a power cut
    try:
        url = server.start()
        execute(url, f"CREATE DATABASE {_TEMPLATE}")
        asyncio.run(upgrade(url.set(database=_TEMPLATE)))
        yield url
    finally:
        server.stop()
        shutil.rmtree(directory)


@pytest.fixture
def empty_database_url(server_url: URL) -> Iterator[URL]:
    """A database of the test's own without any table."""
    yield from _database(server_url, "template1")


@pytest.fixture
def database_url(server_url: URL) -> Iterator[URL]:
    """A migrated database of the test's own."""
    yield from _database(server_url, _TEMPLATE)


@pytest.fixture
async def store(database_url: URL) -> AsyncIterator[PostgresStore]:
    """The store on a migrated database of the test's own."""
    async with PostgresStore(Database(database_url, StoreConfig())) as opened:
        yield opened


def _database(server_url: URL, template: str) -> Iterator[URL]:
    name = f"test_{next(_numbers)}"
    execute(server_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server_url.set(database=name)
    execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")
