"""Runs the kernels' own sources on the host, block by block: the truth about them where there is no GPU; never fast."""

import ctypes
import functools
import hashlib
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from trainer.ops import build
from trainer.ops.cuda.arguments import Argument, Launch, packed
from trainer.ops.cuda.compile import headers_of, source_of

_FOLDER: Final = Path(__file__).parent
_FLAGS: Final = (
    "-x",
    "c++",
    "-std=c++17",
    "-O2",
    "-fPIC",
    "-shared",
    "-Wall",
    "-Wno-unknown-pragmas",
    "-fno-strict-aliasing",
)
_COMPILE_SECONDS: Final = 300
_Triple = ctypes.c_uint * 3


def launch(what: Launch, arguments: Sequence[Argument]) -> None:
    """What a launch on a GPU would do, done at once; `arguments` are as for the driver."""
    entry = getattr(library(what.operator), f"{what.kernel}_emulated")
    pointers, kept = packed(arguments)
    entry(_Triple(*what.grid), _Triple(*what.block), pointers)
    del kept


def library(operator: str) -> ctypes.CDLL:
    """The operator's kernels compiled for the host. Raises build.BuildError where that fails."""
    return _loaded(operator, build.cache_folder())


@functools.cache
def _loaded(operator: str, folder: Path) -> ctypes.CDLL:
    source = source_of(operator)
    compiler = build.compiler()
    if compiler is None:
        raise build.BuildError("No C compiler was found; install gcc or name one in CC.")
    shim = _FOLDER / "emulation.h"
    texts = [source.read_text(), *headers_of(operator).values(), shim.read_text(), compiler, *_FLAGS]
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
    target = folder / f"{operator}-emulated-{digest}.so"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=folder) as aside:
            made = Path(aside) / "made.so"
            command = [compiler, *_FLAGS, f"-I{_FOLDER}", str(source), "-o", str(made), "-lstdc++", "-lm"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=_COMPILE_SECONDS, check=False)
            if done.returncode:
                raise build.BuildError(f"{compiler} refused {operator}'s kernels.cu; it said: {done.stderr}")
            made.replace(target)
    return ctypes.CDLL(str(target))
