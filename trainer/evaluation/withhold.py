"""Writes the lessons of a dataset without the questions that will be asked as new; it trains nothing."""

import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Final

from trainer import manifest
from trainer.errors import DataError
from trainer.evaluation.questions import Suite, rows_of, suite_of

MARK: Final = ".withheld.json"  # hidden: the trainer reads it as no document
_LESSONS: Final = "lessons.jsonl"


def withhold(dataset: Path, out: Path) -> Counter[str]:
    """Writes `out`, a folder that `data.path` can name: training rows of the suite `seen`, nothing else.

    Returns:
        How many training rows each suite has.

    Raises:
        DataError: the dataset is not whole, or `out` is there already or cannot be written.

    """
    root = manifest.check_files(dataset)
    counts: Counter[str] = Counter()
    aside = out.with_name(f"{out.name}.partial-{os.getpid()}")
    try:
        if out.exists():
            raise DataError(f"{out} is there already; name a folder that is not.")
        aside.mkdir(parents=True)
        with (aside / _LESSONS).open("w", encoding="utf-8") as file:
            for row in rows_of(dataset, "train"):
                suite = suite_of(row)
                counts[suite] += 1
                if suite is Suite.SEEN:
                    file.write(json.dumps({"messages": row["messages"]}, ensure_ascii=False) + "\n")
        (aside / MARK).write_text(json.dumps({"root": root}) + "\n", encoding="utf-8")
        aside.rename(out)
    except OSError as error:
        raise DataError(f"{out} cannot be written ({error.strerror}); name another folder.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return counts


def root_of(folder: Path) -> str:
    """The Merkle root of the dataset whose lessons these are; '' for any other folder."""
    try:
        root: str = json.loads((folder / MARK).read_bytes())["root"]
    except (OSError, ValueError, KeyError):
        return ""
    return root
