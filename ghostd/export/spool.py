"""Rendered crystals in a temporary file, because a lineage's split is known only when every lineage is; no format."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ghostd.core.crystal import Crystal
from ghostd.core.leaf import crystal_entry
from ghostd.core.ledger import leaf_hash
from ghostd.core.split import Split
from ghostd.errors import ExportError
from ghostd.export.document import document
from ghostd.export.manifest import CrystalRecord
from ghostd.export.proofs import encode_crystal
from ghostd.export.rows import Row, rows
from ghostd.export.variations import VariationRecord


@dataclass(frozen=True, slots=True)
class Entry:
    """One crystal, rendered and placed."""

    crystal: CrystalRecord
    rows: list[dict[str, Any]]  # the columns of parquet.schema(), in its order
    lines: list[bytes]  # the same rows as lines of JSONL
    document: str
    record: str  # the whole crystal: its line of records.jsonl
    variations: list[str]  # its lines of variations.jsonl
    leaf: int  # its index in the ledger; -1 where it has none
    leaf_hash: bytes  # what stands there if the store is what the ledger committed to
    domain: str
    teacher: str
    teacher_licence: str


class Spool:
    """Written once from front to back, then read once. Raises OSError as files do."""

    def __init__(self, path: Path, *, include_unverified_claims: bool) -> None:
        self._lineages: Counter[str] = Counter()
        self._left_out: frozenset[str] = frozenset()
        self.crystals = 0
        self._include_unverified_claims = include_unverified_claims
        self._last_id = ""
        self._path = path
        self._file = path.open("x", encoding="utf-8")

    def add(
        self,
        crystals: Iterable[Crystal],
        leaves: Mapping[str, int] = MappingProxyType({}),
        variations: Mapping[str, Sequence[VariationRecord]] = MappingProxyType({}),
    ) -> None:
        """Render and keep, with the places of the crystals' leaves in the ledger and with what students made of them.

        Raises ExportError unless ids ascend: the order decides the bytes and the root.
        """
        for crystal in crystals:
            if crystal.id <= self._last_id:
                raise ExportError(f"The store gave crystal {crystal.id[:12]} out of order; run `ghostd doctor`.")
            self._last_id = crystal.id
            self._lineages[crystal.concept.lineage] += 1
            self.crystals += 1
            ours = variations.get(crystal.id, ())
            asked = [one.exercise for one in ours]
            rendered = [
                columns(row, crystal)
                for row in rows(crystal, asked, include_unverified_claims=self._include_unverified_claims)
            ]
            record = encode_crystal(crystal)
            place = [leaves.get(crystal.id, -1), leaf_hash(crystal_entry(crystal).encode()).hex()]
            lines = [one.model_dump_json() for one in ours]
            self._file.write(json.dumps([crystal.verification_hash, rendered, document(crystal), record, lines, place]))
            self._file.write("\n")

    @property
    def lineages(self) -> set[str]:
        """The lineages of the crystals that are not left out."""
        return set(self._lineages)

    def leave_out(self, lineage_by_id: Mapping[str, str]) -> None:
        """Pass over these crystals, which were added before, with their lineages."""
        self._left_out = frozenset(lineage_by_id)
        self._lineages = +(self._lineages - Counter(lineage_by_id.values()))
        self.crystals -= len(self._left_out)

    def entries(self, splits: dict[str, Split]) -> Iterator[Entry]:
        """Every crystal in the order of its arrival, in the split of its lineage."""
        self._file.flush()
        with self._path.open(encoding="utf-8") as lines:
            for line in lines:
                verification_hash, rendered, text, whole, varied, (leaf, hashed) = json.loads(line)
                first = rendered[0]  # every crystal has at least the row that asks for its code
                if first["crystal"] in self._left_out:
                    continue
                split = splits[first["lineage"]]
                for row in rendered:
                    row["split"] = split.value
                json_lines = [line_of(row) for row in rendered]
                record = CrystalRecord(
                    id=first["crystal"],
                    verification_hash=verification_hash,
                    lineage=first["lineage"],
                    split=split,
                    grade=first["grade"],
                    rows_hash=hashlib.sha256(b"".join(json_lines)).hexdigest(),
                )
                origin = first["domain"], first["teacher"], first["teacher_licence"]
                yield Entry(record, rendered, json_lines, text, whole, varied, leaf, bytes.fromhex(hashed), *origin)

    def close(self) -> None:
        """Remove the file."""
        try:
            self._file.close()
        except OSError:  # a full disk refuses the last buffer, which nobody will read
            self._file.buffer.raw.close()  # type: ignore[attr-defined]
        self._path.unlink(missing_ok=True)


def line_of(row: dict[str, Any]) -> bytes:
    """The row as its line of JSONL, line feed included."""
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def columns(row: Row, crystal: Crystal) -> dict[str, Any]:
    """The row with everything that it says of its crystal; its split is still to be filled in."""
    return {
        "id": row.id,
        "messages": [{"role": "user", "content": row.prompt}, {"role": "assistant", "content": row.completion}],
        "kind": row.kind.value,
        "split": "",  # known when all lineages are
        "label": row.label.value,
        "answer": row.answer,
        "domain": crystal.concept.domain,
        "concept": crystal.concept.title,
        "lineage": crystal.concept.lineage,
        "grade": crystal.grade.label,
        "quality": crystal.quality,
        "teacher": crystal.teacher,
        "teacher_licence": crystal.teacher_licence,
        "crystal": crystal.id,
    }
