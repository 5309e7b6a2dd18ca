"""Drives the real daemon against a foreign endpoint and reads back what it left; the checks are in `interop_noise`."""

import asyncio
import json
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interop_servers import GHOSTD, Endpoint, bare_environment
from sqlalchemy import text

from ghostd.app import opened_store
from ghostd.settings import load

_CALLS = text(
    """
    SELECT kind, status, prompt_tokens, completion_tokens, cost::float8 AS cost, measured, http_status, error,
           extract(epoch FROM created_at)::float8 AS at
    FROM llm_calls WHERE base_url = :base_url ORDER BY id
    """
)
_ALL_CALLS = text("SELECT count(*), sum(prompt_tokens), sum(completion_tokens), sum(cost)::float8 FROM llm_calls")
_ATTEMPTS = text("SELECT stage, verdict, rung, reason FROM attempts WHERE teacher = :teacher ORDER BY id")
_ALL_ATTEMPTS = text("SELECT count(*) FROM attempts")
_CRYSTALS = text("SELECT count(*) FROM crystals WHERE teacher = :teacher")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What `ghostd status --json` says, and what the tables say, of the same moment."""

    knowledge: dict[str, Any]  # of the status document
    calls: list[dict[str, Any]]  # rows of llm_calls to the foreign endpoint
    all_calls: tuple[int, int, int, float]  # of every teacher: calls, prompt tokens, completion tokens, cost
    attempts: list[dict[str, str]]  # with the foreign teacher
    all_attempts: int
    crystals: int  # from the foreign teacher
    served: list[int]  # statuses in the server's access log


@dataclass(frozen=True, slots=True)
class Period:
    """One run of the daemon: before, during and after."""

    before: Snapshot
    after: Snapshot
    exit_code: int
    seconds: float  # wanted
    working_seconds: float  # for which its state file said "working"
    began: float  # when it did so first, seconds since the epoch
    midway: dict[str, Any]  # the daemon's part of `status --json`, asked while it ran
    served_at: list[tuple[float, int]]  # (seconds since the epoch, chat completions that the server had logged)
    log: str

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Rows of this period."""
        return self.after.calls[len(self.before.calls) :]

    @property
    def attempts(self) -> list[dict[str, str]]:
        """Attempts of this period."""
        return self.after.attempts[len(self.before.attempts) :]

    @property
    def served(self) -> list[int]:
        """Statuses that the server logged in this period."""
        return self.after.served[len(self.before.served) :]


class Installation:
    """One data directory, an empty settings file, and the endpoint that is to be lived with."""

    def __init__(self, folder: Path, logs: Path, endpoint: Endpoint, backend: str) -> None:
        self._logs = logs
        self._endpoint = endpoint
        self._backend = backend
        self._data_dir = folder / "data"
        self._config = folder / "ghostd.toml"
        self._config.touch()  # named with --config, so that no other settings file is read

    def learn(self, crystals: int, **settings: str) -> None:
        """Let the textbook teach until so many crystals are stored. Raises AssertionError when the daemon fails."""
        until = ("--until-crystals", str(crystals))
        daemon = self._start("learn", *until, GHOSTD_TEXTBOOK__ALWAYS="true", **settings)
        try:
            daemon.wait(timeout=180)
        except subprocess.TimeoutExpired:
            daemon.kill()
        assert daemon.wait() == 0, self._log("learn")[-2000:]

    def live(self, name: str, seconds: float, **settings: str) -> Period:
        """Run on the foreign endpoint for so long, and watch."""
        before = self.snapshot()
        named = {"GHOSTD_TEACHER__BASE_URL": self._endpoint.url, "GHOSTD_TEACHER__MODEL": self._endpoint.model}
        working = began = 0.0
        asked: Future[dict[str, Any]] | None = None
        served_at: list[tuple[float, int]] = []
        deadline = time.monotonic() + seconds + 240  # opening, closing and the grace of its end
        daemon = self._start(name, "--for", f"{seconds:g}s", **named, **settings)
        with ThreadPoolExecutor(1) as meanwhile:
            while daemon.poll() is None:
                if time.monotonic() > deadline:
                    daemon.kill()
                if self._phase(daemon.pid) == "working":
                    working, began = time.time(), began or time.time()
                    served_at.append((working, len(self._endpoint.calls())))
                if asked is None and began and time.time() - began > 0.6 * seconds:
                    asked = meanwhile.submit(self._status)
                time.sleep(0.25)
        return Period(
            before=before,
            after=self.snapshot(),
            exit_code=daemon.returncode,
            seconds=seconds,
            working_seconds=working - began,
            began=began,
            midway=asked.result()["daemon"] if asked else {},
            served_at=served_at,
            log=self._log(name),
        )

    def snapshot(self) -> Snapshot:
        """What the command line and the tables say now; only while no daemon runs are they of one moment."""
        return asyncio.run(self._read(self._status()["knowledge"]))

    async def _read(self, knowledge: dict[str, Any]) -> Snapshot:
        names = {"base_url": self._endpoint.url}
        teacher = {"teacher": self._endpoint.model}
        settings = load(self._config, data_dir=self._data_dir)
        async with opened_store(settings) as store, store.engine.transaction() as connection:
            calls = [dict(row) for row in (await connection.execute(_CALLS, names)).mappings()]
            attempts = [dict(row) for row in (await connection.execute(_ATTEMPTS, teacher)).mappings()]
            count, prompt, completion, cost = (await connection.execute(_ALL_CALLS)).one()
            return Snapshot(
                knowledge=knowledge,
                calls=calls,
                all_calls=(count, int(prompt), int(completion), cost),
                attempts=attempts,
                all_attempts=(await connection.execute(_ALL_ATTEMPTS)).scalar_one(),
                crystals=(await connection.execute(_CRYSTALS, teacher)).scalar_one(),
                served=self._endpoint.calls(),
            )

    def _start(self, name: str, *arguments: str, **settings: str) -> "subprocess.Popen[bytes]":
        with (self._logs / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [*self._command("start"), "--plain", *arguments],
                env=bare_environment(GHOSTD_SANDBOX__BACKEND=self._backend, **settings),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _command(self, *arguments: str) -> list[str]:
        return [*GHOSTD, "--config", str(self._config), "--data-dir", str(self._data_dir), *arguments]

    def _status(self) -> dict[str, Any]:
        done = subprocess.run(
            self._command("status", "--json"), env=bare_environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"`ghostd status` ended with {done.returncode}: {done.stderr[-1000:]}"
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def _phase(self, process: int) -> str:
        try:
            state = json.loads((self._data_dir / "daemon.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ""
        return str(state["phase"]) if state["pid"] == process else ""

    def _log(self, name: str) -> str:
        return (self._logs / f"{name}.log").read_text(encoding="utf-8", errors="replace")


def in_each(parts: int, moments: Sequence[float], began: float, seconds: float) -> list[int]:
    """How many of the moments fall in each equal part of a time; what comes after it counts with the last part."""
    counts = [0] * parts
    for moment in moments:
        counts[min(parts - 1, max(0, int((moment - began) / seconds * parts)))] += 1
    return counts
