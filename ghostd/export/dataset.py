"""A dataset folder from a stream of crystals, whole or not at all; it chooses no crystals beyond grade and domain.

Two passes in bounded memory: the crystals are rendered into a spool, then, when the splits of all lineages are
known, the spool is read once into every format. Nothing written depends on time, place or the order of a dictionary.
"""

import asyncio
import contextlib
import errno
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import ghostd
from ghostd.core.crystal import Crystal, Grade
from ghostd.core.split import Split, assign
from ghostd.errors import ExportError
from ghostd.export.card import card
from ghostd.export.files import SealedFile, write_sealed
from ghostd.export.manifest import CARD, CRYSTALS, MANIFEST, Choices, FileRecord, Manifest
from ghostd.export.spool import Entry, Spool
from ghostd.export.staging import Staging
from ghostd.export.tally import Tally
from ghostd.export.writers import FORMATS, FormatName, Writer

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


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written."""

    path: Path
    root: str  # Merkle root over the crystals, hex
    crystals: int
    rows: dict[str, dict[str, int]]  # split -> kind -> rows
    files: tuple[FileRecord, ...]  # all but the manifest
    seconds: float


async def write_dataset(
    crystals: AsyncIterator[Crystal], request: ExportRequest, *, progress: Callable[[int], None] | None = None
) -> ExportReport:
    """Write the folder `request.out`; `progress` hears how many crystals have been read.

    `crystals` come by ascending id, as `ports.Store.crystals` gives them; those below the grade or of another domain
    are passed over. Raises ExportError, and leaves everything as it was, when there is nothing to export, the disk is
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
                await _fill(spool, crystals, request, progress)
                manifest = await _unhurried(lambda: _write(staging.folder, spool, request, stopping), stopping)
            finally:
                spool.close()
            await _unhurried(staging.commit, stopping)
        finally:
            staging.close()
    seconds = time.monotonic() - started
    return ExportReport(staging.out, manifest.root, manifest.crystals, manifest.rows, manifest.files, seconds)


async def _fill(
    spool: Spool, crystals: AsyncIterator[Crystal], request: ExportRequest, progress: Callable[[int], None] | None
) -> None:
    """Render every crystal that was asked for. Raises ExportError when there is none."""
    batch: list[Crystal] = []

    async def flush() -> None:
        await _unhurried(lambda: spool.add(batch), threading.Event())
        batch.clear()
        if progress is not None:
            progress(spool.crystals)

    async for crystal in crystals:
        if crystal.grade < request.min_grade or request.domain not in {"", crystal.concept.domain}:
            continue
        batch.append(crystal)
        if len(batch) >= _BATCH:
            await flush()
    await flush()
    if not spool.crystals:
        within = f" of {request.domain}" if request.domain else ""
        raise ExportError(f"No crystal{within} has the grade {request.min_grade.label}; lower --min-grade or wait.")


def _write(folder: Path, spool: Spool, request: ExportRequest, stopping: threading.Event) -> Manifest:
    """Read the spool into every file of the dataset; the manifest is the last one."""
    splits = assign(spool.lineages, request.seed)
    tally, listing = Tally(), SealedFile(folder, CRYSTALS)
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
        files.append(listing.seal(tally.crystals))
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
    files.append(write_sealed(folder, CARD, card(tally, choices, ghostd.__version__)))
    manifest = Manifest(
        ghostd_version=ghostd.__version__,
        root=tally.tree.root().hex(),
        crystals=tally.crystals,
        choices=choices,
        rows=tally.nested_rows(),
        splits=splits,
        files=tuple(sorted(files, key=lambda record: record.path)),
    )
    write_sealed(folder, MANIFEST, manifest.encode())
    return manifest


def _add(entry: Entry, tally: Tally, listing: SealedFile, writers: dict[tuple[Split, FormatName], Writer]) -> None:
    tally.add(entry)
    listing.write(entry.crystal.model_dump_json().encode() + b"\n")
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
