"""The run's journals, one JSON object per line; after a resume they hold what an undisturbed run would hold.

`metrics.jsonl` has no clock in it, so two equal runs write equal bytes; `timing.jsonl` has the seconds.
"""

import json
import os
from pathlib import Path
from typing import Final, TextIO

JOURNALS: Final = ("metrics", "timing", "samples", "diagnostics")


class Journals:
    """Appends records, each with its step."""

    def __init__(self, folder: Path, step: int) -> None:
        """Forgets the records after `step`: the steps that a killed process took after its last checkpoint."""
        folder.mkdir(parents=True, exist_ok=True)
        self._files: dict[str, TextIO] = {}
        for name in JOURNALS:
            path = folder / f"{name}.jsonl"
            _cut(path, step)
            self._files[name] = path.open("a", encoding="utf-8", buffering=1)  # a line is seen when it is written

    def write(self, journal: str, step: int, **values: object) -> None:
        """One record of the journal."""
        self._files[journal].write(json.dumps({"step": step, **values}) + "\n")

    def flush(self) -> None:
        """Everything written so far is on the disk before a checkpoint names its step."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files.values():
            file.close()


class MutedJournals(Journals):
    """Takes records and keeps none: for the processes of a run that do not write."""

    def __init__(self) -> None:
        self._files = {}

    def write(self, journal: str, step: int, **values: object) -> None:
        """Nothing."""


def _cut(path: Path, step: int) -> None:
    if not path.exists():
        return
    whole = [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
    aside = path.with_suffix(".partial")
    aside.write_text("".join(line for line in whole if json.loads(line)["step"] <= step), encoding="utf-8")
    aside.replace(path)
