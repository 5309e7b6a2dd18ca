"""Whether the data files hold exactly the rows and documents that the crystals give; it believes no stored hash."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ghostd.core.crystal import Crystal
from ghostd.core.split import Split
from ghostd.export.document import document
from ghostd.export.manifest import FileRecord, Manifest
from ghostd.export.rows import rows
from ghostd.export.spool import columns, line_of
from ghostd.export.text import END_OF_DOCUMENT
from ghostd.export.variations import VariationRecord

_NAMED = 5  # differences of one file that are named; more are counted


class Expected:
    """What the data files must hold, hashed while the crystals are read by ascending id."""

    def __init__(self, manifest: Manifest) -> None:
        self._unverified = manifest.choices.include_unverified_claims
        self._splits = manifest.splits
        self.rows: Counter[tuple[str, str]] = Counter()  # (split, kind)
        self._crystals: dict[str, dict[str, tuple[str, str]]] = {split.value: {} for split in Split}
        self._files = {split.value: (hashlib.sha256(), hashlib.sha256()) for split in Split}

    def add(self, crystal: Crystal, variations: Sequence[VariationRecord] = ()) -> str:
        """Render the crystal with its variations; the hash of the rows. Raises KeyError: its lineage has no split."""
        split = self._splits[crystal.concept.lineage].value
        lines, texts = self._files[split]
        digest = hashlib.sha256()
        asked = [one.exercise for one in variations]
        for row in rows(crystal, asked, include_unverified_claims=self._unverified):
            line = line_of({**columns(row, crystal), "split": split})
            lines.update(line)
            digest.update(line)
            self.rows[split, row.kind.value] += 1
        text = (document(crystal) + END_OF_DOCUMENT).encode()
        texts.update(text)
        self._crystals[split][crystal.id] = (digest.hexdigest(), hashlib.sha256(text).hexdigest())
        return digest.hexdigest()

    def differences(self, folder: Path, record: FileRecord, sha256: str) -> Iterator[str]:
        """What one file holds that it must not, or lacks; `sha256` is what it hashes to now."""
        form, split = record.path.split("/")[0], Path(record.path).name.split(".")[0].split("-")[0]
        if split not in self._crystals or form not in {"jsonl", "data", "text"}:
            return
        crystals = self._crystals[split]
        if form == "text":
            if sha256 != self._files[split][1].hexdigest():
                yield from _changed_documents(folder / record.path, record.path, crystals)
        elif form == "data" or sha256 != self._files[split][0].hexdigest():
            expected = {name: hashes[0] for name, hashes in crystals.items()}
            yield from _few(record.path, _changed_rows(folder / record.path, expected))


def _few(name: str, problems: Iterator[str]) -> Iterator[str]:
    more = 0
    for number, problem in enumerate(problems):
        if number < _NAMED:
            yield f"{name}: {problem}"
        else:
            more += 1
    if more:
        yield f"{name}: {more} more differences."


def _changed_rows(path: Path, expected: dict[str, str]) -> Iterator[str]:
    last, digest, seen = "", hashlib.sha256(), set[str]()
    try:
        for crystal, line in _lines_by_crystal(path):
            if crystal != last:
                if last and expected.get(last, "") != digest.hexdigest():
                    foreign = last not in expected
                    yield (
                        f"crystal {last[:12]} does not belong here."
                        if foreign
                        else (f"the rows of crystal {last[:12]} are not what the crystal gives.")
                    )
                if crystal in seen:
                    yield f"crystal {crystal[:12]} stands here twice."
                if crystal and crystal < last:
                    yield f"crystal {crystal[:12]} is out of order."
                seen.add(crystal)
                last, digest = crystal, hashlib.sha256()
            digest.update(line)
    except (ValueError, KeyError, TypeError, OSError) as error:  # neither JSON nor Parquet, or other columns
        yield f"after crystal {last[:12] or 'none'} it cannot be read ({error})."
        return
    for crystal in sorted(expected.keys() - seen):
        yield f"the rows of crystal {crystal[:12]} are missing."


def _lines_by_crystal(path: Path) -> Iterator[tuple[str, bytes]]:
    """Each row's crystal and its line of JSONL; at the end an empty one, so that the last crystal is compared too."""
    if path.suffix == ".jsonl":
        with path.open("rb") as lines:
            for line in lines:
                yield json.loads(line)["crystal"], line
    else:
        for row in _parquet_rows(path):
            yield row["crystal"], line_of(row)
    yield "", b""


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=1024):
            yield from batch.to_pylist()


def _changed_documents(path: Path, name: str, crystals: dict[str, tuple[str, str]]) -> Iterator[str]:
    """Name the first document that differs: what follows it may merely have moved."""
    end = END_OF_DOCUMENT.encode()
    *found, rest = path.read_bytes().split(end)
    for (crystal, (_, expected)), text in zip(crystals.items(), found, strict=False):
        if hashlib.sha256(text + end).hexdigest() != expected:
            yield f"{name}: the document of crystal {crystal[:12]} is not what the crystal gives."
            return
    yield f"{name}: it holds {len(found)} whole documents and {len(rest)} more bytes, not {len(crystals)} documents."
