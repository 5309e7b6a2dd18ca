"""Finds an operator's kernels for a device: packaged ahead of time, or compiled for the one that is there, and cached.

What is packaged or cached is named by a hash of its sources and flags, so that neither outlives a change. It launches
nothing.
"""

import ctypes
import functools
import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from trainer.ops import build

ARCHITECTURES: Final = ("80", "90", "100", "120")  # and PTX of the last, for what comes after
FLAGS: Final = ("-O3", "-std=c++17", "--ftz=true")
_NO_COMPILER: Final = "neither NVRTC nor nvcc was found; install torch with CUDA, which brings NVRTC along"
_FOLDER: Final = Path(__file__).parent
PACKAGE: Final = _FOLDER / "fatbins"
_COMPILE_SECONDS: Final = 600
_PART = re.compile(r"(forward|backward|summary)_(float32|bfloat16|float16)(_\d+)?$")
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


@dataclass(frozen=True, slots=True)
class Image:
    """What the driver loads, and where it is from."""

    content: bytes
    origin: str


def part_of(kernel: str) -> str:
    """What is compiled together: one pass, type and width, `backward_bfloat16_16`; '' for what belongs to no pass."""
    found = _PART.search(kernel)
    return found[0] if found else ""


def defined_for(part: str) -> list[str]:
    """What tells a source to have only the kernels of the part, and those of none; device.cuh says how."""
    return ["-DONLY", *(f"-DONLY_{word}" for word in part.split("_") if word)]


def image(operator: str, capability: tuple[int, int], part: str = "", *, fresh: bool = False) -> Image:
    """The operator's kernels for a device of this compute capability: packaged, else by NVRTC, else by nvcc.

    At first use only the kernels of one part are compiled, and those that have none: all would take a minute.
    `fresh` leaves out what is packaged, which a driver older than its compiler refuses.

    Raises:
        build.BuildError: they are not packaged and nothing is there that compiles them.

    """
    ahead = packaged(operator)
    if not fresh and ahead.exists() and _covered(capability):
        return Image(ahead.read_bytes(), "compiled ahead of time")
    architecture = f"{capability[0]}{capability[1]}"
    defined = defined_for(part)
    if nvrtc_path() is None and shutil.which("nvcc"):
        return _cached(
            operator, "nvcc", architecture, part, lambda: compile_ahead(operator, (architecture,), defined)[0]
        )
    return _cached(operator, "NVRTC", architecture, part, lambda: _compile_now(operator, architecture, defined))


def supply(operator: str) -> str:
    """Where the kernels would come from on a GPU, in words; a device older than all of ARCHITECTURES has none."""
    if packaged(operator).exists():
        return "kernels compiled ahead of time"
    compiler = "NVRTC" if nvrtc_path() else "nvcc" if shutil.which("nvcc") else ""
    return f"kernels that {compiler} compiles at first use" if compiler else f"torch, because {_NO_COMPILER}"


def _covered(capability: tuple[int, int]) -> bool:
    """Machine code runs on its own generation from its revision on, PTX on every later one."""
    known = [(int(one[:-1]), int(one[-1])) for one in ARCHITECTURES]
    return capability >= known[-1] or any(capability[0] == one[0] and capability[1] >= one[1] for one in known)


def packaged(operator: str) -> Path:
    """Where the fatbin of the sources as they are now is kept, in a wheel that was built where nvcc is."""
    return PACKAGE / f"{operator}-{_digest(operator, *ARCHITECTURES)}.fatbin"


def headers_of(operator: str) -> dict[str, str]:
    """The texts that its kernels.cu includes, by name: all operators' and its own."""
    own = source_of(operator).parent
    return {path.name: path.read_text() for folder in (_FOLDER, own) for path in sorted(folder.glob("*.cuh"))}


def _digest(operator: str, *how: str) -> str:
    texts = [source_of(operator).read_text(), *headers_of(operator).values(), *how, *FLAGS]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def compile_ahead(
    operator: str, architectures: tuple[str, ...] = ARCHITECTURES, defined: Sequence[str] = ()
) -> tuple[bytes, dict[str, Resources]]:
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
            *(("--threads=0", "--compress-mode=size") if len(architectures) > 1 else ()),  # side by side; for a wheel
            *FLAGS,
            *targets,
            *defined,
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


def resources(operator: str, architectures: tuple[str, ...] = ARCHITECTURES) -> dict[str, Resources]:
    """What the kernels take, remembered for the same sources and compiler. Raises build.BuildError."""
    nvcc = shutil.which("nvcc")
    version = subprocess.run([nvcc, "--version"], capture_output=True, text=True, check=False).stdout if nvcc else ""
    path = build.cache_folder() / f"{operator}-resources-{_digest(operator, version, *architectures)}.json"
    if nvcc and path.exists():
        return {name: Resources(**row) for name, row in json.loads(path.read_bytes()).items()}
    _, found = compile_ahead(operator, architectures)
    _keep(path, json.dumps({name: asdict(row) for name, row in found.items()}).encode())
    return found


def resources_of(told: str) -> dict[str, Resources]:
    """The resources by kernel and architecture, from what ptxas says with -v."""
    found = {}
    for match in _KERNEL.finditer(told):
        spilled = int(match["stores"]) + int(match["loads"])
        sizes = (int(match["registers"]), int(match["shared"] or 0), int(match["stack"]), spilled)
        found[f"{match['name']} {match['architecture']}"] = Resources(match["architecture"], *sizes)
    return found


def _cached(operator: str, compiler: str, architecture: str, part: str, make: Callable[[], bytes]) -> Image:
    target = (
        build.cache_folder()
        / f"{operator}-sm_{architecture}-{part}-{_digest(operator, compiler, architecture, part)}.cubin"
    )
    if target.exists():
        return Image(target.read_bytes(), f"compiled by {compiler} before")
    content = make()
    _keep(target, content)
    return Image(content, f"compiled by {compiler}")


def _keep(path: Path, content: bytes) -> None:
    """Written aside and renamed, so that nobody reads half of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as aside:
            aside.write(content)
        Path(aside.name).replace(path)
    except OSError as error:
        msg = f"{path.parent} cannot be written ({error}); set {build.CACHE_VARIABLE} to a folder that can."
        raise build.BuildError(msg) from error


@functools.cache
def nvrtc_path() -> str | None:
    """NVRTC as torch's own CUDA wheels bring it along, or as the system has it; None where there is none."""
    found = importlib.util.find_spec("nvidia")
    folders = [Path(one) for one in (found.submodule_search_locations or [])] if found else []
    libraries = [path for folder in folders for path in sorted(folder.glob("**/libnvrtc.so*"))]
    for name in [*(str(path) for path in libraries), "libnvrtc.so"]:
        try:
            for builtins in Path(name).parent.glob("libnvrtc-builtins.so*"):
                ctypes.CDLL(str(builtins))  # NVRTC opens it by its bare name, and finds it where it is loaded already
            ctypes.CDLL(name)
        except OSError:
            continue
        return name
    return None


def _compile_now(operator: str, architecture: str, defined: Sequence[str]) -> bytes:
    path = nvrtc_path()
    if path is None:
        raise build.BuildError(f"Torch alone computes {operator}, because {_NO_COMPILER}.")
    nvrtc, program = ctypes.CDLL(path), ctypes.c_void_p()
    headers = headers_of(operator)
    count = len(headers)
    texts = (ctypes.c_char_p * count)(*(text.encode() for text in headers.values()))
    names = (ctypes.c_char_p * count)(*(name.encode() for name in headers))
    text = source_of(operator).read_text().encode()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), text, b"kernels.cu", count, texts, names)
    told_to = ("--std=c++17", "--ftz=true", f"--gpu-architecture=sm_{architecture}", *defined)
    options = [option.encode() for option in told_to]
    status = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    size = ctypes.c_size_t()
    if status:
        nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        told = ctypes.create_string_buffer(size.value)
        nvrtc.nvrtcGetProgramLog(program, told)
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
        raise build.BuildError(f"NVRTC refused {operator}'s kernels.cu; it said: {told.value.decode()}")
    nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size))
    content = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetCUBIN(program, content)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return content.raw
