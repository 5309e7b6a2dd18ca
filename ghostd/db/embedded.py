"""The embedded Postgres: one server per data directory, started as our own child, reached through a socket only.

Whoever holds `postgres.lock` owns the server; everyone else reads `postgres.json` and holds `postgres.users` shared
while connected. A killed owner takes the server with it; what is left over is ended before the next start.
"""

import fcntl
import json
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

from sqlalchemy import URL

from ghostd.db.placement import SYSTEM_DIRECTORY
from ghostd.db.server import DATABASE, ROLE, Server, answers
from ghostd.errors import AlreadyRunning, StoreUnavailable

_OWNER_WAIT_SECONDS = 15.0  # a visitor that holds the server for one question is gone by then
_LAST_VISITOR_SECONDS = 30.0


def connect_info(data_directory: Path) -> URL | None:
    """Where the data directory's server listens, if one runs; it may be just starting or stopping."""
    try:
        record = json.loads((data_directory / "postgres.json").read_text())
    except FileNotFoundError:
        return None
    return _url(record["socket_directory"])


class Embedded:
    """A hold on the data directory's server, as its owner or as a visitor."""

    def __init__(
        self,
        data_directory: Path,
        *,
        system_directory: Path = SYSTEM_DIRECTORY,
        settings: Mapping[str, str] = MappingProxyType({}),  # of postgresql.conf, beside our own
    ) -> None:
        self._settings = settings
        self._data_directory = data_directory.resolve()
        self._system_directory = system_directory
        self._server: Server | None = None
        self._lock: TextIO | None = None
        self._visit: TextIO | None = None
        self._exclusive = False
        self._closing = threading.Lock()

    @property
    def owns_server(self) -> bool:
        """Whether the server stops when this hold is given up."""
        return self._server is not None

    @property
    def server_pid(self) -> int | None:
        """The postmaster's process id, for its owner."""
        return self._server.pid if self._server else None

    def start(self, *, exclusive: bool = True) -> URL:
        """Own the server, starting it; or, unless `exclusive`, join the one that runs. Blocks; call it in a thread.

        Raises AlreadyRunning when `exclusive` and another process keeps the server, StoreUnavailable when the server
        does not come up, ConfigurationError when this machine cannot run one.
        """
        self._exclusive = exclusive
        self._data_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        deadline = time.monotonic() + _OWNER_WAIT_SECONDS
        while True:
            self._lock = _try_lock(self._data_directory / "postgres.lock", fcntl.LOCK_EX)
            if self._lock is not None:
                return self._own()
            if not exclusive and (url := self._join()) is not None:
                return url
            if time.monotonic() > deadline:
                if exclusive:
                    raise AlreadyRunning
                raise StoreUnavailable(
                    "the embedded Postgres is held by another process but does not answer; try again"
                )
            time.sleep(0.05)

    def stop(self) -> None:
        """Give up the hold; the owner stops the server, after the last visitor unless it owns it exclusively."""
        with self._closing:
            if self._server is not None:
                gate = None if self._exclusive else self._wait_for_visitors()
                (self._data_directory / "postgres.json").unlink(missing_ok=True)
                self._server.stop()
                self._server = None
                if gate is not None:
                    gate.close()
            for held in (self._visit, self._lock):
                if held is not None:
                    held.close()
            self._visit = self._lock = None

    def _own(self) -> URL:
        server = Server(self._data_directory, self._system_directory, self._settings)
        try:
            socket_directory = server.start()
        except BaseException:
            self.stop()
            raise
        self._server = server
        server.announce(self._data_directory / "postgres.json")
        return _url(str(socket_directory))

    def _join(self) -> URL | None:
        visit = _try_lock(self._data_directory / "postgres.users", fcntl.LOCK_SH)
        if visit is None:  # the owner is about to stop
            return None
        url = connect_info(self._data_directory)
        if url is None or not answers(url):
            visit.close()
            return None
        self._visit = visit
        return url

    def _wait_for_visitors(self) -> TextIO | None:
        deadline = time.monotonic() + _LAST_VISITOR_SECONDS
        while time.monotonic() < deadline:
            gate = _try_lock(self._data_directory / "postgres.users", fcntl.LOCK_EX)
            if gate is not None:
                return gate
            time.sleep(0.02)
        return None


def _try_lock(path: Path, kind: int) -> TextIO | None:
    """The file, locked until it is closed or its process ends; None when another holds it."""
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+")
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _url(socket_directory: str) -> URL:
    return URL.create("postgresql+psycopg", username=ROLE, database=DATABASE, query={"host": socket_directory})
