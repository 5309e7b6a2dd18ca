"""Compiles an operator's kernels.cu: ahead of time with nvcc for all devices, or with NVRTC for the one that is there.

The result is cached, named by a hash of its sources and flags. It launches nothing.
"""

import ctypes
import functools
import hashlib
import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trainer.ops import build

ARCHITECTURES: Final = ("80", "90", "100", "120")  # and PTX of the last, for what comes after
FLAGS: Final = ("-O3", "-std=c++17", "--ftz=true")
_FOLDER: Final = Path(__file__).parent
_COMPILE_SECONDS: Final = 600
_KERNEL = re.compile(
    r"Compiling entry function '(?P<name>\w+)' for '(?P<architecture>sm_\w+)'.*?(?P<stack>\d+) bytes stack frame, "
    r"(?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads.*?Used (?P<registers>\d+) registers"
    r"(?:[^\n]*?(?P<shared>\d+) bytes smem)?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Resources:
    """What one kernel takes of a multiprocessor, by the assembler's word."""

    architecture: str
    registers: int  # of each thread
    shared_bytes: int  # of each block
    stack_bytes: int  # of each thread, in local memory
    spilled_bytes: int  # that were meant to be registers


def source_of(operator: str) -> Path:
    """The operator's kernels."""
    return _FOLDER.parent / operator / "kernels.cu"


def has_kernels(operator: str) -> bool:
    """Whether the operator can run on a GPU by kernels of its own."""
    return source_of(operator).exists()


def image(operator: str, capability: tuple[int, int]) -> bytes:
    """What the driver loads on a device of this compute capability. Raises build.BuildError."""
    packaged = source_of(operator).with_suffix(".fatbin")
    if packaged.exists():
        return packaged.read_bytes()
    if shutil.which("nvcc"):
        architecture = f"{capability[0]}{capability[1]}"
        return _cached(operator, f"nvcc-{architecture}", lambda: compile_ahead(operator, (architecture,))[0])
    return _cached(operator, f"nvrtc-{capability}", lambda: _compile_now(operator, capability))


def compile_ahead(operator: str, architectures: tuple[str, ...] = ARCHITECTURES) -> tuple[bytes, dict[str, Resources]]:
    """The fatbin for these architectures and the resources of its kernels. Raises build.BuildError."""
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        raise build.BuildError(
            "nvcc was not found; install the CUDA toolkit, or leave it to NVRTC on a machine with a GPU."
        )
    targets = [f"-gencode=arch=compute_{one},code=sm_{one}" for one in architectures]
    targets.append(f"-gencode=arch=compute_{architectures[-1]},code=compute_{architectures[-1]}")
    with tempfile.TemporaryDirectory() as aside:
        made = Path(aside) / "made.fatbin"
        command = [
            nvcc,
            "-fatbin",
            *FLAGS,
            *targets,
            f"-I{_FOLDER}",
            "-Xptxas",
            "-v",
            str(source_of(operator)),
            "-o",
            str(made),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_COMPILE_SECONDS, check=False)
        if done.returncode:
            raise build.BuildError(f"nvcc refused {operator}'s kernels.cu; it said: {done.stdout}{done.stderr}")
        return made.read_bytes(), resources_of(done.stderr)


def resources_of(told: str) -> dict[str, Resources]:
    """The resources by kernel and architecture, from what ptxas says with -v."""
    found = {}
    for match in _KERNEL.finditer(told):
        spilled = int(match["stores"]) + int(match["loads"])
        sizes = (int(match["registers"]), int(match["shared"] or 0), int(match["stack"]), spilled)
        found[f"{match['name']} {match['architecture']}"] = Resources(match["architecture"], *sizes)
    return found


def _cached(operator: str, how: str, make: Callable[[], bytes]) -> bytes:
    texts = [source_of(operator).read_text(), (_FOLDER / "device.cuh").read_text(), how, *FLAGS]
    folder = build.cache_folder()
    target = folder / f"{operator}-{hashlib.sha256('|'.join(texts).encode()).hexdigest()[:16]}.cubin"
    if not target.exists():
        content = make()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as aside:
            aside.write(content)
        Path(aside.name).replace(target)
    return target.read_bytes()


@functools.cache
def _nvrtc() -> ctypes.CDLL:
    """NVRTC as torch's own CUDA wheels bring it along. Raises build.BuildError."""
    found = importlib.util.find_spec("nvidia")
    folders = [Path(one) for one in (found.submodule_search_locations or [])] if found else []
    libraries = [path for folder in folders for path in sorted(folder.glob("**/libnvrtc.so*"))]
    for name in [*(str(path) for path in libraries), "libnvrtc.so"]:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise build.BuildError("Neither nvcc nor NVRTC was found; torch alone computes the operators.")


def _compile_now(operator: str, capability: tuple[int, int]) -> bytes:
    nvrtc, program = _nvrtc(), ctypes.c_void_p()
    text = source_of(operator).read_text().replace('#include "device.cuh"', (_FOLDER / "device.cuh").read_text())
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None)
    options = [b"--std=c++17", b"--ftz=true", f"--gpu-architecture=sm_{capability[0]}{capability[1]}".encode()]
    status = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    size = ctypes.c_size_t()
    if status:
        nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        told = ctypes.create_string_buffer(size.value)
        nvrtc.nvrtcGetProgramLog(program, told)
        raise build.BuildError(f"NVRTC refused {operator}'s kernels.cu; it said: {told.value.decode()}")
    nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size))
    content = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetCUBIN(program, content)
    return content.raw
