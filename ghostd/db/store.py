"""The store as one object, and how it is opened: the parts do the work, this file only puts them together."""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import URL

from ghostd.db.admission import Admissions
from ghostd.db.agenda import Agenda
from ghostd.db.attempts import Attempts
from ghostd.db.calibration import CalibrationCalls, Calibrations
from ghostd.db.calls import Calls
from ghostd.db.config import StoreConfig
from ghostd.db.crystals import Archive
from ghostd.db.datasets import Datasets
from ghostd.db.embedded import Embedded
from ghostd.db.engine import Database, parse_url
from ghostd.db.growth import Growth
from ghostd.db.journal import Journal
from ghostd.db.migrate import Progress, upgrade
from ghostd.db.reverifications import Reverifications
from ghostd.db.revocation import Revocations
from ghostd.db.training import TrainingRuns
from ghostd.db.variations import Variations


class PostgresStore(
    Admissions,
    Agenda,
    Attempts,
    Archive,
    Reverifications,
    Revocations,
    Journal,
    Calibrations,
    Datasets,
    TrainingRuns,
    Variations,
    Growth,
):
    """Implements ports.Store, Agenda, Archive and Journal on one database. The parts are siblings without overlap."""

    def __init__(self, database: Database, server: Embedded | None = None) -> None:
        super().__init__(database)
        self.calls = Calls(database)  # the teacher's CallStore
        self.calibration_calls = CalibrationCalls(database)  # likewise, for the teachers that err on purpose
        self._server = server

    @property
    def engine(self) -> Database:
        """The pool, for queries of one's own."""
        return self._database

    @property
    def url(self) -> URL:
        """Where the database is; its password is masked when printed."""
        return self._database.url

    @property
    def conninfo(self) -> str:
        """The same for libpq, password included: for other clients of this process, never for a log."""
        return self._database.url.set(drivername="postgresql").render_as_string(hide_password=False)

    @property
    def embedded(self) -> bool:
        """Whether ghostd runs this server itself."""
        return self._server is not None

    @property
    def sentence(self) -> str:
        """What was chosen, and how to change it."""
        if self._server is not None:
            return "database: the embedded Postgres in the data directory (database.url uses another one)"
        return f"database: {self.url.render_as_string(hide_password=True)} (database.url)"

    async def spend(self) -> dict[str, int | float]:
        """Calls, tokens and money in total; see `Calls.spend`."""
        return await self.calls.spend()

    async def close(self) -> None:
        """Close the connections, and stop the embedded server if this process owns it."""
        await self._database.close()
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def open_store(
    config: StoreConfig, data_directory: Path, *, exclusive: bool = False, progress: Progress | None = None
) -> PostgresStore:
    """Reach the database, starting the embedded one if need be, and bring its schema up to date.

    With `exclusive` the embedded server is this process's own: the daemon's way. Otherwise a server that runs is
    joined, and one that does not is started for as long as the store is open.
    Raises StoreUnavailable, StoreError, ConfigurationError or AlreadyRunning, each naming the remedy.
    """
    server: Embedded | None = None
    address = config.url.get_secret_value()
    if address:
        url = parse_url(address)
    else:
        server = Embedded(data_directory)
        url = await asyncio.to_thread(server.start, exclusive=exclusive)
    store = PostgresStore(Database(url, config), server)
    try:
        await store.engine.check()
        await upgrade(url, config, progress)
    except BaseException:
        await store.close()
        raise
    return store
