"""Drives the real `ghostd` process and looks at what it leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Any

GHOSTD = (sys.executable, "-m", "ghostd.cli.main")


class Ghostd:
    """One data directory and the processes that were started on it."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self.data_dir = data_dir
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GHOSTD_")},
            "GHOSTD_TEXTBOOK__ALWAYS": "true",
            **settings,
        }
        self.process: subprocess.Popen[str] | None = None
        self.pids: set[int] = set()  # of every daemon that was started here
        self.log = data_dir.parent / f"{data_dir.name}.log"

    def run(self, *arguments: str, check: bool = True, timeout: float = 90) -> subprocess.CompletedProcess[str]:
        """A command on the data directory, to its end."""
        command = [*GHOSTD, "--data-dir", str(self.data_dir), *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=check, timeout=timeout
        )

    def start(self, *arguments: str) -> None:
        """The daemon, in the background, in a process group of its own."""
        command = [*GHOSTD, "--data-dir", str(self.data_dir), "start", "--plain", *arguments]
        with self.log.open("a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log, text=True, start_new_session=True
            )
        self.pids.add(self.process.pid)

    def status(self) -> dict[str, Any]:
        """`ghostd status --json`."""
        document: dict[str, Any] = json.loads(self.run("status", "--json").stdout)
        return document

    def phase(self) -> str:
        """What the state file says, '' before there is one; cheap enough to poll."""
        try:
            state = json.loads((self.data_dir / "daemon.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ""
        alive = self.process is not None and state["pid"] == self.process.pid and self.process.poll() is None
        return str(state["phase"]) if alive else ""

    def wait_until(self, happened: Callable[[], bool], seconds: float, what: str) -> None:
        """Poll; fails with the end of the log."""
        deadline = time.monotonic() + seconds
        while not happened():
            ended = self.process is not None and self.process.poll() is not None
            assert time.monotonic() < deadline and not ended, f"{what} did not happen; the log ends:\n{self.tail()}"
            time.sleep(0.1)

    def wait_working(self, seconds: float = 60) -> None:
        """Until every part is open and jobs are being done."""
        self.wait_until(lambda: self.phase() == "working", seconds, "phase working")

    def wait_end(self, seconds: float) -> int:
        """The exit code once the daemon has ended."""
        assert self.process is not None
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"the daemon did not end; the log ends:\n{self.tail()}") from late

    def signal(self, number: signal.Signals) -> None:
        """To the daemon alone, as a service manager's first signal or an out-of-memory killer would."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kill -9, and collect the body."""
        self.signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(10)

    def tail(self, characters: int = 3000) -> str:
        """The end of the log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-characters:] if self.log.exists() else "(no log)"

    def close(self) -> None:
        """End whatever still runs."""
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()


def descendants(pid: int) -> set[int]:
    """Every process below `pid`, now."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # it ended meanwhile
                continue
    found = {pid}
    while grown := {child for child, parent in parents.items() if parent in found} - found:
        found |= grown
    return found - {pid}


def alive(pids: Sequence[int] | set[int]) -> set[int]:
    """Those that still run; zombies do not count."""
    running = set()
    for pid in pids:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                running.add(pid)
        except OSError:
            continue
    return running


def docker_answers() -> bool:
    """Whether an engine and the sandbox image are here."""
    try:
        done = subprocess.run(
            ["docker", "image", "inspect", "ghostd-sandbox"], capture_output=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def containers(owners: Container[int]) -> set[str]:
    """Ids of the containers, running or not, that processes with these pids own; other tests have their own."""
    command = ["docker", "ps", "-a", "--filter", "label=ghostd.owner", "--format", '{{.ID}} {{.Label "ghostd.owner"}}']
    listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.splitlines()
    found = (line.split() for line in listed)
    return {name for name, owner in found if int(owner.split(":")[1]) in owners}
