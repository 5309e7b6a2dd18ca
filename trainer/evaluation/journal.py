"""Answers that were given, one JSON line each: an interrupted examination goes on, and nothing is paid for twice."""

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO

from trainer.evaluation.candidate import Answer


class Journal:
    """The answers of one candidate to one dataset, by question and number of the sample."""

    def __init__(self, path: Path, about: Mapping[str, str]) -> None:
        """Goes on with the file where it is `about` the same; else begins it anew."""
        head = json.dumps({"about": about})
        self._answers: dict[tuple[str, int], Answer] = {}
        self._lock = threading.Lock()
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        whole = [line for line in lines if line.endswith("\n")]  # a killed process may leave half a line
        if whole and whole[0] == head + "\n":
            for line in whole[1:]:
                record = json.loads(line)
                key = (record.pop("question"), record.pop("sample"))
                self._answers[key] = Answer(**record)
        else:
            whole = [head + "\n"]
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(".partial")
        aside.write_text("".join(whole), encoding="utf-8")
        aside.replace(path)
        self._file: IO[str] = path.open("a", encoding="utf-8", buffering=1)

    def get(self, question: str, sample: int) -> Answer | None:
        """The answer, where it was given."""
        return self._answers.get((question, sample))

    def put(self, question: str, sample: int, answer: Answer) -> None:
        """Keeps an answer; threads may call it."""
        with self._lock:
            self._answers[question, sample] = answer
            self._file.write(json.dumps({"question": question, "sample": sample, **asdict(answer)}) + "\n")

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()
