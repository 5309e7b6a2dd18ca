r"""Documents as plain text files; it decides nothing about what they say.

Every document ends with a line that holds a single form feed (U+000C), so `text.split("\n\f\n")` gives them back.
"""

from pathlib import Path

from ghostd.core.split import Split
from ghostd.export.files import SealedFile
from ghostd.export.manifest import FileRecord
from ghostd.export.spool import Entry

END_OF_DOCUMENT = "\n\f\n"


class TextWriter:
    """Writes `text/<split>.txt`."""

    def __init__(self, folder: Path, split: Split) -> None:
        self._file = SealedFile(folder, f"text/{split}.txt")
        self._documents = 0

    def write(self, entry: Entry) -> None:
        """Add the crystal's document."""
        self._file.write((entry.document + END_OF_DOCUMENT).encode())
        self._documents += 1

    def finish(self) -> FileRecord:
        """Force everything to the disk."""
        return self._file.seal(self._documents)

    def abandon(self) -> None:
        """Let go of the file after an error."""
        self._file.abandon()
