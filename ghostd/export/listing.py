"""The files that say which crystals a dataset holds and what vouches for them; the training rows are elsewhere."""

from pathlib import Path

from ghostd.core.ledger import Tree
from ghostd.core.signed import SignedHead
from ghostd.errors import ExportError
from ghostd.export.files import SealedFile, write_sealed
from ghostd.export.manifest import CRYSTALS, FileRecord
from ghostd.export.proofs import HEAD, PROOFS, RECORDS, HeadDocument, ProofRecord
from ghostd.export.spool import Entry
from ghostd.export.variations import VARIATIONS


class Listing:
    """Writes `crystals.jsonl` and `records.jsonl`, for a signed dataset `proofs.jsonl` and `head.json` too, and
    `variations.jsonl` where students made any.
    """

    def __init__(self, folder: Path, signed: tuple[SignedHead, Tree] | None) -> None:
        self._folder = folder
        self._signed = signed
        self._count = 0
        self._crystals = SealedFile(folder, CRYSTALS)
        self._records = SealedFile(folder, RECORDS)
        self._proofs = SealedFile(folder, PROOFS) if signed else None
        self._variations: SealedFile | None = None  # most datasets have none
        self._variation_count = 0

    def write(self, entry: Entry) -> None:
        """Add the crystal. Raises ExportError when the ledger has another leaf for it, or none."""
        self._count += 1
        self._crystals.write(entry.crystal.model_dump_json().encode() + b"\n")
        self._records.write(entry.record.encode() + b"\n")
        for line in entry.variations:
            self._variations = self._variations or SealedFile(self._folder, VARIATIONS)
            self._variations.write(line.encode() + b"\n")
            self._variation_count += 1
        if self._signed is not None and self._proofs is not None:
            _, tree = self._signed
            name = entry.crystal.id
            if entry.leaf < 0 or tree.leaf(entry.leaf) != entry.leaf_hash:
                raise ExportError(
                    f"Crystal {name[:12]} is not the one that the ledger committed to; "
                    "`ghostd ledger check` names what differs."
                )
            record = ProofRecord.of(name, entry.leaf, tree.inclusion_proof(entry.leaf))
            self._proofs.write(record.model_dump_json().encode() + b"\n")

    def finish(self) -> list[FileRecord]:
        """Force everything to the disk."""
        files = [self._crystals.seal(self._count), self._records.seal(self._count)]
        if self._variations is not None:
            files.append(self._variations.seal(self._variation_count))
        if self._signed is not None and self._proofs is not None:
            files.append(self._proofs.seal(self._count))
            files.append(write_sealed(self._folder, HEAD, HeadDocument.of(self._signed[0]).encode()))
        return files

    def abandon(self) -> None:
        """Let go of the files after an error."""
        for file in (self._crystals, self._records, self._proofs, self._variations):
            if file is not None:
                file.abandon()
