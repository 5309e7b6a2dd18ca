"""Where the parts that are not imported lie (sandbox, trainer, migrations): in a wheel or in a checkout alike."""

import hashlib
from pathlib import Path

from ghostd.errors import ConfigurationError

_PACKAGE = Path(__file__).resolve().parent
# What runs inside a cell, in the order of its version hash; the canonical form is shared with the host.
_CELL_FILES = (
    "cell.py",
    "channel.py",
    "determinism.py",
    "examiner.py",
    "execution.py",
    "linux.py",
    "rehearsal.py",
    "subject.py",
    "verdict.py",
    "zygote.py",
)


def bundled(name: str) -> Path:
    """The folder `sandbox`, `trainer` or `migrations`. Raises ConfigurationError when the installation lacks it."""
    for root in (_PACKAGE / "_bundled", _PACKAGE.parent):
        if (root / name).is_dir():
            return root / name
    raise ConfigurationError(f"{name}/ is missing from this installation of ghostd; install it again.")


def cell_sources() -> dict[str, bytes]:
    """The files of the cell's program by name, as they lie side by side inside a cell."""
    folder = bundled("sandbox")
    sources = {name: (folder / name).read_bytes() for name in _CELL_FILES}
    return {**sources, "canonical.py": (_PACKAGE / "core" / "canonical.py").read_bytes()}


def cell_version() -> str:
    """sha256 in hex over the names and contents of the cell's program; `sandbox/build` computes the same."""
    whole = hashlib.sha256()
    for name, content in sorted(cell_sources().items()):
        whole.update(f"{name}\0{len(content)}\0".encode())
        whole.update(content)
    return whole.hexdigest()
