"""Rendered crystals in a temporary file, because a lineage's split is known only when every lineage is; no format."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ghostd.core.crystal import Crystal
from ghostd.core.split import Split
from ghostd.errors import ExportError
from ghostd.export.document import document
from ghostd.export.manifest import CrystalRecord
from ghostd.export.rows import Row, rows


@dataclass(frozen=True, slots=True)
class Entry:
    """One crystal, rendered and placed."""

    crystal: CrystalRecord
    rows: list[dict[str, Any]]  # the columns of parquet.schema(), in its order
    lines: list[bytes]  # the same rows as lines of JSONL
    document: str
    domain: str
    teacher: str
    teacher_licence: str


class Spool:
    """Written once from front to back, then read once. Raises OSError as files do."""

    def __init__(self, path: Path, *, include_unverified_claims: bool) -> None:
        self.lineages: set[str] = set()
        self.crystals = 0
        self._include_unverified_claims = include_unverified_claims
        self._last_id = ""
        self._path = path
        self._file = path.open("x", encoding="utf-8")

    def add(self, crystals: Iterable[Crystal]) -> None:
        """Render and keep. Raises ExportError unless ids ascend: the order decides the bytes and the root."""
        for crystal in crystals:
            if crystal.id <= self._last_id:
                raise ExportError(f"The store gave crystal {crystal.id[:12]} out of order; run `ghostd doctor`.")
            self._last_id = crystal.id
            self.lineages.add(crystal.concept.lineage)
            self.crystals += 1
            rendered = [
                _columns(row, crystal)
                for row in rows(crystal, include_unverified_claims=self._include_unverified_claims)
            ]
            self._file.write(json.dumps([crystal.verification_hash, rendered, document(crystal)]))
            self._file.write("\n")

    def entries(self, splits: dict[str, Split]) -> Iterator[Entry]:
        """Every crystal in the order of its arrival, in the split of its lineage."""
        self._file.flush()
        with self._path.open(encoding="utf-8") as lines:
            for line in lines:
                verification_hash, rendered, text = json.loads(line)
                first = rendered[0]  # every crystal has at least the row that asks for its code
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
                yield Entry(record, rendered, json_lines, text, *origin)

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


def _columns(row: Row, crystal: Crystal) -> dict[str, Any]:
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
