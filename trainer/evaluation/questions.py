"""The questions of a ghostd dataset, each in the suite that says what a student may have seen of it; it asks nobody.

| suite | what of it is in the lessons that `withhold` writes |
|---|---|
| seen | this very row |
| paraphrases | the same exercise in another form (the sentence, but not the line of code, or the other way round) |
| parameters | other exercises of the same crystal, not this one |
| lineages | nothing of its family: the dataset's own `test` split |
| validation | nothing; thresholds are fitted here and applied elsewhere |
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from trainer import manifest
from trainer.errors import DataError

_EXERCISES: Final = ("compute", "predict_output")  # two forms of one exercise, with one value
_CODE: Final = "write_code"
_SHARE: Final = 10  # one exercise of so many is withheld whole, and of as many more one form
SPLITS: Final = ("train", "validation", "test")


class Suite(StrEnum):
    """What a student may have seen of a question."""

    SEEN = "seen"
    PARAPHRASES = "paraphrases"
    PARAMETERS = "parameters"
    LINEAGES = "lineages"
    VALIDATION = "validation"


@dataclass(frozen=True, slots=True)
class Question:
    """One question with what a grader needs."""

    id: str
    suite: Suite
    domain: str
    kind: str
    prompt: str
    completion: str  # as the dataset answers it
    answer: str  # the value or the verdict; '' where only execution can tell
    exercise: str  # equal for all forms of one exercise; '' for what is asked in one form
    tests: tuple[str, ...] = ()  # for code: checks that `execute` runs, as lines of Python


def read_questions(folder: Path) -> list[Question]:
    """Every question that can be graded, in the dataset's order.

    Raises:
        DataError: the folder is no dataset, is not whole, or has no conversations.

    """
    if not manifest.is_dataset(folder):
        raise DataError(f"{folder} is no ghostd dataset; write one with `ghostd export --out {folder}`.")
    manifest.check_files(folder)
    tests = _exams(folder / "records.jsonl")
    asked = (
        _question(row, tests.get(row["crystal"], ()) if row["kind"] == _CODE else ())
        for split in SPLITS
        for row in rows_of(folder, split)
    )
    return [question for question in asked if question.answer or question.tests]


def rows_of(folder: Path, split: str) -> Iterator[dict[str, Any]]:
    """The conversations of one split. Raises DataError when the dataset has none, or when a line is no row."""
    path = folder / f"jsonl/{split}.jsonl"
    for number, line in enumerate(_lines(path), start=1):
        try:
            row: dict[str, Any] = json.loads(line)
            suite_of(row)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"Line {number} of {path} is no row ({error!r}); export the dataset anew.") from error
        yield row


def suite_of(row: dict[str, Any]) -> Suite:
    """The suite of a row, by its split and by hashes of its ids alone: a growing dataset moves no row."""
    if row["split"] != "train":
        return Suite.LINEAGES if row["split"] == "test" else Suite.VALIDATION
    exercise = _exercise(row)
    if not exercise:
        return Suite.SEEN
    digest = hashlib.sha256(exercise.encode()).digest()
    if digest[0] % _SHARE == 0:
        return Suite.PARAMETERS
    withheld = _EXERCISES[digest[1] % len(_EXERCISES)]
    return Suite.PARAPHRASES if digest[0] % _SHARE == 1 and row["kind"] == withheld else Suite.SEEN


def _exercise(row: dict[str, Any]) -> str:
    return f"{row['crystal']}/{str(row['id']).rsplit('/', 1)[1]}" if row["kind"] in _EXERCISES else ""


def _question(row: dict[str, Any], tests: tuple[str, ...]) -> Question:
    question, answer = (turn["content"] for turn in row["messages"])
    return Question(
        id=row["id"],
        suite=suite_of(row),
        domain=row["domain"],
        kind=row["kind"],
        prompt=question,
        completion=answer,
        answer=row["answer"],
        exercise=_exercise(row),
        tests=tests,
    )


def _exams(path: Path) -> dict[str, tuple[str, ...]]:
    """The checks of each crystal's exam. Datasets without records have none, and their code is not graded."""
    if not path.exists():
        return {}
    records = (json.loads(line) for line in _lines(path))
    return {record["id"]: tuple(record["exam"]["checks"]) for record in records}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); export the dataset with `--format jsonl`."
        ) from error
