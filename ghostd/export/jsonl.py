"""Chat rows as JSON Lines, one `{"messages": [...], ...}` per line in UTF-8; it decides nothing about the rows."""

from pathlib import Path

from ghostd.core.split import Split
from ghostd.export.files import SealedFile
from ghostd.export.manifest import FileRecord
from ghostd.export.spool import Entry


class JsonlWriter:
    """Writes `jsonl/<split>.jsonl`."""

    def __init__(self, folder: Path, split: Split) -> None:
        self._file = SealedFile(folder, f"jsonl/{split}.jsonl")
        self._rows = 0

    def write(self, entry: Entry) -> None:
        """Add the crystal's rows."""
        self._file.write(b"".join(entry.lines))
        self._rows += len(entry.lines)

    def finish(self) -> FileRecord:
        """Force everything to the disk."""
        return self._file.seal(self._rows)

    def abandon(self) -> None:
        """Let go of the file after an error."""
        self._file.abandon()
