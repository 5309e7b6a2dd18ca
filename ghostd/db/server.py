"""One Postgres server process over one cluster: prepares, starts, restarts and stops it. Who may is decided above."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

import psycopg
from sqlalchemy import URL

from ghostd.db.placement import Placement, place, write_aside
from ghostd.db.process import Child, credentials, end_processes, processes_in
from ghostd.errors import ConfigurationError, StoreUnavailable
from ghostd.log import logger

ROLE = "ghostd"
DATABASE = "ghostd"
_START_SECONDS = 60.0  # crash recovery replays the log before the server answers
_SPAWN_TRIES = 10
_STOP_SECONDS = 15.0
_LEFTOVER_SECONDS = 20.0
_RESTARTS = 5  # within this many seconds:
_RESTART_WINDOW_SECONDS = 60.0
_LOG_BYTES = 4 << 20

_HBA = f"local all {ROLE} peer map=ghostd\n"
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",  # the account and root; peer authentication stands behind it
    "max_connections": "100",
    "shared_buffers": "128MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}

_log = logger("db")


class Server:
    """The server process of one data directory. Its caller holds the directory's lock."""

    def __init__(self, data_directory: Path, system_directory: Path, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self._placement: Placement = place(data_directory, system_directory=system_directory)
        self._socket_directory = Path()
        self._child: Child | None = None
        self._serving: Child | None = None  # the child, once it has answered
        self._stopping = threading.Event()
        self._restarts: deque[float] = deque(maxlen=_RESTARTS)

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        return self._serving.pid if self._serving is not None and self._serving.running else None

    def start(self) -> Path:
        """Bring the server up, from an empty directory if need be; returns the directory of its socket.

        Raises StoreUnavailable with the end of the server's log; ConfigurationError for a cluster of another version.
        """
        placement = self._placement
        try:
            end_processes(placement.cluster, self._recorded_pid, _LEFTOVER_SECONDS)
        except TimeoutError as error:
            raise StoreUnavailable(f"an earlier Postgres of this data directory does not end: {error}") from error
        self._initialise()
        self._check_version()
        write_aside(placement.home / "pg_hba.conf", _HBA)
        write_aside(placement.home / "pg_ident.conf", _identities(placement))
        self._make_socket_directory()
        self._forget_stale_locks()
        self._rotate_log()
        self._launch()
        self._create_database()
        return self._socket_directory

    def announce(self, path: Path) -> None:
        """Write down where the server listens, for the other processes of this data directory."""
        record = {"socket_directory": str(self._socket_directory), "server": self.pid, "owner": os.getpid()}
        write_aside(path, json.dumps(record) + "\n")

    def stop(self) -> None:
        """Shut down cleanly, then less cleanly; nothing of the server is left when this returns."""
        self._stopping.set()
        child = self._child
        if child is not None:
            for number, patience in ((signal.SIGINT, _STOP_SECONDS), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
                child.signal(number)
                if child.wait(patience):
                    break
        end_processes(self._placement.cluster, self._recorded_pid, _LEFTOVER_SECONDS)
        if self._placement.socket_directory is None:
            shutil.rmtree(self._socket_directory, ignore_errors=True)

    def _initialise(self) -> None:
        placement = self._placement
        if placement.cluster.exists():
            return
        partial = placement.cluster.with_name("cluster.partial")
        if partial.exists():
            shutil.rmtree(partial)
        self._make_owned(partial)
        command = [
            placement.programs / "bin" / "initdb",
            "--pgdata",
            partial,
            "--username",
            ROLE,
            "--auth",
            "peer",
            "--encoding",
            "UTF8",
            "--locale",
            "C.UTF-8",
            "--no-instructions",
        ]
        done = subprocess.run(
            [str(word) for word in command],
            capture_output=True,
            text=True,
            errors="replace",
            cwd="/",
            env={"PATH": "/usr/bin:/bin"},
            check=False,
            **credentials(placement.account),
        )
        if done.returncode != 0:
            shutil.rmtree(partial)
            raise StoreUnavailable(
                f"the embedded Postgres could not create its cluster in {placement.home}: "
                f"{done.stderr.strip() or done.stdout.strip()}; mend that or set database.url"
            )
        partial.rename(placement.cluster)

    def _check_version(self) -> None:
        held = (self._placement.cluster / "PG_VERSION").read_text().strip()
        program = self._placement.programs.name.removeprefix("pginstall")
        if held != program:
            raise ConfigurationError(
                f"the cluster in {self._placement.home} was made by Postgres {held}, this ghostd brings {program}: "
                "dump it with the old version (pg_dump), move the directory away, and restore the dump"
            )

    def _recorded_pid(self) -> int | None:
        try:
            return int((self._placement.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    def _forget_stale_locks(self) -> None:
        """Remove lock files whose number now belongs to a stranger: Postgres would take it for a running server.

        Safe only because nothing works in the cluster any more, which was made sure of before.
        """
        if processes_in(self._placement.cluster):
            return
        (self._placement.cluster / "postmaster.pid").unlink(missing_ok=True)
        for lock in self._socket_directory.glob(".s.PGSQL.*.lock"):
            lock.unlink()

    def _make_socket_directory(self) -> None:
        directory = self._placement.socket_directory
        if directory is None:
            directory = Path(tempfile.mkdtemp(prefix="ghostd-"))
            self._give(directory)
        elif not directory.exists():
            self._make_owned(directory)
        self._socket_directory = directory

    def _make_owned(self, directory: Path) -> None:
        directory.mkdir(mode=0o700)
        self._give(directory)

    def _give(self, directory: Path) -> None:
        if self._placement.account.is_other:
            os.chown(directory, self._placement.account.uid, self._placement.account.gid)

    @property
    def _log_file(self) -> Path:
        return self._placement.home / "server.log"

    def _rotate_log(self) -> None:
        if self._log_file.exists() and self._log_file.stat().st_size > _LOG_BYTES:
            self._log_file.replace(self._log_file.with_suffix(".log.1"))

    def _launch(self) -> None:
        """Spawn until the server answers. Children of a killed server may hold its shared memory for a moment."""
        for _ in range(_SPAWN_TRIES):
            child = Child(self._command(), self._placement.account, self._log_file, self._ended)
            try:
                child.start()
            except OSError as error:
                raise StoreUnavailable(f"the embedded Postgres cannot be executed: {error}") from error
            self._child = child
            if self._await_ready(child):
                self._serving = child
                if child.running:
                    return
            if self._stopping.wait(0.3):
                return
        raise StoreUnavailable(
            f"the embedded Postgres does not start; {self._log_file} ends with: {self._end_of_log()}; "
            "mend that or set database.url"
        )

    def _await_ready(self, child: Child) -> bool:
        """Ready means that a connection works. False when the child has ended instead."""
        deadline = time.monotonic() + _START_SECONDS
        url = URL.create("postgresql", username=ROLE, database="postgres", query={"host": str(self._socket_directory)})
        while child.running:
            if answers(url):
                return True
            if time.monotonic() > deadline:
                child.signal(signal.SIGQUIT)
                child.wait(5.0)
                raise StoreUnavailable(
                    f"the embedded Postgres did not answer within {_START_SECONDS:.0f} s: {self._end_of_log()}"
                )
            time.sleep(0.02)
        return False

    def _ended(self, child: Child, status: int) -> None:
        """The keeper thread's last act: a server that went away on its own is started again."""
        if self._stopping.is_set() or child is not self._serving:
            return
        now = time.monotonic()
        _log.warning("store.server_ended", status=status)
        if len(self._restarts) == _RESTARTS and now - self._restarts[0] < _RESTART_WINDOW_SECONDS:
            _log.error("store.server_given_up", restarts=_RESTARTS, log=str(self._log_file))
            return
        self._restarts.append(now)
        try:
            end_processes(self._placement.cluster, self._recorded_pid, _LEFTOVER_SECONDS)
            self._forget_stale_locks()
            self._launch()
        except (StoreUnavailable, TimeoutError) as error:
            _log.error("store.server_given_up", error=str(error))

    def _command(self) -> list[str]:
        placement = self._placement
        settings = (
            _SETTINGS
            | dict(self._settings)
            | {
                "unix_socket_directories": str(self._socket_directory),
                "hba_file": str(placement.home / "pg_hba.conf"),
                "ident_file": str(placement.home / "pg_ident.conf"),
            }
        )
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(placement.programs / "bin" / "postgres"), "-D", str(placement.cluster), *words]

    def _create_database(self) -> None:
        with psycopg.connect(
            host=str(self._socket_directory), user=ROLE, dbname="postgres", autocommit=True
        ) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone() is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")  # a constant of this module

    def _end_of_log(self) -> str:
        lines = self._log_file.read_text(errors="replace").strip().splitlines()
        return " | ".join(lines[-5:])


def answers(url: URL) -> bool:
    """Whether a connection can be made right now."""
    try:
        psycopg.connect(host=str(url.query["host"]), user=url.username, dbname=url.database, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _identities(placement: Placement) -> str:
    """Which OS users may be the role: the server's account, and root, who could become it anyway."""
    return "".join(f'ghostd "{user}" {ROLE}\n' for user in dict.fromkeys((placement.account.name, "root")))
