"""What an attack would change on the host if it got through: recorded before, compared after; it attacks nothing."""

import asyncio
import os
import socket
import tempfile
from pathlib import Path
from typing import Self

from tests.acceptance.process import alive, containers, descendants, docker_answers

_SETTINGS = (
    "kernel/core_pattern",
    "kernel/hostname",
    "kernel/randomize_va_space",
    "vm/overcommit_memory",
    "vm/swappiness",
)
_PATIENCE_SECONDS = 15.0  # for cells on their way out


class Canaries:
    """A file, a listening port and the state of this host, in a `with` statement."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="ghostd-canary-")
        self.file = Path(self._folder.name) / "canary"
        self.file.write_text("untouched")
        Path(self._folder.name).chmod(0o777)
        self.file.chmod(0o666)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._before = _state()
        self._cells_before = _cells()
        return self

    def __exit__(self, *_problem: object) -> None:
        self._listener.close()
        self._folder.cleanup()

    async def assert_unharmed(self, *, cells_at_most: int) -> None:
        """Compare; cells that are being destroyed get their time. Raises AssertionError.

        `cells_at_most` are new since the beginning: those of other sandboxes of this process are not counted.
        """
        self._assert_file_untouched()
        try:
            visitor, _ = self._listener.accept()
        except BlockingIOError:
            pass
        else:
            visitor.close()
            raise AssertionError("something connected to the canary port")
        after = _state()
        assert after["settings"] == self._before["settings"]
        assert after["mounts"] == self._before["mounts"]
        deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        while len(living := _cells() - self._cells_before) > cells_at_most:
            assert asyncio.get_running_loop().time() < deadline, f"these cells live on: {living}"
            await asyncio.sleep(0.2)

    def _assert_file_untouched(self) -> None:
        assert list(Path(self._folder.name).iterdir()) == [self.file]
        assert self.file.read_text() == "untouched"


def _state() -> dict[str, object]:
    settings = {name: Path("/proc/sys", name).read_text() for name in _SETTINGS}
    return {"settings": settings, "mounts": own_mounts()}


def own_mounts() -> set[str]:
    """The mounts of this process but for those of an engine's containers, which come and go with other owners."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {line for line in lines if "docker" not in line and "overlay" not in line}


def _cells() -> set[str]:
    """Containers that this process owns by id, and children of it that are supervisors of cells by pid."""
    owned = containers({os.getpid()}) if docker_answers() else set()
    return owned | {str(pid) for pid in alive(descendants(os.getpid())) if is_cell(pid)}


def is_cell(pid: int) -> bool:
    """Whether a process runs the cell's program, as supervisor: zygotes and runs are counted by theirs."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:  # it ended meanwhile
        return False
    return any(word.endswith(b"/cell.py") for word in words)
