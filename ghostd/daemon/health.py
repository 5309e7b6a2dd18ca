"""The state file that `ghostd status` reads, and the lock that keeps a second daemon away."""

import fcntl
import json
import os
import struct
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from ghostd.errors import AlreadyRunning, ConfigurationError

_STRUCT_FLOCK = struct.Struct("hhqqi4x")  # fcntl(2) on 64-bit Linux: type, whence, start, length, pid
_WHOLE_FILE = _STRUCT_FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


@dataclass(slots=True)
class DaemonState:
    """What the daemon says of itself; times are seconds since the epoch."""

    pid: int
    started_at: float
    heartbeat_at: float
    phase: str  # starting, working, draining
    teacher: str
    sandbox: str
    store: str
    choices: list[str] = field(default_factory=list)  # what was chosen at start, one sentence each
    alarm: str = ""  # the newest outage, '' when all is well
    store_answers: bool = True


class DataDirectoryLock:
    """An exclusive lock on `daemon.lock` in the data directory; the kernel frees it however the process ends.

    An open-file-description lock (fcntl(2)) and not flock(2): others can ask for its holder without taking it.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "daemon.lock"
        self._handle: int | None = None

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"The data directory {self._path.parent} cannot be written ({error.strerror}); "
                "choose another with --data-dir or GHOSTD_DATA_DIR."
            ) from error
        try:
            fcntl.fcntl(handle, fcntl.F_OFD_SETLK, _WHOLE_FILE)
        except BlockingIOError as error:
            os.close(handle)
            raise AlreadyRunning(
                f"Another ghostd runs on {self._path.parent}; stop it with `ghostd stop` or choose another --data-dir."
            ) from error
        self._handle = handle
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def is_running(data_dir: Path) -> bool:
    """Whether a daemon holds the data directory, now; asking never takes the lock, so it keeps nobody out."""
    path = data_dir / "daemon.lock"
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        answer = fcntl.fcntl(handle, fcntl.F_OFD_GETLK, _WHOLE_FILE)
    finally:
        os.close(handle)
    return bool(_STRUCT_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def write_state(data_dir: Path, state: DaemonState) -> None:
    """Replace the state file at once."""
    path = data_dir / "daemon.json"
    aside = path.with_suffix(".json.new")
    aside.write_text(json.dumps(asdict(state), sort_keys=True), encoding="utf-8")
    aside.replace(path)


def read_state(data_dir: Path) -> DaemonState | None:
    """The state of the daemon that runs, or of the last one that did; None when there is none to read."""
    try:
        return DaemonState(**json.loads((data_dir / "daemon.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
