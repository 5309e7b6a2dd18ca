"""Proof, on a canary cell, that the isolation is there: run before any other code, and fail closed.

Each probe is an attack that must fail; a sandbox that lets one through is not used.
"""

import os
from dataclasses import dataclass

from ghostd.core.canonical import decode
from ghostd.core.evidence import ExitClass, Limits, Outcome, Run
from ghostd.errors import SandboxError, SandboxUnavailable
from ghostd.ports import Cell

_MIB = 1 << 20

_ENVIRONMENT = """
import os

def probe():
    return sorted(os.environ)
"""

_SOCKETS = """
import socket

def probe(family):
    try:
        socket.socket(family, socket.SOCK_STREAM).close()
    except OSError as refused:
        return type(refused).__name__
    return "open"
"""

_MEMORY = """
def probe():
    return len(bytearray(256 << 20))
"""

_WALL = """
import time

def probe():
    while True:
        time.sleep(0.01)
"""

_PROCESSES = """
import os
import time

def probe():
    started = 0
    while started < 4096:
        if os.fork() == 0:
            time.sleep(60)
        started += 1
    return started
"""

_ROOT = """
import os

def probe():
    written = []
    for path in ("/ghostd", "/etc", "/usr", "/tmp", "/", "/dev/shm", "/var/tmp"):
        try:
            with open(os.path.join(path, "canary"), "w"):
                written.append(path)
        except OSError:
            continue
    return written
"""

_SUPERVISOR = """
import os

def probe():
    opened = []
    for name in ("mem", "environ", "fd/0", "fd/1", "maps"):
        try:
            open(f"/proc/{os.getppid()}/{name}", "rb").close()
            opened.append(name)
        except OSError:
            continue
    return opened
"""


@dataclass(frozen=True, slots=True)
class _Probe:
    name: str  # for the error message
    run: Run
    isolating_only: bool = False  # not promised by the trusted backend


def _run(code: str, call: str = "", *, wall_seconds: float = 5.0) -> Run:
    limits = Limits(wall_seconds=wall_seconds, cpu_seconds=5.0, memory_bytes=64 * _MIB)
    return Run(code=code, entry="probe", calls=(call,), limits=limits)


_PROBES = (
    _Probe("the canary answers", _run("def probe():\n    return 42\n")),
    _Probe("the environment is the fixed one", _run(_ENVIRONMENT)),
    _Probe("no AF_INET socket", _run(_SOCKETS, "2")),
    _Probe("no AF_INET6 socket", _run(_SOCKETS, "10")),
    _Probe("no AF_NETLINK socket", _run(_SOCKETS, "16")),
    _Probe("no AF_VSOCK socket", _run(_SOCKETS, "40")),
    _Probe("the memory limit bites", _run(_MEMORY)),
    _Probe("the wall limit bites", _run(_WALL, wall_seconds=0.3)),
    _Probe("the process limit bites", _run(_PROCESSES, wall_seconds=3.0)),
    _Probe("the process that forks runs is closed", _run(_SUPERVISOR), isolating_only=True),
    _Probe("the root is read-only", _run(_ROOT), isolating_only=True),
)


async def prove(cell: Cell, *, isolated: bool) -> None:
    """Run every probe. Raises SandboxError naming the first that failed, SandboxUnavailable when the cell died."""
    probes = [probe for probe in _PROBES if isolated or not probe.isolating_only]
    outcomes = await cell.run([probe.run for probe in probes])
    for probe, outcome in zip(probes, outcomes, strict=True):
        if not _holds(probe.name, outcome):
            seen = outcome.calls[0].value or f"{outcome.exit_class.value}: {outcome.exception_message}"
            if probe.name == "the canary answers":
                raise SandboxUnavailable(f"The {cell.place.backend} sandbox cannot run code: {seen} {outcome.stderr}")
            raise SandboxError(
                f"The {cell.place.backend} sandbox failed its self-test ({probe.name}: saw {seen}); "
                "`ghostd doctor` says more. No code was run."
            )


def _holds(name: str, outcome: Outcome) -> bool:  # noqa: PLR0911 - one return per probe
    value = decode(outcome.calls[0].value) if outcome.ok else None
    match name:
        case "the canary answers":
            return bool(value == 42)  # noqa: PLR2004 - the canary's own answer
        case "the environment is the fixed one":
            return isinstance(value, list) and not set(value) & (set(os.environ) - set(_FIXED))
        case "the memory limit bites":
            return outcome.exit_class is ExitClass.OOM
        case "the wall limit bites":
            return outcome.exit_class is ExitClass.TIMEOUT
        case "the process limit bites":
            return outcome.exit_class is ExitClass.ERROR
        case "the root is read-only" | "the process that forks runs is closed":
            return value == []
    return value == "PermissionError"


# Names that cells set themselves; any other name of this process's environment inside a cell is a leak.
_FIXED = (
    "PATH", "LANG", "LC_ALL", "TZ", "HOME", "HOSTNAME", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "PYTHONUTF8",
    "OMP_NUM_THREADS", "COLUMNS", "PWD",
)  # fmt: skip
