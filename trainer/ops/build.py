"""Compiles an operator's native.c with the system's C compiler into a cached shared library; it chooses no rung.

One library is made for each operator and instruction set, named after a hash of the sources, flags and compiler. It
is written aside and renamed, so processes that start together may compile twice but never read half a file.
"""

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch

CACHE_VARIABLE = "TRAINER_CACHE"
INSTRUCTION_SET_VARIABLE = "TRAINER_INSTRUCTION_SET"
INSTRUCTION_SETS = {
    "avx512": ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx2", "-mfma"),
    "avx2": ("-mavx2", "-mfma"),
    "scalar": (),  # whatever the compiler takes for granted: SSE2 on x86-64, NEON on AArch64
}
_FLAGS = ("-O3", "-std=gnu11", "-fPIC", "-shared", "-Wall", "-Wextra", "-Wno-psabi")
_FOLDER = Path(__file__).parent
_COMPILE_SECONDS = 120


class BuildError(RuntimeError):
    """The native library could not be made; the message says why and what mends it."""


def compiler() -> str | None:
    """The C compiler's path: CC, else cc, gcc or clang from PATH; None where there is none."""
    names = [os.environ["CC"]] if os.environ.get("CC") else ["cc", "gcc", "clang"]
    return next((path for name in names if (path := shutil.which(name))), None)


def cache_folder() -> Path:
    """Where the libraries are kept: TRAINER_CACHE, else the user's cache folder."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "ghostd-trainer"


def instruction_set() -> str:
    """The widest instruction set of this processor, or the one that TRAINER_INSTRUCTION_SET names.

    Raises:
        BuildError: the variable names none that is known.

    """
    if forced := os.environ.get(INSTRUCTION_SET_VARIABLE):
        if forced not in INSTRUCTION_SETS:
            msg = f"{INSTRUCTION_SET_VARIABLE}={forced} is unknown; use one of {', '.join(INSTRUCTION_SETS)}."
            raise BuildError(msg)
        return forced
    capability = torch.backends.cpu.get_cpu_capability().lower()
    return capability if capability in INSTRUCTION_SETS else "scalar"


def has_native(operator: str) -> bool:
    """Whether the operator has a C form at all."""
    return (_FOLDER / operator / "native.c").exists()


def library(operator: str) -> ctypes.CDLL:
    """The operator's library for this processor, compiled at first use and then taken from the cache.

    Raises:
        BuildError: no compiler, no place to write, or the compiler refused.

    """
    return _loaded(operator, instruction_set(), cache_folder())


@functools.cache
def _loaded(operator: str, instructions: str, folder: Path) -> ctypes.CDLL:
    path = compile_library(operator, instructions, folder)
    if openmp := _openmp_of_torch():
        ctypes.CDLL(str(openmp), mode=ctypes.RTLD_GLOBAL)  # our library's thread pool is then torch's own
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        msg = f"The compiled library {path} does not load ({error}); remove it to have it made again."
        raise BuildError(msg) from error


def compile_library(operator: str, instructions: str, folder: Path) -> Path:
    """Makes the library in `folder` unless it is there; returns its path.

    Raises:
        BuildError: no compiler, no place to write, or the compiler refused.

    """
    path = compiler()
    if path is None:
        raise BuildError("No C compiler was found; install gcc or name one in CC.")
    source = _FOLDER / operator / "native.c"
    compile_flags = (*_FLAGS, *INSTRUCTION_SETS[instructions])
    threaded = _openmp_of_torch() is not None and _is_gcc(path)
    recipe = [
        source.read_text(),
        *(header.read_text() for folder in (_FOLDER, source.parent) for header in sorted(folder.glob("*.h"))),
        path,
        *compile_flags,
        str(threaded),
        platform.machine(),
    ]
    digest = hashlib.sha256("\0".join(recipe).encode()).hexdigest()[:16]
    target = folder / f"{operator}-{instructions}-{digest}.so"
    if target.exists():
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=folder) as aside:
            _compile(path, source, Path(aside), compile_flags, threaded=threaded)
            (Path(aside) / "made.so").replace(target)
    except OSError as error:
        msg = f"{folder} cannot be written ({error}); set {CACHE_VARIABLE} to a folder that can."
        raise BuildError(msg) from error
    return target


def _compile(path: str, source: Path, aside: Path, flags: tuple[str, ...], *, threaded: bool) -> None:
    """Compiles and links. The linker is not told of OpenMP: when loaded, its symbols are found in torch's library."""
    made = aside / "made.o"
    openmp = ("-fopenmp",) if threaded else ("-Wno-unknown-pragmas",)
    steps = [
        [
            path,
            *(flag for flag in flags if flag != "-shared"),
            *openmp,
            f"-I{_FOLDER}",
            "-c",
            str(source),
            "-o",
            str(made),
        ],
        [path, "-shared", str(made), "-o", str(aside / "made.so"), "-lm"],
    ]
    for step in steps:
        try:
            done = subprocess.run(step, capture_output=True, text=True, timeout=_COMPILE_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            msg = f"{path} took more than {_COMPILE_SECONDS} s for {source.name}; name another compiler in CC."
            raise BuildError(msg) from error
        if done.returncode:
            msg = f"{path} refused {source.parent.name}'s native.c; name another compiler in CC. It said: {done.stderr}"
            raise BuildError(msg)


@functools.cache
def _openmp_of_torch() -> Path | None:
    """The GNU OpenMP library that torch brought along and has loaded."""
    folder = Path(torch.__file__).parent
    found = sorted([*folder.glob("lib/libgomp*.so*"), *folder.parent.glob("torch.libs/libgomp*.so*")])
    return found[0] if found else None


@functools.cache
def _is_gcc(path: str) -> bool:
    """Only GCC's OpenMP calls fit GNU's library; another compiler's would not be found when the library is loaded."""
    told = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=_COMPILE_SECONDS, check=False)
    return "Free Software Foundation" in told.stdout
