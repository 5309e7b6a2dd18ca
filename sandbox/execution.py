"""One run seen from outside: feeds it, watches its limits, and kills all of it; `verdict` says what that amounts to.

It trusts neither process of the run. Only the supervisor uses it; the code under test never shares its memory.
"""

# pathlib would lengthen every start and every fork:
# ruff: noqa: PTH123, PTH208

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from contextlib import suppress

import channel
import verdict

TYPE_CHECKING = False  # for checkers alone: typing would cost each start milliseconds and each fork its pages
if TYPE_CHECKING:
    from typing import Any

WATCH_SECONDS = 0.02  # between looks at CPU time; memory and process count at every other look
REPORT_CAP = 8 << 20  # bytes of all that an examiner may report
_GRACE_SECONDS = 0.1  # for the exit status of a process that hung up
_START_SECONDS = 10.0  # for the zygote to fork on a crowded machine
_KILL_SECONDS = 2.0  # for killed processes to be gone
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


class OwnerGone(Exception):
    """Nobody listens any more: stop everything."""


class Execution:
    """One run and what became of it; every attribute is a fact for `verdict`."""

    def __init__(self, run: dict[str, Any], zygote: Any, directory: str, process_cap: int, file_cap: int = 0) -> None:
        self.run = run
        self.zygote = zygote
        self.directory = directory
        self.process_cap = process_cap
        self.file_cap = file_cap
        self.nonce = os.urandom(8).hex()
        self.pids = ()  # subject, examiner
        self.exits = {}  # pid -> (wait status, CPU seconds, peak bytes)
        self.own_exits = {}  # those that happened before the supervisor killed anything
        self.steps = []  # what the examiner reported, in order
        self.ended_by = ""  # the last step's name: done, failed or gone
        self.killed_for = ""  # timeout, oom, output_limit, processes, files or forgery
        self.output = {"stdout": bytearray(), "stderr": bytearray()}
        self.wall_seconds = 0.0
        self._started = 0.0
        self._reported = bytearray()
        self._report_bytes = 0
        self._readers = {}  # descriptor -> stdout, stderr or report

    def complete(self) -> None:
        """Carry the run to its end. Raises OwnerGone."""
        try:
            self._start()
            self._await_pids()
            self._follow()
            self._await_status()
        finally:
            self.wall_seconds = time.monotonic() - self._started if self._started else 0.0
            self.own_exits = dict(self.exits)
            self._kill()
            for descriptor in self._readers:
                while self._read(descriptor):
                    continue
                os.close(descriptor)

    def _start(self) -> None:
        run, pipes = self.run, [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
        self._readers = {pipe[0]: name for pipe, name in zip(pipes, ("stdout", "stderr", "report"), strict=True)}
        for reader in self._readers:
            os.set_blocking(reader, False)
        shared = {key: run[key] for key in ("memory_bytes", "cpu_seconds", "start_time", "value_bytes", "entry")}
        exam = {key: run[key] for key in ("calls", "checks", "stop_on_failure")}
        jobs = (
            {**shared, "code": run["code"], "directory": self.directory},
            {**shared, **exam, "nonce": self.nonce},
        )
        writers = [pipe[1] for pipe in pipes]
        given = [*writers[:2], *map(_memory_file, jobs), writers[2]]
        try:
            socket.send_fds(self.zygote.control, [b"run"], given)
        except OSError:
            self.zygote.broken = True
        for descriptor in given:
            os.close(descriptor)

    def _await_pids(self) -> None:
        """Know whom to kill before anything is read: a run may well have ended by the time its numbers are heard."""
        poll = select.poll()
        poll.register(0, 0)  # hang-up only: the owner is gone
        poll.register(self.zygote.control, select.POLLIN)
        deadline = time.monotonic() + _START_SECONDS
        while not self.pids and not self.zygote.broken:
            left = deadline - time.monotonic()
            if left <= 0:
                self.zygote.broken = True
            self._serve_events(poll, left)

    def _follow(self) -> None:
        poll = select.poll()
        poll.register(0, 0)
        poll.register(self.zygote.control, select.POLLIN)
        for descriptor, sink in self._readers.items():
            if sink != "report":  # read at every look and at the examiner's exit: one wake-up instead of one per step
                poll.register(descriptor, select.POLLIN)
        next_look, looks = 0.0, 0
        deadline = self._started + self.run["wall_seconds"]
        while not (self.ended_by or self.killed_for or self.zygote.broken):
            now = time.monotonic()
            if now >= deadline:
                self.killed_for = "timeout"
                return
            if now >= next_look:
                if looks:
                    self._look(thorough=looks % 2 == 0)
                    self._read_all_reports()
                looks, next_look = looks + 1, now + WATCH_SECONDS
            self._serve_events(poll, min(deadline, next_look) - now)
            if self.pids[1] in self.exits and not self.ended_by:
                self._read_all_reports()
                return

    def _serve_events(self, poll: Any, seconds: float) -> None:
        for descriptor, event in poll.poll(max(0.0, seconds) * 1000 + 0.5):
            if descriptor == 0:
                raise OwnerGone
            if descriptor not in self._readers:
                self._hear_zygote()
            elif not self._read(descriptor) and event & select.POLLHUP:
                poll.unregister(descriptor)

    def _await_status(self) -> None:
        """Give a process that hung up the moment it needs to be reaped, so that its own status is known."""
        limit = time.monotonic() + _GRACE_SECONDS
        while self.ended_by == "gone" and self.pids[0] not in self.exits and not self.zygote.broken:
            left = limit - time.monotonic()
            if left <= 0:
                return
            if select.select([self.zygote.control], [], [], left)[0]:
                self._hear_zygote()

    def _hear_zygote(self) -> None:
        try:
            message = self.zygote.control.recv(64)
        except OSError:
            message = b""
        if len(message) == channel.PIDS.size:
            self.pids = channel.PIDS.unpack(message)
            self._started = time.monotonic()
        elif len(message) == channel.EXIT.size:
            pid, status, user, system, peak = channel.EXIT.unpack(message)
            self.exits[pid] = (status, user + system, peak)
        else:
            self.zygote.broken = True

    def _read(self, descriptor: int) -> bool:
        try:
            data = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return False
        sink = self._readers[descriptor]
        if sink == "report":
            self._take_report(data)
        elif sum(map(len, self.output.values())) <= self.run["output_bytes"]:
            self.output[sink] += data
            if sum(map(len, self.output.values())) > self.run["output_bytes"]:
                self.killed_for = self.killed_for or "output_limit"
        else:
            return False
        return bool(data)

    def _read_all_reports(self) -> None:
        for descriptor, sink in self._readers.items():
            while sink == "report" and self._read(descriptor):
                continue

    def _take_report(self, data: bytes) -> None:
        self._reported += data
        self._report_bytes += len(data)
        if self._report_bytes > REPORT_CAP:
            self.killed_for = self.killed_for or "output_limit"
            return
        while len(self._reported) >= channel.HEADER_BYTES and not self.ended_by:
            end = channel.HEADER_BYTES + int.from_bytes(self._reported[: channel.HEADER_BYTES], "big")
            if len(self._reported) < end:
                return
            try:
                nonce, *step = verdict.understood(bytes(self._reported[channel.HEADER_BYTES : end]), self.run)
            except ValueError:  # only an exam that reaches behind its own back can do that
                self.killed_for = self.killed_for or "forgery"
                return
            del self._reported[:end]
            if nonce == self.nonce:
                self.steps.append(step)
                self.ended_by = step[0] if step[0] in ("done", "failed", "gone") else ""

    def _look(self, *, thorough: bool) -> None:
        """Compare what the run uses with its limits; the kernel's own limits are per process and in whole seconds."""
        used = 0.0
        for pid in self.pids:
            with suppress(OSError):
                used += time.clock_gettime((~pid << 3) | 2)  # CPUCLOCK_SCHED of another process, clock_getcpuclockid(3)
        if thorough and self.pids:
            count, resident, group_used = _group_usage(self.pids, self.zygote.resident_bytes)
            used = max(used, group_used)
            if resident > self.run["memory_bytes"]:
                self.killed_for = self.killed_for or "oom"
            elif count > self.process_cap:
                self.killed_for = self.killed_for or "processes"
            elif self.file_cap and _files(self.directory) > self.file_cap:
                self.killed_for = self.killed_for or "files"
        if used > self.run["cpu_seconds"]:
            self.killed_for = self.killed_for or "timeout"

    def _kill(self) -> None:
        """SIGKILL both process groups, which no member can leave, until nobody is left in them."""
        limit = time.monotonic() + _KILL_SECONDS
        while time.monotonic() < limit:
            alive = [pid for pid in self.pids if _kill_group(pid, reaped=pid in self.exits)]
            reap_orphans(self.zygote)
            if not alive and len(self.exits) >= len(self.pids):
                return
            if not self.zygote.broken and len(self.exits) < len(self.pids):
                if select.select([self.zygote.control], [], [], 0.05)[0]:
                    self._hear_zygote()
            elif self.zygote.broken and not alive:
                return
            else:
                time.sleep(0.0005)
        self.zygote.broken = True


def reap_orphans(zygote: Any) -> None:
    """Collect children that their parents left behind; notice when the zygote itself is one of them."""
    with suppress(ChildProcessError):
        while True:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if pid == zygote.pid:
                zygote.broken = True
                zygote.pid = 0


def _kill_group(pid: int, *, reaped: bool) -> bool:
    """Whether anybody was there to kill."""
    found = False
    for kill in (os.killpg,) if reaped else (os.killpg, os.kill):  # a reaped leader's number may be someone else's
        with suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)
            found = True
    return found


def _files(directory: str) -> int:
    """How many files and folders the file system of a directory holds; 0 when the run has taken it away."""
    try:
        seen = os.statvfs(directory)
    except OSError:
        return 0
    return seen.f_files - seen.f_ffree


def _memory_file(job: dict[str, Any]) -> int:
    descriptor = os.memfd_create("job", os.MFD_CLOEXEC)
    os.write(descriptor, json.dumps(job).encode())
    return descriptor


def _group_usage(groups: tuple[int, ...], shared_bytes: int) -> tuple[int, int, float]:
    """(processes, resident bytes beyond what each shares with the zygote, CPU seconds) of these process groups."""
    count, resident, used = 0, 0, 0.0
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as line:
                fields = line.read().rpartition(b")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[2]) in groups:
            count += 1
            resident += max(0, int(fields[21]) * _PAGE_BYTES - shared_bytes)
            used += (int(fields[11]) + int(fields[12])) / _TICKS
    return count, resident, used
