"""Whether a dataset folder still is what was exported, offline; it names what differs and re-executes nothing."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ghostd.core.ledger import Frontier
from ghostd.errors import ExportError
from ghostd.export.manifest import CRYSTALS, MANIFEST, CrystalRecord, FileRecord, Manifest, read_manifest
from ghostd.export.spool import line_of

_CHUNK = 1 << 20  # bytes read at a time
_NAMED = 5  # crystals of one file that are named; more are counted


@dataclass(frozen=True, slots=True)
class Audit:
    """What the check found."""

    root: str  # Merkle root over the crystals as they are listed now, hex
    crystals: int
    files: int
    problems: tuple[str, ...]  # one sentence each; none when the dataset is what was exported

    @property
    def ok(self) -> bool:
        """Nothing differs."""
        return not self.problems


@dataclass(slots=True)
class _Listing:
    """What `crystals.jsonl` says now."""

    tree: Frontier = field(default_factory=Frontier)
    rows_hashes: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def audit_dataset(folder: Path) -> Audit:
    """Check every file, the Merkle root, the order and the splits against the manifest.

    Raises ExportError when there is no manifest, or a file cannot be read.
    """
    manifest = read_manifest(folder)
    try:
        listing = _read_listing(folder, manifest)
        problems = [*_foreign(folder, manifest)]
        for record in manifest.files:
            problems.extend(_compare(folder, record, listing))
    except OSError as error:
        raise ExportError(f"{folder} cannot be read ({error.strerror}); check its permissions.") from error
    root = listing.tree.root().hex()
    if root != manifest.root:
        problems.append(f"{CRYSTALS}: its Merkle root is {root[:12]}, not the manifest's {manifest.root[:12]}.")
    return Audit(root, listing.tree.size, len(manifest.files), (*problems, *listing.problems))


def _read_listing(folder: Path, manifest: Manifest) -> _Listing:
    listing, last = _Listing(), ""
    path = folder / CRYSTALS
    if not path.is_file():
        return listing  # reported as a missing file
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            where = f"{CRYSTALS}: line {number}"
            try:
                record = CrystalRecord.model_validate_json(line)
            except ValidationError:
                listing.problems.append(f"{where} is not a crystal.")
                continue
            if record.id <= last:
                listing.problems.append(f"{where}: crystal {record.id[:12]} is out of order.")
            if manifest.splits.get(record.lineage) is not record.split:
                listing.problems.append(f"{where}: lineage {record.lineage} does not belong to {record.split}.")
            last = record.id
            listing.tree.append(record.leaf())
            listing.rows_hashes[record.id] = record.rows_hash
    if listing.tree.size != manifest.crystals:
        listing.problems.append(f"{CRYSTALS}: {listing.tree.size} crystals, not {manifest.crystals}.")
    return listing


def _foreign(folder: Path, manifest: Manifest) -> Iterator[str]:
    known = {record.path for record in manifest.files} | {MANIFEST}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name not in known and not path.is_dir():
            yield f"{name}: not in the manifest."


def _compare(folder: Path, record: FileRecord, listing: _Listing) -> Iterator[str]:
    path = folder / record.path
    if not path.is_file():
        yield f"{record.path}: missing."
        return
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() == record.sha256:
        return
    yield f"{record.path}: changed since the export ({path.stat().st_size} bytes, {record.size} exported)."
    if path.suffix in {".jsonl", ".parquet"} and record.path != CRYSTALS:
        yield from _changed_crystals(path, record.path, listing)


def _changed_crystals(path: Path, name: str, listing: _Listing) -> Iterator[str]:
    """Name the crystals whose rows are not the ones that were exported."""
    changed, last, digest = 0, "", hashlib.sha256()
    try:
        for crystal, line in _lines_by_crystal(path):
            if crystal != last:
                changed += (bad := bool(last) and listing.rows_hashes.get(last) != digest.hexdigest())
                if bad and changed <= _NAMED:
                    yield f"{name}: the rows of crystal {last[:12]} are not the exported ones."
                last, digest = crystal, hashlib.sha256()
            digest.update(line)
    except (ValueError, KeyError, TypeError) as error:  # neither JSON nor Parquet, or other columns
        yield f"{name}: after crystal {last[:12] or 'none'} it cannot be read ({error})."
        return
    if changed > _NAMED:
        yield f"{name}: {changed} crystals in all have other rows."


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
