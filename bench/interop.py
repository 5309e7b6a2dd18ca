"""Interoperability with programs that others wrote, offline: ghostd has to live with them, and they with ghostd.

    python bench/interop.py [--work DIR] [--seconds 120] [--backend auto]

1. The teacher client and then the whole daemon against `transformers serve` with a tiny Llama of random weights. The
   server knows no json_schema, lists no models, and its answers are noise: every one must be rejected with a reason and
   counted, nothing may be stored, and a budget must hold.
2. The newest `openai` client against `ghostd teacher serve`.

Environments with torch, transformers and openai are made in DIR and kept for the next time, as are the logs. Prints a
table with one line for each check and a line of JSON; exits with 1 when a check fails.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import interop_client
import interop_openai
from interop_daemon import Installation
from interop_noise import BUDGET_CHECKS, NOISE_CHECKS, live_on_a_budget, live_on_noise
from interop_servers import environment_of, noise_model, textbook_server, transformers_server

from ghostd.errors import GhostdError
from ghostd.log import configure

SubjectT = TypeVar("SubjectT")


@dataclass(slots=True)
class Report:
    """What was checked: a line each as it happens, a table and a line of JSON at the end."""

    began: float = field(default_factory=time.monotonic)
    lines: list[tuple[str, str, bool, str]] = field(default_factory=list)  # part, check, held, what was seen

    def check(self, part: str, checks: Sequence[Callable[[SubjectT], str]], prepare: Callable[[], SubjectT]) -> None:
        """Prepare once, then hold each check against what came of it."""
        try:
            subject = prepare()
        except (AssertionError, GhostdError, subprocess.SubprocessError) as error:
            self._note(part, "prepare", held=False, seen=f"{error}")
            return
        for check in checks:
            try:
                self._note(part, check.__name__, held=True, seen=check(subject))
            except AssertionError as error:
                self._note(part, check.__name__, held=False, seen=f"{error}")

    def finish(self) -> bool:
        """Print it all; whether every check held."""
        table = Table("part", "check", "", "seen")
        for part, name, held, seen in self.lines:
            table.add_row(part, _words(name), "ok" if held else "FAILED", seen[:400])
        Console(width=None if sys.stdout.isatty() else 180, markup=False).print(table)
        results = {f"{part}: {_words(name)}": held for part, name, held, _ in self.lines}
        seconds = round(time.monotonic() - self.began, 1)
        print(json.dumps({"benchmark": "interop", "seconds": seconds, "checks": results}))
        return all(results.values())

    def _note(self, part: str, name: str, *, held: bool, seen: str) -> None:
        self.lines.append((part, name, held, seen))
        print(
            f"{time.monotonic() - self.began:6.1f} s  {'ok    ' if held else 'FAILED'}  {_words(name)}: {seen}",
            flush=True,
        )


def _words(name: str) -> str:
    return name.removeprefix("check_").replace("_", " ")


def main() -> None:
    """Prepare, serve, check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path(__file__).resolve().parent / "results" / "interop")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long the daemon lives on noise")
    parser.add_argument("--backend", default="auto", help="of the sandbox: auto, docker or bubblewrap")
    arguments = parser.parse_args()
    work: Path = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    for name in [name for name in os.environ if name.startswith("GHOSTD_")]:
        del os.environ[name]  # settings of another installation
    noise_model(work)
    environment_of(work, "openai-venv", "openai")
    configure(level="error")  # of this process; the daemon's log is kept beside its data
    report = Report()
    with textbook_server(work) as textbook:
        report.check("openai client", interop_openai.CHECKS, lambda: interop_openai.ask(work, textbook))
    with tempfile.TemporaryDirectory(prefix="ghostd-interop-") as folder, transformers_server(work) as noise:
        installation = Installation(Path(folder), work, noise, arguments.backend)
        report.check("teacher client", interop_client.CHECKS, lambda: noise)
        report.check("daemon on noise", NOISE_CHECKS, lambda: live_on_noise(installation, arguments.seconds))
        report.check("daemon on a budget", BUDGET_CHECKS, lambda: live_on_a_budget(installation))
    if not report.finish():
        raise SystemExit(1)


if __name__ == "__main__":
    main()
