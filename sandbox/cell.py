"""The supervisor of a cell, PID 1 where it is isolated: takes runs in, gives each to a zygote, sends results out.

It alone holds the streams to the owner and signs every frame that it sends. When the owner hangs up, it ends all.
Protocol: README.md. Standard library only; it runs no code under test itself.
"""

# pathlib would lengthen every start and every fork:
# ruff: noqa: PTH101, PTH102, PTH104, PTH106, PTH108, PTH118, PTH120, PTH123

from __future__ import annotations

import hmac
import json
import os
import re
import socket
import sys
from contextlib import suppress

import channel
import linux
import verdict
from execution import Execution, OwnerGone, reap_orphans

TYPE_CHECKING = False  # for checkers alone: typing would cost each start milliseconds and each fork its pages
if TYPE_CHECKING:
    from typing import Any, NoReturn

FRAME_CAP = 64 << 20  # bytes of one batch of runs
# Imported once per zygote when a batch mentions them, instead of once per run; others load in the run itself.
COMMON = frozenset(
    {
        "abc", "array", "base64", "bisect", "calendar", "cmath", "collections", "contextlib", "copy",
        "dataclasses", "datetime", "decimal", "enum", "fractions", "functools", "hashlib", "heapq", "io",
        "itertools", "json", "math", "numbers", "operator", "queue", "random", "re", "secrets", "statistics",
        "string", "struct", "textwrap", "traceback", "typing", "unicodedata", "uuid", "zlib",
    }
)  # fmt: skip
_IMPORT = re.compile(r"^\s*(?:import|from)\s+(\w+)", re.MULTILINE)
DEFAULTS = {
    "workspace": "/w",  # the only place where a run may write
    "leftovers": [],  # other folders to empty, where the cell has them to itself
    "user": 0,  # give up root for this user id; 0 when the cell does not start as root
    "filter": "",  # file with a BPF program for the runs, where nothing outside installed one
    "forks": True,  # whether runs may start processes; not where nothing limits their number
    "processes": 0,  # RLIMIT_NPROC of a run; 0 where the user id is shared with others
    "process_cap": 32,  # processes of one run at which the supervisor ends it
    "file_cap": 0,  # files of one run at which the supervisor ends it; 0 where the workspace limits them itself
    "file_bytes": 16 << 20,
    "open_files": 64,
}


class Zygote:
    """A child interpreter with one hash seed, ready to fork."""

    def __init__(self, seed: int, options: dict[str, Any]) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.broken = False
        self.resident_bytes = 0
        self.modules = frozenset()
        settings = {key: options[key] for key in ("filter", "forks", "processes", "file_bytes", "open_files")}
        arguments = [sys.executable, "-s", "-S", "-B", os.path.join(os.path.dirname(__file__), "zygote.py")]
        self.pid = os.posix_spawn(
            sys.executable,
            [*arguments, json.dumps(settings)],
            {
                **os.environ,
                "PYTHONHASHSEED": str(seed),  # -I would ignore it, hence -s
                "LD_BIND_NOW": "1",  # else every fork resolves the same symbols again, on pages of its own
            },
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_DUP2, theirs.fileno(), 3),
            ],
        )
        theirs.close()

    def await_ready(self) -> None:
        """Block until it can fork. Raises RuntimeError when it could not start; its reason is on stderr."""
        if self.control.recv(16) != b"ready":
            raise RuntimeError("a zygote did not start")
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as fields:
            self.resident_bytes = int(fields.read().split()[1]) * linux.PAGE_BYTES

    def have(self, modules: frozenset[str]) -> None:
        """Import what is missing of these names of COMMON."""
        missing = modules - self.modules
        if missing:
            self.control.send(" ".join(sorted(missing)).encode())
            self.modules |= missing
            self.await_ready()

    def end(self) -> None:
        """Kill and forget it."""
        self.control.close()
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, 9)
            with suppress(ChildProcessError):
                os.waitpid(self.pid, 0)


class Supervisor:
    """Serves one owner until it hangs up."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.zygotes = {}
        self.modules = frozenset()
        self.key = b""
        self.sent = 0

    def serve(self) -> NoReturn:
        """Warm up, greet, then answer batches. Raises Closed or OwnerGone at the end."""
        self._warm([0])
        self.key = bytes.fromhex(json.loads(channel.read_frame(0, 4096))["key"])
        self._send({"ready": True, "python": sys.version.split()[0], "user": os.getuid()})
        while True:
            runs = json.loads(channel.read_frame(0, FRAME_CAP))["runs"]
            self._warm([run["hash_seed"] for run in runs])
            self.modules = COMMON & _imports(runs)
            for run in runs:
                self._send(self._run(run))

    def _warm(self, seeds: list[int]) -> None:
        """Have a zygote for each seed; those that are missing start side by side."""
        fresh = []
        for seed in dict.fromkeys(seeds):
            if seed not in self.zygotes:
                self.zygotes[seed] = Zygote(seed, self.options)
                fresh.append(self.zygotes[seed])
        for zygote in fresh:
            zygote.await_ready()

    def _run(self, run: dict[str, Any]) -> dict[str, Any]:
        self._warm([run["hash_seed"]])
        zygote = self.zygotes[run["hash_seed"]]
        zygote.have(self.modules)
        directory = os.path.join(self.options["workspace"], run["workspace"])
        os.mkdir(directory)
        kills_before = _oom_kills()
        execution = Execution(run, zygote, directory, self.options["process_cap"], self.options["file_cap"])
        try:
            execution.complete()
        finally:
            _empty(self.options["workspace"])
            for folder in self.options["leftovers"]:
                with suppress(OSError):  # it is not there, or nothing in it is the run's
                    _empty(folder)
        if zygote.broken:
            del self.zygotes[run["hash_seed"]]
            zygote.end()
            reap_orphans(zygote)
        return verdict.result(execution, _oom_kills() - kills_before)

    def _send(self, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode("ascii")
        tag = hmac.digest(self.key, self.sent.to_bytes(8, "big") + content, "sha256")
        self.sent += 1
        channel.write_frame(1, tag + content)


def _imports(runs: list[dict[str, Any]]) -> frozenset[str]:
    """Names of the modules that the sources of a batch mention; a guess that only saves time."""
    sources = {source for run in runs for source in (run["code"], *run["checks"])}
    return frozenset(name for source in sources for name in _IMPORT.findall(source))


def _oom_kills() -> int:
    """How many processes the cell's memory cgroup has killed; 0 where there is none. Version 2, then version 1."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        with suppress(OSError), open(path, encoding="ascii") as lines:
            for line in lines:
                name, _, value = line.partition(" ")
                if name == "oom_kill":
                    return int(value)
    return 0


def _empty(directory: str) -> None:
    """Remove everything in a directory, whatever its permissions and however deep: inner folders are first moved up."""
    with suppress(PermissionError):  # it is another user's, who alone could have closed it
        os.chmod(directory, 0o700)
    while entries := list(os.scandir(directory)):
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            os.chmod(entry.path, 0o700)
            for inner in list(os.scandir(entry.path)):
                if inner.is_dir(follow_symlinks=False):
                    os.chmod(inner.path, 0o700)
                    os.rename(inner.path, os.path.join(directory, os.urandom(8).hex()))
                else:
                    os.unlink(inner.path)
            os.rmdir(entry.path)


def main(options: dict[str, Any]) -> None:
    """Run the cell until its owner hangs up."""
    if options["user"] and os.getuid() == 0:
        linux.drop_to(options["user"])
        linux.die_with_parent()  # a change of user cancels what bubblewrap asked for
    linux.become_private()
    linux.adopt_orphans()
    supervisor = Supervisor(options)
    with suppress(channel.Closed, OwnerGone):
        supervisor.serve()
    for zygote in supervisor.zygotes.values():
        zygote.end()


if __name__ == "__main__":
    main({**DEFAULTS, **(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {})})
