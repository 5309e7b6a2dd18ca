"""Runs one program as a direct child that dies with this process; knows nothing of Postgres but its signals."""

import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypedDict

from ghostd.db.placement import Account

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None, use_errno=True)


class Child:
    """A child process, spawned and reaped by a thread of its own.

    The kernel sends the parent-death signal when the spawning *thread* ends (prctl(2)), so that thread must live as
    long as the child does: it spawns, waits, and calls `on_exit` with the exit status.
    """

    def __init__(
        self, command: Sequence[str], account: Account, log: Path, on_exit: Callable[["Child", int], None]
    ) -> None:
        self._command = list(command)
        self._account = account
        self._log = log
        self._on_exit = on_exit
        self._spawned = threading.Event()
        self._reaped = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._error: OSError | None = None
        self._keeper = threading.Thread(target=self._keep, name="postgres-keeper", daemon=True)

    def start(self) -> None:
        """Spawn. Raises OSError when the program cannot be executed."""
        self._keeper.start()
        self._spawned.wait()
        if self._error is not None:
            raise self._error

    @property
    def pid(self) -> int | None:
        """The child's process id, once it was spawned."""
        return self._process.pid if self._process is not None else None

    @property
    def running(self) -> bool:
        """Whether the child has not been reaped yet."""
        return self._process is not None and self._process.returncode is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the child is gone already."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    def wait(self, timeout_seconds: float) -> bool:
        """Whether the child has ended within the time."""
        self._reaped.wait(timeout_seconds)
        return self._reaped.is_set()

    def _keep(self) -> None:
        try:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
                    start_new_session=True,  # Ctrl-C on the terminal is for ghostd, which stops the server itself
                    preexec_fn=_dying_with(os.getpid()),  # noqa: PLW1509 - it makes two system calls and takes no lock
                    **credentials(self._account),
                )
        except OSError as error:
            self._error = error
            self._spawned.set()
            return
        self._spawned.set()
        status = self._process.wait()
        self._reaped.set()
        self._on_exit(self, status)


class Credentials(TypedDict):
    """What `subprocess` needs in order to become somebody."""

    user: int | None
    group: int | None
    extra_groups: list[int] | None
    umask: int


def credentials(account: Account) -> Credentials:
    """For becoming the account, or for staying who we are when that is this user."""
    if not account.is_other:
        return {"user": None, "group": None, "extra_groups": None, "umask": 0o077}
    return {"user": account.uid, "group": account.gid, "extra_groups": [], "umask": 0o077}


def processes_in(directory: Path) -> list[int]:
    """Processes whose working directory this is: of a Postgres cluster, its postmaster and all its backends."""
    wanted = str(directory.resolve())
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if str((entry / "cwd").readlink()) == wanted:
                    found.append(int(entry.name))
            except OSError:  # it has ended, or it is not ours to look at
                continue
    return found


def end_processes(directory: Path, find_leader: Callable[[], int | None], patience_seconds: float) -> None:
    """End every process that works in `directory`: the leader politely, after half the patience all of them at once."""
    deadline = time.monotonic() + patience_seconds
    polite_until = time.monotonic() + patience_seconds / 2
    asked = False
    while members := processes_in(directory):
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {members} in {directory} do not end")
        if not asked and (leader := find_leader()) in members:  # one that just starts has not written its number yet
            _kill(leader, signal.SIGINT)
            asked = True
        elif time.monotonic() > polite_until:
            for member in members:
                _kill(member, signal.SIGKILL)
        time.sleep(0.02)


def _kill(pid: int | None, number: signal.Signals) -> None:
    if pid is not None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return


def _dying_with(parent: int) -> Callable[[], None]:
    def prepare() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT), 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the signal was set
            os._exit(1)

    return prepare
