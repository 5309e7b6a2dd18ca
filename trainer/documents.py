"""Which documents a folder holds and where each begins: an index of places; the documents stay on the disk.

A document is one line of a JSON Lines file, one form-feed-ended part of a ghostd text file, or one plain file.
"""

import hashlib
import json
import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from trainer import manifest
from trainer.config import DataConfig
from trainer.errors import DataError

END_OF_DOCUMENT: Final = b"\n\f\n"  # a line that holds a single form feed ends a document of a ghostd text file
_LOOKED_AT = 8192  # bytes of a plain file; a NUL among them says that it is no text
_PIECE = 1 << 20  # bytes of a plain file that are one document; all pieces of a file are in the same split


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document lies."""

    path: Path
    offset: int  # bytes
    length: int  # bytes
    row: bool  # a line of JSON, not the text itself


@dataclass(slots=True)
class Splits:
    """The places of both splits, and a fingerprint of all that was read to find them."""

    train: list[Place] = field(default_factory=list)
    validation: list[Place] = field(default_factory=list)
    fingerprint: str = ""  # SHA-256, hexadecimal


@dataclass(frozen=True, slots=True)
class _Found:
    """A document with what decides its split: documents of equal keys are never parted."""

    place: Place
    key: bytes


def find_documents(config: DataConfig) -> Splits:
    """The documents of the folder, split.

    Raises:
        DataError: the folder is not there, is not whole, or holds no documents.

    """
    folder = Path(config.path)
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; set data.path to a dataset or to a folder of text files.")
    splits = _of_dataset(folder, config) if manifest.is_dataset(folder) else _of_plain_folder(folder, config)
    if not splits.train:
        raise DataError(f"{folder} holds no document to train on; name a folder with text in it.")
    return splits


def _of_dataset(folder: Path, config: DataConfig) -> Splits:
    """A ghostd dataset keeps its own split, which never parts a lineage; `test` is left alone."""
    root = manifest.check_files(folder)
    pattern = "jsonl/{}.jsonl" if config.form == "messages" else "text/{}.txt"
    train, validation = (folder / pattern.format(split) for split in ("train", "validation"))
    if not train.exists():
        raise DataError(f"{folder} has no {config.form}; export it with `--format jsonl,text`, or set data.form.")
    found = list(_documents([train]))
    held_out = list(_documents([validation])) if validation.exists() else []
    if held_out and config.validation_fraction:
        fingerprint = hashlib.sha256(f"{root} {config.form}".encode()).hexdigest()
        return Splits([each.place for each in found], [each.place for each in held_out], fingerprint)
    return _split(found, config.validation_fraction)


def _of_plain_folder(folder: Path, config: DataConfig) -> Splits:
    """All files below the folder but hidden ones and those that are no text."""
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    return _split(list(_documents(paths)), config.validation_fraction)


def _split(found: Sequence[_Found], fraction: float) -> Splits:
    """By the hash of the key: a growing folder moves nothing. Two documents suffice to fill both splits."""
    splits = Splits()
    digest = hashlib.sha256()
    positions = [int.from_bytes(hashlib.sha256(each.key).digest()[:6], "big") / (1 << 48) for each in found]
    below = max(fraction, min(positions, default=0.0) + 2.0**-48) if fraction else 0.0
    for each, position in zip(found, positions, strict=True):
        (splits.validation if position < below else splits.train).append(each.place)
        digest.update(hashlib.sha256(each.key).digest() + each.place.length.to_bytes(8, "big"))
    if splits.validation and not splits.train:
        raise DataError("There is one document only; add another, or set data.validation_fraction to 0.")
    splits.fingerprint = digest.hexdigest()
    return splits


def _documents(paths: Sequence[Path]) -> Iterator[_Found]:
    for path in paths:
        try:
            if path.suffix == ".jsonl":
                yield from _rows(path)
            else:
                yield from _texts(path)
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror}); check its permissions.") from error


def _rows(path: Path) -> Iterator[_Found]:
    offset = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _Found(Place(path, offset, len(line), row=True), _key_of_row(line, f"{path}:{number}"))
            offset += len(line)


def _key_of_row(line: bytes, where: str) -> bytes:
    """The lineage, where the row has one: variants of one lesson are never parted."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"{where} is not JSON ({error}); mend or remove the line.") from error
    if not isinstance(row, dict) or not ("messages" in row or isinstance(row.get("text"), str)):
        raise DataError(f"{where} has neither messages nor a text; mend or remove the line.")
    lineage = row.get("lineage")
    return lineage.encode() if isinstance(lineage, str) and lineage else line


def _texts(path: Path) -> Iterator[_Found]:
    size = path.stat().st_size
    if not size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if b"\0" in content[:_LOOKED_AT]:
            return
        start = 0
        while start < size:
            found = content.find(END_OF_DOCUMENT, start)
            end = size if found < 0 else found
            digest = hashlib.sha256(memoryview(content)[start:end]).digest()
            for offset in range(start, end, _PIECE):
                yield _Found(Place(path, offset, min(_PIECE, end - offset), row=False), digest)
            start = end + len(END_OF_DOCUMENT)
