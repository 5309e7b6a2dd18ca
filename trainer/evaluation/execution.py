"""Verdicts about generated code from a program that is given from outside; this process never runs the code.

The program reads JSON lines from its standard input and writes one line for each of them, in any order:

```
{"id": "7", "code": "def double(n): ...", "tests": ["assert double(2) == 4"]}
{"id": "7", "passed": true, "detail": "3 checks passed"}
```
"""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final, Protocol

from trainer.errors import ExecutionError

_SECONDS: Final = 3600.0  # for all jobs together
_SHOWN: Final = 300  # characters of what a failing program said


@dataclass(frozen=True, slots=True)
class Job:
    """Code to be run with its tests."""

    id: str
    code: str
    tests: tuple[str, ...]  # lines of Python that raise when the code is wrong


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of it."""

    passed: bool
    detail: str = ""


class Execute(Protocol):
    """Runs jobs where they can do no harm."""

    def __call__(self, jobs: Sequence[Job]) -> dict[str, Verdict]:
        """A verdict for every job, by its id. Raises ExecutionError when one could not be had."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program with its arguments as an Execute."""

    command: tuple[str, ...]

    def __call__(self, jobs: Sequence[Job]) -> dict[str, Verdict]:
        """See Execute."""
        if not jobs:
            return {}
        lines = "".join(json.dumps(asdict(job)) + "\n" for job in jobs)
        try:
            done = subprocess.run(  # the user's own program
                self.command, input=lines, capture_output=True, text=True, check=False, timeout=_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ExecutionError(f"{self.command[0]} could not be run ({error}); correct --execute.") from error
        if done.returncode:
            said = done.stderr.strip()[-_SHOWN:]
            raise ExecutionError(
                f"{self.command[0]} ended with {done.returncode} ({said}); run it by hand to see what it lacks."
            )
        return _verdicts(done.stdout, jobs)


def _verdicts(written: str, jobs: Sequence[Job]) -> dict[str, Verdict]:
    verdicts = {}
    try:
        for line in written.splitlines():
            said = json.loads(line)
            verdicts[str(said["id"])] = Verdict({True: True, False: False}[said["passed"]], str(said.get("detail", "")))
    except (ValueError, KeyError, TypeError) as error:
        raise ExecutionError(f"The program of --execute wrote a line that is no verdict ({error!r}).") from error
    missing = [job.id for job in jobs if job.id not in verdicts]
    if missing:
        raise ExecutionError(
            f"The program of --execute gave no verdict on {len(missing)} of {len(jobs)} jobs, first on {missing[0]}."
        )
    return verdicts
