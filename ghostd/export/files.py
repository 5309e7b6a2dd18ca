"""A file that is hashed while it is written and forced to the disk when it is finished; it is never reopened."""

import hashlib
import io
import os
from pathlib import Path

from ghostd.export.manifest import FileRecord


class SealedFile(io.RawIOBase):
    """A new binary file below a folder. Raises OSError as files do, FileExistsError when it is already there."""

    def __init__(self, folder: Path, path: str) -> None:
        self._path = path
        self._hash = hashlib.sha256()
        self._size = 0
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        self._file = target.open("xb")

    def writable(self) -> bool:
        """Always; it is what the file is for."""
        return True

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Write and hash; returns the number of bytes, which is all of them."""
        self._hash.update(data)
        self._file.write(data)
        size = memoryview(data).nbytes
        self._size += size
        return size

    def seal(self, rows: int) -> FileRecord:
        """Flush, fsync and close; returns what the manifest says of the file."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return FileRecord(path=self._path, sha256=self._hash.hexdigest(), size=self._size, rows=rows)

    def abandon(self) -> None:
        """Close without a promise that anything arrived; for the way out after an error."""
        try:
            self._file.close()
        except OSError:  # a full disk refuses the last buffer: the error that brought us here has said so
            self._file.raw.close()


def write_sealed(folder: Path, path: str, text: str, rows: int = 0) -> FileRecord:
    """Write a small UTF-8 file in one go."""
    sealed = SealedFile(folder, path)
    try:
        sealed.write(text.encode())
        return sealed.seal(rows)
    finally:
        sealed.abandon()
