"""A folder that appears whole or not at all: written aside, forced to the disk, swapped in; it knows no format."""

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
from pathlib import Path

from ghostd.errors import ExportError
from ghostd.export.manifest import MANIFEST, read_manifest
from ghostd.export.proofs import SEAL

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_PREVIOUS = ".previous"
_NO_EXCHANGE = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}  # file systems (and kernels) without it


class Staging:
    """`<out>.partial-<pid>`, locked while it is being written so that nobody takes it for the leftover of a crash.

    Raises ExportError when `out` is something that an export must not replace, or is being exported to already.
    """

    def __init__(self, out: Path) -> None:
        self.out = out.expanduser().resolve()
        _refuse_what_is_not_ours(self.out)
        self.out.parent.mkdir(parents=True, exist_ok=True)
        _sweep(self.out)
        self.folder = self.out.with_name(f"{self.out.name}.partial-{os.getpid()}")
        try:
            self.folder.mkdir()
        except FileExistsError as error:
            raise ExportError(f"Another export writes {self.out} now; wait for it or choose another --out.") from error
        self._lock = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def commit(self) -> None:
        """Put the folder where `out` is, in one step where the file system can; what was there is removed after."""
        for folder in (*(path for path in self.folder.rglob("*") if path.is_dir()), self.folder):
            _fsync_folder(folder)
        _refuse_what_is_not_ours(self.out)  # it may have changed since
        if self.out.exists():
            _exchange(self.folder, self.out)
        else:
            self.folder.rename(self.out)
        _fsync_folder(self.out.parent)

    def close(self) -> None:
        """Remove what is left beside `out`: an unfinished export, or the dataset that this one replaced.

        Never raises OSError: whatever brought us here counts more, and the next export sweeps again.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)


def _refuse_what_is_not_ours(out: Path) -> None:
    """Only a ghostd dataset without foreign files, an empty folder or nothing at all may stand at `out`."""
    advice = "choose another --out"
    if not out.exists():
        return
    if not out.is_dir():
        raise ExportError(f"{out} is not a folder; {advice}.")
    present = {path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir() or path.is_symlink()}
    if not present:
        return
    if MANIFEST not in present:
        raise ExportError(f"{out} is not empty and is not a ghostd dataset; {advice}.")
    foreign = present - {record.path for record in read_manifest(out).files} - {MANIFEST, SEAL}
    if foreign:
        raise ExportError(f"{out} also holds {min(foreign)}, which no export wrote; move it away or {advice}.")


def _sweep(out: Path) -> None:
    """Remove what exports of the same folder left when their process died: those whose lock nobody holds."""
    for leftover in sorted(out.parent.glob(f"{_literal(out.name)}.partial-*"), reverse=True):
        with contextlib.suppress(OSError):  # locked, or another user's: it is not in the way
            if leftover.name.endswith(_PREVIOUS) and not out.exists():
                leftover.rename(out)  # the process died between the two renames of `_exchange`
                continue
            lock = os.open(leftover, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(leftover)
            finally:
                os.close(lock)


def _literal(name: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def _exchange(one: Path, other: Path) -> None:
    """Swap two paths: renameat2(2) with RENAME_EXCHANGE, or two renames where the file system has no such thing."""
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = (_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    if hasattr(libc, "renameat2"):
        if libc.renameat2(*arguments) == 0:
            return
        if (code := ctypes.get_errno()) not in _NO_EXCHANGE:
            raise OSError(code, os.strerror(code), str(other))
    aside = one.with_name(f"{one.name}{_PREVIOUS}")
    other.rename(aside)
    try:
        one.rename(other)
    except OSError:
        aside.rename(other)
        raise
    aside.rename(one)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
