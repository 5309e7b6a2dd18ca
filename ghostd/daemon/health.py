"""The state file that `ghostd status` reads, and the lock that keeps a second daemon away."""

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from ghostd.errors import AlreadyRunning, ConfigurationError

_LOOKS = 5  # `is_running` of another process holds the lock for a moment: that is no daemon
_LOOK_SECONDS = 0.02


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
    """An exclusive flock on `daemon.lock` in the data directory; the kernel frees it however the process ends."""

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
        for attempt in range(_LOOKS):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if attempt == _LOOKS - 1:
                    os.close(handle)
                    raise AlreadyRunning(
                        f"Another ghostd runs on {self._path.parent}; stop it with `ghostd stop` or choose another "
                        "--data-dir."
                    ) from error
                time.sleep(_LOOK_SECONDS)
            else:
                break
        self._handle = handle
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def is_running(data_dir: Path) -> bool:
    """Whether a daemon holds the data directory, now."""
    path = data_dir / "daemon.lock"
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


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
