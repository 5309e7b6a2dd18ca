"""The pool of connections and the only place where a driver's error becomes one of ours. It knows no table."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import psycopg
from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from ghostd.db.config import StoreConfig
from ghostd.db.encoding import dumps, loads
from ghostd.errors import ConfigurationError, StoreError, StoreUnavailable

OLDEST_SERVER = 150000  # Postgres 15
_RECONNECT_SECONDS = 3.0  # the embedded server is back within this time after a crash
_GONE = ("08", "57P", "53300")  # sqlstate prefixes: connection exceptions, shutdown or crash, too many connections


def parse_url(url: str) -> URL:
    """The URL with our driver. Raises ConfigurationError when it is not one of Postgres; never repeats a password."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigurationError(
            "database.url is not a URL; it looks like postgresql://user:password@host/database"
        ) from None
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise ConfigurationError(f"database.url names {parsed.drivername}, but ghostd needs postgresql://")
    return parsed.set(drivername="postgresql+psycopg")


class Database:
    """An engine that hands out transactions."""

    def __init__(self, url: URL, config: StoreConfig) -> None:
        self.url = url
        self._config = config
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=config.pool_size,
            max_overflow=0,
            pool_pre_ping=True,
            pool_timeout=config.statement_timeout_seconds,
            json_serializer=dumps,
            json_deserializer=loads,
            connect_args=connect_arguments(config),
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: committed on leaving, rolled back on an exception.

        Getting a connection is retried for a moment, since nothing has been done yet; a transaction never is.
        Raises StoreUnavailable when the server cannot be reached or goes away, StoreError when it refuses.
        """
        with translated(self.url):
            connection = await self._connect()
            try:
                async with connection.begin():
                    yield connection
            finally:
                await asyncio.shield(connection.close())  # also when this task is being cancelled

    async def check(self) -> None:
        """Raise StoreUnavailable or ConfigurationError, with the remedy, unless this database can be used."""
        with translated(self.url):
            try:
                async with (
                    asyncio.timeout(self._config.connect_timeout_seconds + 0.5),
                    self.engine.connect() as connection,
                ):
                    row = await connection.execute(
                        text("SELECT current_setting('server_version_num')::int, current_setting('server_encoding')")
                    )
                    version, encoding = row.one()
            except TimeoutError:
                raise StoreUnavailable(_unreachable(self.url, "no answer in time")) from None
        if version < OLDEST_SERVER:
            raise ConfigurationError(f"database.url leads to Postgres {version // 10000}; ghostd needs 15 or newer")
        if encoding != "UTF8":
            raise ConfigurationError(
                f"the database at database.url is encoded in {encoding}; create one with encoding UTF8"
            )

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()

    async def _connect(self) -> AsyncConnection:
        deadline = time.monotonic() + _RECONNECT_SECONDS
        while True:
            try:
                return await self.engine.connect()
            except DBAPIError as error:
                if not _is_gone(error) or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.05)


def connect_arguments(config: StoreConfig) -> dict[str, object]:
    """What the driver is told for every connection, of the pool and of migrations alike."""
    options = {
        "statement_timeout": f"{config.statement_timeout_seconds * 1000:.0f}",
        "lock_timeout": f"{config.lock_timeout_seconds * 1000:.0f}",
        "timezone": "UTC",
    }
    return {
        "connect_timeout": int(config.connect_timeout_seconds),
        "application_name": "ghostd",
        "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
    }


@contextmanager
def translated(url: URL) -> Iterator[None]:
    """Turn the driver's errors into StoreUnavailable (try again later) or StoreError (it will not work like this)."""
    try:
        yield
    except PoolTimeout as error:
        raise StoreUnavailable("no database connection became free in time; raise database.pool_size") from error
    except DBAPIError as error:
        raise _translation(error.orig, url, gone=_is_gone(error)) from error
    except psycopg.Error as error:  # from COPY, which SQLAlchemy does not know
        raise _translation(error, url, gone=_is_gone_for_driver(error)) from error


def _translation(cause: BaseException | None, url: URL, *, gone: bool) -> StoreError:
    state = cause.sqlstate if isinstance(cause, psycopg.Error) else None
    problem = str(cause).strip().split("\n", 1)[0]
    if gone:
        return StoreUnavailable(_unreachable(url, problem))
    match state:
        case "57014":
            return StoreError("a statement ran longer than database.statement_timeout_seconds and was cancelled")
        case "55P03":
            return StoreError("a lock was not free within database.lock_timeout_seconds; another process holds it")
        case "53100":
            return StoreError("the database's disk is full; make room on it")
        case _:
            return StoreError(f"the database refused an operation: {problem}")


def _is_gone(error: DBAPIError) -> bool:
    """Whether the server could not be reached, as opposed to having said no to a statement."""
    cause = error.orig
    return error.connection_invalidated or (isinstance(cause, psycopg.Error) and _is_gone_for_driver(cause))


def _is_gone_for_driver(cause: psycopg.Error) -> bool:
    if cause.sqlstate is None:
        return isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
    return cause.sqlstate.startswith(_GONE)


def _unreachable(url: URL, problem: str) -> str:
    """One sentence with the remedy; libpq gives no sqlstate for a failed connection, only its words."""
    where = url.render_as_string(hide_password=True)
    if any(sign in problem for sign in ("authentication failed", "no password supplied", "no pg_hba.conf entry")):
        return f"{where} refuses the user or the password ({problem}); correct database.url"
    if "database" in problem and "does not exist" in problem:
        return (
            f"{where} names a database that does not exist; create it (createdb {url.database}) or correct database.url"
        )
    return f"{where} cannot be reached ({problem}); check database.url or leave it out to use the embedded Postgres"
