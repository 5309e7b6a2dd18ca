"""The frozen exam: rows of lineages that are never trained on, chosen once and kept by the hash of what they say.

It is a small ghostd dataset without training rows, so that `python -m trainer eval` reads it as any other:
`test` is asked, `validation` fits the threshold of confidence.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ghostd.core.split import Split, home
from ghostd.core.training import FrozenExam
from ghostd.errors import TrainingFailed
from ghostd.log import logger

_log = logger("student")
_MANIFEST = "manifest.json"
_RECORDS = "records.jsonl"
_NAME_LENGTH = 16  # hexadecimal digits of the hash that name the folder


def frozen_exam(home_folder: Path) -> FrozenExam | None:
    """The exam that was fixed below the folder and still says what it said; None when there is none."""
    for manifest in sorted(home_folder.glob(f"*/{_MANIFEST}")):
        found = _read(manifest.parent)
        if found is not None:
            return found
        _log.error("exam.altered", folder=str(manifest.parent))
    return None


def fix_exam(home_folder: Path, dataset: Path, most_rows: int, seed: int) -> FrozenExam:
    """Choose the exam from a dataset that was just written, and keep it below the folder.

    Only lineages whose hash puts them into `test` or `validation` for good are asked: a small dataset lends these
    splits others (core/split.py). Raises TrainingFailed when the dataset holds none of them yet.
    """
    asked = _rows(dataset, Split.TEST, most_rows, seed)
    if not asked:
        raise TrainingFailed(
            "No crystal's lineage is held out for the exam yet; learn more first (`ghostd start`), about 10 of 100 are."
        )
    fitted = _rows(dataset, Split.VALIDATION, most_rows, seed)
    crystals = {row["crystal"] for row in (*asked, *fitted)}
    files = {
        f"jsonl/{Split.TRAIN}.jsonl": b"",
        f"jsonl/{Split.VALIDATION}.jsonl": _lines(fitted),
        f"jsonl/{Split.TEST}.jsonl": _lines(asked),
        _RECORDS: _lines(one for one in _documents(dataset / _RECORDS) if one["id"] in crystals),
    }
    sha256 = _digest(files)
    folder = home_folder / sha256[:_NAME_LENGTH]
    _write(folder, files, sha256)
    _log.info("exam.fixed", rows=len(asked), sha256=sha256[:12])
    return FrozenExam(folder, sha256, len(asked), frozenset(row["lineage"] for row in asked))


def require_unseen(exam: FrozenExam, dataset: Path) -> None:
    """Raises TrainingFailed when the dataset would train on a lineage of the exam, which another seed may cause."""
    trained = {row["lineage"] for row in _documents(dataset / "crystals.jsonl") if row["split"] == Split.TRAIN}
    if seen := trained & exam.lineages:
        raise TrainingFailed(
            f"{len(seen)} lineages of the exam are in the training split, so export.seed was changed; "
            f"restore it, or remove {exam.folder} to have another exam fixed."
        )


def _rows(dataset: Path, split: Split, most: int, seed: int) -> list[dict[str, Any]]:
    """At most so many rows of the split, spread evenly over all by the hash of their ids."""
    path = dataset / f"jsonl/{split}.jsonl"
    if not path.exists():
        return []
    rows = [row for row in _documents(path) if home(row["lineage"], seed) is split and _gradable(row)]
    rows.sort(key=lambda row: hashlib.sha256(row["id"].encode()).digest())
    return rows[:most]


def _gradable(row: Mapping[str, Any]) -> bool:
    return bool(row["answer"]) or row["kind"] == "write_code"  # code is judged by its crystal's exam


def _documents(path: Path) -> Iterable[dict[str, Any]]:
    with path.open("rb") as lines:
        for line in lines:
            yield json.loads(line)


def _lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(row, sort_keys=True).encode() + b"\n" for row in rows)


def _digest(files: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name, content in sorted(files.items()):
        whole.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return whole.hexdigest()


def _write(folder: Path, files: Mapping[str, bytes], sha256: str) -> None:
    """Aside, then renamed: an exam is there whole or not at all."""
    aside = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    for name, content in files.items():
        path = aside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    records = [
        {"path": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in sorted(files.items())
    ]
    document = {"format": "ghostd-dataset", "root": sha256, "files": records}
    (aside / _MANIFEST).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)  # one of that name that was altered
    aside.rename(folder)


def _read(folder: Path) -> FrozenExam | None:
    """The exam, None when its files are not what its name says."""
    try:
        names = [one["path"] for one in json.loads((folder / _MANIFEST).read_bytes())["files"]]
        files = {name: (folder / name).read_bytes() for name in names}
        rows = [json.loads(line) for line in files[f"jsonl/{Split.TEST}.jsonl"].splitlines()]
        lineages = frozenset(row["lineage"] for row in rows)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    sha256 = _digest(files)
    return FrozenExam(folder, sha256, len(rows), lineages) if sha256.startswith(folder.name) else None
