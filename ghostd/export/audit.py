"""Whether a dataset folder still is what was exported and signed, offline; it names what differs and executes nothing.

Everything is computed anew from `records.jsonl`: the ids, the leaves that the signed ledger committed to, the rows of
every format, the splits and the counts. Whoever changes a crystal would have to sign another ledger.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

import ghostd
from ghostd.core.crystal import Crystal
from ghostd.core.identity import crystal_id
from ghostd.core.leaf import crystal_entry
from ghostd.core.ledger import Frontier, leaf_hash, verify_inclusion
from ghostd.core.signed import SignedHead
from ghostd.core.split import assign
from ghostd.errors import ExportError
from ghostd.export.audit_rows import Expected
from ghostd.export.audit_signatures import check_signatures
from ghostd.export.manifest import CRYSTALS, MANIFEST, CrystalRecord, FileRecord, Manifest, read_manifest
from ghostd.export.proofs import PROOFS, RECORDS, SEAL, ProofRecord, decode_crystal
from ghostd.export.variations import VARIATIONS, VariationRecord, misread, read_variations

_NAMED = 20  # problems of one check that are named; more are counted


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    looked_at: str  # how much of it
    problems: tuple[str, ...]  # one sentence each


@dataclass(frozen=True, slots=True)
class Audit:
    """What the check found."""

    root: str  # Merkle root over the crystals as they are listed now, hex
    crystals: int
    files: int
    signer: str  # id of the key that signed, '' when nothing is signed
    checks: tuple[Check, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """One sentence each; none when the dataset is what was exported."""
        return tuple(problem for check in self.checks for problem in check.problems)

    @property
    def ok(self) -> bool:
        """Nothing differs."""
        return not self.problems


@dataclass(slots=True)
class _Reading:
    """What `crystals.jsonl`, `records.jsonl` and `proofs.jsonl` say, and what is wrong with each."""

    manifest: Manifest
    head: SignedHead | None
    expected: Expected
    tree: Frontier = field(default_factory=Frontier)
    variations: dict[str, list[VariationRecord]] = field(default_factory=dict)
    listed: dict[str, CrystalRecord] = field(default_factory=dict)
    proofs: dict[str, ProofRecord] = field(default_factory=dict)
    lineages: set[str] = field(default_factory=set)
    order: list[str] = field(default_factory=list)
    content: list[str] = field(default_factory=list)
    inclusion: list[str] = field(default_factory=list)
    records: int = 0


def audit_dataset(folder: Path, *, trusted: bytes | None = None) -> Audit:
    """Check signatures, files, crystals, proofs, order, splits, counts and every row. `trusted` is the public key
    that the reader knows; without it a dataset that somebody else signed as a whole passes.

    Raises ExportError when there is no manifest, or a file cannot be read.
    """
    manifest = read_manifest(folder)
    try:
        signatures = check_signatures(folder, manifest, trusted)
        reading = _Reading(manifest, signatures.head, Expected(manifest))
        _read_listing(folder, reading)
        _read_proofs(folder, reading)
        _read_variations(folder, reading)
        _read_records(folder, reading)
        files, rows = list(_foreign(folder, manifest)), list[str]()
        for record in manifest.files:
            sha256 = _sha256(folder / record.path)
            if sha256 != record.sha256:
                files.append(_changed(folder, record))
            if sha256:
                rows.extend(reading.expected.differences(folder, record, sha256))
    except OSError as error:
        raise ExportError(f"{folder} cannot be read ({error.strerror}); check its permissions.") from error
    if rows and manifest.ghostd_version != ghostd.__version__:
        rows.append(f"It was written by ghostd {manifest.ghostd_version}, which may have worded rows in another way.")
    root, size = reading.tree.root().hex(), reading.tree.size
    checks = (
        _check("signature", SEAL, signatures.seal_problems),
        _check(
            "ledger head", f"{signatures.head.head.size if signatures.head else 0} leaves", signatures.head_problems
        ),
        _check("signer", signatures.signer[:12] or "nobody", signatures.key_problems),
        _check("files", f"{len(manifest.files)} files", files),
        _check("order", f"{size} crystals", reading.order),
        _check("content", f"{reading.records} crystals", reading.content),
        _check("proofs", f"{len(reading.proofs)} proofs", reading.inclusion),
        _check("rows", f"{sum(reading.expected.rows.values())} rows", rows),
        _check("manifest", f"root {root[:12]}", list(_manifest_problems(manifest, reading, root))),
    )
    return Audit(root, size, len(manifest.files), signatures.signer, checks)


def read_crystals(folder: Path) -> Iterator[Crystal]:
    """The crystals of a dataset that passed its audit. Raises OSError and pydantic.ValidationError."""
    with (folder / RECORDS).open("rb") as lines:
        yield from map(decode_crystal, lines)


def _check(name: str, looked_at: str, problems: list[str] | tuple[str, ...]) -> Check:
    more = len(problems) - _NAMED
    tail = (f"{name}: {more} more problems of this kind.",) if more > 0 else ()
    return Check(name, looked_at, (*problems[:_NAMED], *tail))


def _read_listing(folder: Path, reading: _Reading) -> None:
    last = ""
    for number, line in _lines(folder / CRYSTALS):
        where = f"{CRYSTALS}: line {number}"
        try:
            record = CrystalRecord.model_validate_json(line)
        except ValidationError:
            reading.order.append(f"{where} is not a crystal.")
            continue
        if record.id in reading.listed:
            reading.order.append(f"{where}: crystal {record.id[:12]} stands here twice.")
        elif record.id < last:
            reading.order.append(f"{where}: crystal {record.id[:12]} is out of order.")
        if reading.manifest.splits.get(record.lineage) is not record.split:
            reading.order.append(f"{where}: lineage {record.lineage} does not belong to {record.split}.")
        last = record.id
        reading.tree.append(record.leaf())
        reading.listed[record.id] = record


def _read_proofs(folder: Path, reading: _Reading) -> None:
    for number, line in _lines(folder / PROOFS):
        try:
            proof = ProofRecord.model_validate_json(line)
        except ValidationError:
            reading.inclusion.append(f"{PROOFS}: line {number} is not a proof.")
            continue
        if proof.id in reading.proofs:
            reading.inclusion.append(f"{PROOFS}: line {number}: a second proof of crystal {proof.id[:12]}.")
        if proof.id not in reading.listed:
            reading.inclusion.append(f"{PROOFS}: line {number}: crystal {proof.id[:12]} is not in the dataset.")
        reading.proofs[proof.id] = proof


def _read_variations(folder: Path, reading: _Reading) -> None:
    reading.variations, problems = read_variations(folder)
    reading.content.extend(problems)
    for foreign in sorted(reading.variations.keys() - reading.listed.keys()):
        reading.content.append(f"{VARIATIONS}: crystal {foreign[:12]} is not in the dataset.")


def _read_records(folder: Path, reading: _Reading) -> None:
    seen: set[str] = set()
    for number, line in _lines(folder / RECORDS):
        where = f"{RECORDS}: line {number}"
        try:
            crystal = decode_crystal(line)
        except ValidationError:
            reading.content.append(f"{where} is not a crystal.")
            continue
        reading.records += 1
        name = f"crystal {crystal.id[:12]}"
        if crystal.id in seen:
            reading.content.append(f"{where}: {name} stands here twice.")
            continue
        seen.add(crystal.id)
        reading.lineages.add(crystal.concept.lineage)
        if crystal_id(crystal.concept, crystal.lesson, crystal.claims, crystal.exercises) != crystal.id:
            reading.content.append(f"{where}: the content of {name} does not give its id.")
        reading.content.extend(f"{where}: {name} {problem}" for problem in _against_listing(crystal, reading))
        reading.inclusion.extend(f"{PROOFS}: {name} {problem}" for problem in _against_ledger(crystal, reading))
    for missing in sorted(reading.listed.keys() - seen):
        reading.content.append(f"{RECORDS}: crystal {missing[:12]} is missing.")


def _against_listing(crystal: Crystal, reading: _Reading) -> Iterator[str]:
    variations = reading.variations.get(crystal.id, [])
    yield from misread(crystal, variations)
    try:
        rows_hash = reading.expected.add(crystal, variations)
    except KeyError:
        yield f"has the lineage {crystal.concept.lineage}, which has no split in {MANIFEST}."
        return
    except ValueError as error:  # labels or values that no crystal has
        yield f"cannot be rendered ({error})."
        return
    listed = reading.listed.get(crystal.id)
    if listed is None:
        yield f"is not in {CRYSTALS}."
        return
    pairs = {
        "verification_hash": (listed.verification_hash, crystal.verification_hash),
        "lineage": (listed.lineage, crystal.concept.lineage),
        "grade": (listed.grade, crystal.grade.label),
        "rows_hash": (listed.rows_hash, rows_hash),
    }
    for name, (said, given) in pairs.items():
        if said != given:
            yield f"has the {name} {given[:12]}, and {CRYSTALS} says {said[:12]}."


def _against_ledger(crystal: Crystal, reading: _Reading) -> Iterator[str]:
    proof, signed = reading.proofs.get(crystal.id), reading.head
    if proof is None:
        yield "has no proof."
    elif signed is not None:
        leaf = leaf_hash(crystal_entry(crystal).encode())
        try:
            path = proof.hashes()
        except ValueError:
            yield "has a proof that is none."
            return
        if not verify_inclusion(leaf, proof.leaf, signed.head.size, path, signed.head.root):
            yield "is not shown to be in the signed ledger: crystal, proof or head was changed."


def _manifest_problems(manifest: Manifest, reading: _Reading, root: str) -> Iterator[str]:
    if reading.tree.size != manifest.crystals:
        yield f"{MANIFEST}: it counts {manifest.crystals} crystals, and {CRYSTALS} holds {reading.tree.size}."
    if root != manifest.root:
        yield f"{MANIFEST}: its Merkle root is {manifest.root[:12]}, and {CRYSTALS} gives {root[:12]}."
    if manifest.splits != assign(reading.lineages, manifest.choices.seed):
        yield f"{MANIFEST}: the splits are not those of the crystals' lineages."
    counted = {(split, kind): count for split, kinds in manifest.rows.items() for kind, count in kinds.items()}
    for split, kind in sorted(counted.keys() | reading.expected.rows.keys()):
        said, given = counted.get((split, kind), 0), reading.expected.rows[split, kind]
        if said != given:
            yield f"{MANIFEST}: it counts {said} {kind} rows in {split}, and the crystals give {given}."


def _foreign(folder: Path, manifest: Manifest) -> Iterator[str]:
    known = {record.path for record in manifest.files} | {MANIFEST, SEAL}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name not in known and not path.is_dir():
            yield f"{name}: not in the manifest."


def _changed(folder: Path, record: FileRecord) -> str:
    path = folder / record.path
    if not path.is_file():
        return f"{record.path}: missing."
    return f"{record.path}: changed since the export ({path.stat().st_size} bytes, {record.size} exported)."


def _sha256(path: Path) -> str:
    """In hex; '' when there is no such file."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered from 1; none of a file that is missing, which is reported as a file."""
    if path.is_file():
        with path.open("rb") as lines:
            yield from enumerate(lines, start=1)
