"""A dataset folder from a stream of crystals, whole or not at all; it chooses no crystals beyond grade and domain.

Two passes in bounded memory: the crystals are rendered into a spool, then, when the splits of all lineages are
known, the spool is read once into every format. Nothing written depends on time, place or the order of a dictionary.
"""

import asyncio
import contextlib
import errno
import hashlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import ghostd
from ghostd.core.crystal import Crystal, Grade
from ghostd.core.ledger import Tree
from ghostd.core.reverification import KnownRevocations
from ghostd.core.signed import DatasetStatement, SignedHead
from ghostd.core.split import Split, assign
from ghostd.errors import ExportError
from ghostd.export.card import card
from ghostd.export.decontaminate import REPORT, Findings, Screen, screen
from ghostd.export.files import write_sealed
from ghostd.export.listing import Listing
from ghostd.export.manifest import CARD, MANIFEST, Choices, FileRecord, Manifest, Revocations
from ghostd.export.proofs import SEAL, Seal
from ghostd.export.spool import Entry, Spool
from ghostd.export.staging import Staging
from ghostd.export.tally import Tally
from ghostd.export.variations import VariationRecord, VariationsOf, by_crystal
from ghostd.export.writers import FORMATS, FormatName, Writer
from ghostd.ports import SignedLog

_NONE_KNOWN = KnownRevocations()
_BATCH = 64  # crystals rendered at a time, off the event loop
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to write, and where."""

    out: Path
    formats: tuple[FormatName, ...] = ("jsonl", "parquet", "text")
    min_grade: Grade = Grade.TESTED
    domain: str = ""  # slug; '' for all
    seed: int = 0  # of the split
    include_unverified_claims: bool = False  # as rows that answer "Unknown"
    licence: str = ""  # of the dataset, for its card; '' follows the teachers'
    decontaminate: Path | None = None  # a folder of benchmark files; crystals that repeat them are left out
    revocations: KnownRevocations = _NONE_KNOWN  # before the first crystal was read; the manifest repeats it


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written."""

    path: Path
    root: str  # Merkle root over the crystals, hex
    crystals: int
    rows: dict[str, dict[str, int]]  # split -> kind -> rows
    files: tuple[FileRecord, ...]  # all but the manifest
    seconds: float
    contaminated: int = 0  # crystals left out because they repeat a benchmark


async def write_dataset(
    crystals: AsyncIterator[Crystal],
    request: ExportRequest,
    log: SignedLog | None = None,
    *,
    variations: VariationsOf | None = None,
    progress: Callable[[int], None] | None = None,
) -> ExportReport:
    """Write the folder `request.out`; `progress` hears how many crystals have been read.

    `variations` tells the questions that students made of crystals; without it none are written.

    `crystals` come by ascending id, as `ports.Store.crystals` gives them; those below the grade or of another domain
    are passed over. `log` vouches for them: without it the dataset is unsigned, and its audit says so.
    Raises ExportError, and leaves everything as it was, when there is nothing to export, the disk is
    full or not writable, or `out` holds something else than an earlier export.
    """
    started = time.monotonic()
    if not request.formats:
        raise ExportError("No format was asked for; name one of jsonl, parquet and text with --format.")
    with _told_as_export_errors(request.out):
        staging = await asyncio.to_thread(Staging, request.out)
        stopping = threading.Event()
        try:
            spool = Spool(staging.folder / "spool.jsonl", include_unverified_claims=request.include_unverified_claims)
            try:
                findings = await _fill(spool, crystals, request, log=log, variations=variations, progress=progress)
                signed = await log.signed_head() if log is not None else None  # after the last crystal was read
                manifest = await _unhurried(
                    lambda: _write(staging.folder, spool, request, findings, signed, stopping=stopping), stopping
                )
                if log is not None and signed is not None:
                    await _seal(staging.folder, manifest, log, signed[0])
            finally:
                spool.close()
            await _unhurried(staging.commit, stopping)
        finally:
            staging.close()
    seconds = time.monotonic() - started
    dropped = len(findings.dropped) if findings is not None else 0
    return ExportReport(staging.out, manifest.root, manifest.crystals, manifest.rows, manifest.files, seconds, dropped)


async def _fill(
    spool: Spool,
    crystals: AsyncIterator[Crystal],
    request: ExportRequest,
    *,
    log: SignedLog | None,
    variations: VariationsOf | None,
    progress: Callable[[int], None] | None,
) -> Findings | None:
    """Render every crystal that was asked for, without those that repeat a benchmark. Raises ExportError for none."""
    batch: list[Crystal] = []
    screening = await asyncio.to_thread(_screen, request)

    def render(leaves: Mapping[str, int], varied: Mapping[str, Sequence[VariationRecord]]) -> None:
        spool.add(batch, leaves, varied)
        if screening is not None:
            screening.look(batch)

    async def flush() -> None:
        ids = [one.id for one in batch]
        leaves = await log.leaf_indices(ids) if log is not None else {}
        varied = by_crystal(await variations(ids)) if variations is not None else {}
        await _unhurried(lambda: render(leaves, varied), threading.Event())
        batch.clear()
        if progress is not None:
            progress(spool.crystals)

    # that a crystal was audited since it was stored is known to the store alone, which chose these
    least = Grade.NONE if request.min_grade is Grade.AUDITED else request.min_grade
    async for crystal in crystals:
        if crystal.grade < least or request.domain not in {"", crystal.concept.domain}:
            continue
        batch.append(crystal)
        if len(batch) >= _BATCH:
            await flush()
    await flush()
    if not spool.crystals:
        within = f" of {request.domain}" if request.domain else ""
        raise ExportError(f"No crystal{within} has the grade {request.min_grade.label}; lower --min-grade or wait.")
    return None if screening is None else _leave_out(screening, spool)


def _screen(request: ExportRequest) -> Screen | None:
    folder = request.decontaminate
    return screen(folder, include_unverified_claims=request.include_unverified_claims) if folder is not None else None


def _leave_out(screening: Screen, spool: Spool) -> Findings:
    """Take back the crystals that repeat a benchmark. Raises ExportError when nothing is left."""
    findings = screening.settle()
    spool.leave_out({one.crystal: one.lineage for one in findings.dropped})
    if not spool.crystals:
        raise ExportError(f"All {findings.screened} crystals repeat the benchmark; see what --decontaminate names.")
    return findings


def _write(
    folder: Path,
    spool: Spool,
    request: ExportRequest,
    findings: Findings | None,
    signed: tuple[SignedHead, Tree] | None,
    *,
    stopping: threading.Event,
) -> Manifest:
    """Read the spool into every file of the dataset; the manifest is the last one."""
    splits = assign(spool.lineages, request.seed)
    tally, listing = Tally(), Listing(folder, signed)
    writers: dict[tuple[Split, FormatName], Writer] = {}
    try:
        for split in set(splits.values()):
            for name in set(request.formats):
                writers[split, name] = FORMATS[name](folder, split)
        for entry in spool.entries(splits):
            if stopping.is_set():
                raise ExportError("The export was cancelled.")
            _add(entry, tally, listing, writers)
        files = [writer.finish() for writer in writers.values()]
        files.extend(listing.finish())
    finally:
        listing.abandon()
        for writer in writers.values():
            writer.abandon()
    choices = Choices(
        formats=tuple(sorted(set(request.formats))),
        min_grade=request.min_grade.label,
        domain=request.domain,
        seed=request.seed,
        include_unverified_claims=request.include_unverified_claims,
        licence=request.licence,
    )
    notes = findings.section() if findings is not None else ()
    files.append(write_sealed(folder, CARD, card(tally, choices, ghostd.__version__, notes)))
    if findings is not None:
        files.append(write_sealed(folder, REPORT, findings.encode()))
    manifest = Manifest(
        ghostd_version=ghostd.__version__,
        root=tally.tree.root().hex(),
        crystals=tally.crystals,
        choices=choices,
        revocations=Revocations(count=request.revocations.count, head=request.revocations.head),
        rows=tally.nested_rows(),
        splits=splits,
        files=tuple(sorted(files, key=lambda record: record.path)),
    )
    write_sealed(folder, MANIFEST, manifest.encode())
    return manifest


async def _seal(folder: Path, manifest: Manifest, log: SignedLog, head: SignedHead) -> None:
    """Sign the manifest, and through it every file."""
    digest = hashlib.sha256(manifest.encode().encode()).hexdigest()
    statement = DatasetStatement(digest, manifest.crystals, manifest.root)
    signature = await log.sign(statement.statement)
    seal = Seal(
        manifest=digest,
        crystals=manifest.crystals,
        root=manifest.root,
        public_key=head.public_key.hex(),
        signature=signature.hex(),
    )
    await asyncio.to_thread(write_sealed, folder, SEAL, seal.encode())


def _add(entry: Entry, tally: Tally, listing: Listing, writers: dict[tuple[Split, FormatName], Writer]) -> None:
    tally.add(entry)
    listing.write(entry)
    for (split, _), writer in writers.items():
        if split is entry.crystal.split:
            writer.write(entry)


async def _unhurried(work: Callable[[], T], stopping: threading.Event) -> T:
    """Do blocking work in a thread; when cancelled, wait for the thread to notice before its files are removed."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stopping.set()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # retrieved: the cancellation is what the caller hears of
        raise


@contextlib.contextmanager
def _told_as_export_errors(out: Path) -> Iterator[None]:
    """Name the remedy of what the file system refuses."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            remedy = "free some space there or choose another --out"
        elif error.errno in _DENIED:
            remedy = "let ghostd write there or choose another --out"
        else:
            remedy = "check that file system or choose another --out"
        reason = error.strerror or str(error)
        raise ExportError(f"{out} could not be written ({reason}); {remedy}. Nothing half-written is left.") from error
