"""Whose a container is, in a label, and whether that owner still lives; reads /proc, decides purely."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

OWNER_LABEL = "ghostd.owner"
NAMESPACE_LABEL = "ghostd.namespace"
SESSION_LABEL = "ghostd.session"
UNIT_LABEL = "ghostd.unit"
_STALE_SECONDS = 600.0  # a container that was created and never started for so long belongs to nobody
_RUNNING = frozenset({"running", "paused", "restarting", "removing"})


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that cannot be mistaken for another: numbers are reused, start times and boots are not."""

    boot_id: str
    pid: int
    start_time: int  # clock ticks after boot, /proc/PID/stat field 22
    token: str  # random; two sandboxes of one process differ

    def label(self) -> str:
        """The value of OWNER_LABEL."""
        return f"{self.boot_id}:{self.pid}:{self.start_time}:{self.token}"

    @classmethod
    def parse(cls, label: str) -> "Owner | None":
        """The owner behind a label; None when it is malformed."""
        try:
            boot_id, pid, start_time, token = label.split(":")
            return cls(boot_id, int(pid), int(start_time), token)
        except ValueError:
            return None


def this_process() -> Owner:
    """The running process as an owner, with a fresh token."""
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    pid = os.getpid()
    return Owner(boot_id, pid, start_time(pid) or 0, secrets.token_hex(8))


def pid_namespace() -> str:
    """What tells apart processes of equal number on one kernel."""
    return str(Path("/proc/self/ns/pid").readlink())


def start_time(pid: int) -> int | None:
    """Clock ticks after boot at which the process started; None when there is none, or only its corpse."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def is_orphan(labels: Mapping[str, str], state: str, age_seconds: float, *, boot_id: str, namespace: str) -> bool:
    """Whether a container's owner is dead, as far as a process of this boot and pid namespace can tell.

    Another machine's or namespace's processes cannot be looked up. There a running cell is left alone:
    it ends by itself when its owner's end of the attached stream closes, and is an orphan from then on.
    """
    owner = Owner.parse(labels.get(OWNER_LABEL, ""))
    if owner is None:
        return False
    if owner.boot_id == boot_id and labels.get(NAMESPACE_LABEL) == namespace:
        return start_time(owner.pid) != owner.start_time
    return state not in _RUNNING and (state != "created" or age_seconds > _STALE_SECONDS)
