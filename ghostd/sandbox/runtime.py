"""The cell's program laid out in a folder, for backends that run it on this machine's own interpreter."""

import compileall
import hashlib
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ghostd.bundled import bundled, cell_sources
from ghostd.sandbox.seccomp import compile_profile

# What a program can see of its environment; part of every run's identity. PYTHONHASHSEED is the zygote's.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUTF8": "1",
    "OMP_NUM_THREADS": "1",
    "COLUMNS": "80",
}
PYTHON_FLAGS = ("-s", "-S", "-B")  # no user site, no site module, no bytecode written


@dataclass(frozen=True, slots=True)
class Runtime:
    """A folder with the cell's program, the interpreter for it, and what identifies both."""

    folder: Path
    python: Path  # the real interpreter, outside any virtual environment
    prefix: Path  # its installation
    image_id: str  # sha256 of the interpreter's identity

    @property
    def filter(self) -> Path:
        """The compiled seccomp profile."""
        return self.folder / "filter.bpf"

    def remove(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def lay_out() -> Runtime:
    """Write the program, its bytecode and the compiled seccomp profile to a fresh folder that everyone may read."""
    folder = Path(tempfile.mkdtemp(prefix="ghostd-cell-"))
    for name, content in cell_sources().items():
        (folder / name).write_bytes(content)
    compileall.compile_dir(folder, quiet=2)
    (folder / "filter.bpf").write_bytes(compile_profile((bundled("sandbox") / "seccomp.json").read_text("utf-8")))
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    python = Path(os.path.realpath(sys.executable))
    return Runtime(folder, python, Path(sys.base_prefix).resolve(), _identity(python))


def _identity(python: Path) -> str:
    """sha256 over version, build and size of the interpreter: what can change a result, without reading it all."""
    whole = hashlib.sha256(f"{sys.version}\0{python.stat().st_size}\0{os.uname().machine}".encode())
    return f"sha256:{whole.hexdigest()}"
