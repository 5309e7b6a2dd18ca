"""Rows as Parquet (zstd) with one fixed schema, whatever the rows hold; it decides nothing about the rows."""

import functools
from pathlib import Path
from typing import Any

from ghostd.core.split import Split
from ghostd.export.files import SealedFile
from ghostd.export.manifest import FileRecord
from ghostd.export.spool import Entry

_ROW_GROUP = 4096  # rows held in memory per split
_COMPRESSION_LEVEL = 6  # of zstd


@functools.cache
def schema() -> Any:
    """The pyarrow schema; nothing in it is nullable, so an empty column keeps its type."""
    import pyarrow as pa

    message = pa.struct(
        [pa.field("role", pa.string(), nullable=False), pa.field("content", pa.string(), nullable=False)]
    )
    columns = {
        "id": pa.string(),
        "messages": pa.list_(pa.field("element", message, nullable=False)),
        "kind": pa.string(),
        "split": pa.string(),
        "label": pa.string(),
        "answer": pa.string(),
        "domain": pa.string(),
        "concept": pa.string(),
        "lineage": pa.string(),
        "grade": pa.string(),
        "quality": pa.float64(),
        "teacher": pa.string(),
        "teacher_licence": pa.string(),
        "crystal": pa.string(),
    }
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns.items()])


class ParquetWriter:
    """Writes `data/<split>-00000-of-00001.parquet`, the name that `datasets` and the hub look for."""

    def __init__(self, folder: Path, split: Split) -> None:
        from pyarrow import parquet

        self._file = SealedFile(folder, f"data/{split}-00000-of-00001.parquet")
        self._rows: list[dict[str, Any]] = []
        self._count = 0
        self._writer = parquet.ParquetWriter(
            self._file, schema(), compression="zstd", compression_level=_COMPRESSION_LEVEL, version="2.6"
        )

    def write(self, entry: Entry) -> None:
        """Add the crystal's rows."""
        self._rows.extend(entry.rows)
        self._count += len(entry.rows)
        if len(self._rows) >= _ROW_GROUP:
            self._flush()

    def finish(self) -> FileRecord:
        """Write the footer and force everything to the disk."""
        if self._rows:
            self._flush()
        self._writer.close()
        return self._file.seal(self._count)

    def abandon(self) -> None:
        """Let go of the file after an error, without the footer that would make it look whole."""
        self._writer.is_open = False  # or its destructor writes to the closed file
        self._file.abandon()

    def _flush(self) -> None:
        import pyarrow as pa

        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=schema()))
        self._rows = []
