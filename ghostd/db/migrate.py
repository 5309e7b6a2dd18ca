"""Brings a database to the schema that this ghostd expects, one process at a time; it never touches data of others."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, create_engine, pool, text

from ghostd.bundled import bundled
from ghostd.db.config import StoreConfig
from ghostd.db.engine import connect_arguments, translated
from ghostd.errors import StoreError

_LOCK = 0x67686F737464  # "ghostd": the advisory lock around every migration
_WAIT_SECONDS = 120  # for another process that migrates
_LOCK_SECONDS = 10  # for a table that someone uses
_STATEMENT_SECONDS = 600

Progress = Callable[[str], None]


async def upgrade(url: URL, config: StoreConfig | None = None, progress: Progress | None = None) -> None:
    """Apply what is missing; returns at once when nothing is. `progress` is called with each revision's title.

    Raises StoreUnavailable, or StoreError for a database that a newer ghostd has written.
    """
    await asyncio.to_thread(_upgrade, url, config or StoreConfig(), progress)


async def pending(url: URL, config: StoreConfig | None = None) -> list[str]:
    """Titles of the revisions that `upgrade` would apply, oldest first."""
    return await asyncio.to_thread(_pending, url, config or StoreConfig())


def script_directory() -> ScriptDirectory:
    """The migrations that come with this ghostd."""
    return ScriptDirectory.from_config(_alembic(bundled("migrations")))


def _upgrade(url: URL, config: StoreConfig, progress: Progress | None) -> None:
    script = script_directory()
    with _connection(url, config) as connection:
        if not _missing(connection, script):
            return
        # the lock belongs to the session, so it outlives the commits between migrations
        _set(connection, statement_timeout=0, lock_timeout=_WAIT_SECONDS)
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
        connection.commit()
        missing = _missing(connection, script)  # another process may have been faster
        _set(connection, statement_timeout=_STATEMENT_SECONDS, lock_timeout=_LOCK_SECONDS)
        connection.commit()
        for revision, title in missing:
            if progress is not None:
                progress(title)
            alembic = _alembic(Path(script.dir))
            alembic.attributes["connection"] = connection
            command.upgrade(alembic, revision)
            connection.commit()


def _pending(url: URL, config: StoreConfig) -> list[str]:
    with _connection(url, config) as connection:
        return [title for _, title in _missing(connection, script_directory())]


def _missing(connection: Connection, script: ScriptDirectory) -> list[tuple[str, str]]:
    """(revision, title) of what is not applied yet, oldest first."""
    current = MigrationContext.configure(connection).get_current_revision()
    connection.rollback()
    missing = []
    for revision in script.walk_revisions():  # newest first
        if revision.revision == current:
            break
        missing.append((revision.revision, revision.doc))
    else:
        if current is not None:
            raise StoreError(f"the database is at revision {current}, which this ghostd does not know; upgrade ghostd")
    return missing[::-1]


def _set(connection: Connection, **seconds: int) -> None:
    for name, value in seconds.items():
        connection.execute(text("SELECT set_config(:name, :value, false)"), {"name": name, "value": f"{value}s"})


def _alembic(directory: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(directory).replace("%", "%%"))
    return config


@contextmanager
def _connection(url: URL, config: StoreConfig) -> Iterator[Connection]:
    """A synchronous connection of its own; closing it releases the lock."""
    engine = create_engine(url, poolclass=pool.NullPool, connect_args=connect_arguments(config))
    with translated(url), engine.connect() as connection:
        yield connection
