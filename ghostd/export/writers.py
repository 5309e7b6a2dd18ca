"""The formats by name; a new one is a class with these three methods and a line in `FORMATS`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol

from ghostd.core.split import Split
from ghostd.export.jsonl import JsonlWriter
from ghostd.export.manifest import FileRecord
from ghostd.export.parquet import ParquetWriter
from ghostd.export.spool import Entry
from ghostd.export.text import TextWriter

FormatName = Literal["jsonl", "parquet", "text"]


class Writer(Protocol):
    """One file of one split. Every method raises OSError as files do."""

    def write(self, entry: Entry) -> None:
        """Add one crystal."""
        ...

    def finish(self) -> FileRecord:
        """Complete the file and force it to the disk."""
        ...

    def abandon(self) -> None:
        """Let go of the file after an error; never raises."""
        ...


FORMATS: Mapping[FormatName, Callable[[Path, Split], Writer]] = MappingProxyType(
    {"jsonl": JsonlWriter, "parquet": ParquetWriter, "text": TextWriter}
)
