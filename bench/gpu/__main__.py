"""`python -m bench.gpu`: everything about the kernels that only a GPU can tell, in one call of less than eight minutes.

    python -m bench.gpu [--stages NAME ...] [--out FOLDER] [--device cuda]

Needs torch with CUDA and this working tree; Triton, nvcc, compute-sanitizer and other people's kernels are used where
they are there. Every stage is a process of its own with a limit, so that one which fails or hangs does not take the
others along. Prints a Markdown table; the figures go to gpu.json in $OUT, or in the folder named. Exits with 1 where a
stage that judges found something wrong or did not end, and with 2 where there is no GPU.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch

from bench.gpu import correctness, machinery, speed, training
from bench.gpu.report import Row, judged, read, table, write
from bench.gpu.subjects import emulate

SMALL = 32  # sizes are divided by it where no GPU is
WITHOUT = "try the stages with --device cpu, or with --device emulated, which runs the kernels' own sources on the host"


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the check, with its own process."""

    run: Callable[[str], Iterator[Row]]
    seconds: int  # its limit


STAGES = {
    "build": Stage(machinery.build, 120),
    "agreement": Stage(correctness.agreement, 120),
    "determinism": Stage(correctness.determinism, 40),
    "graphs": Stage(machinery.graphs, 40),
    "streams": Stage(machinery.streams, 40),
    "compiled": Stage(correctness.compiled, 90),
    "first call": Stage(machinery.first_call, 120),
    "train": Stage(training.whole, 90),
    "timings": Stage(speed.timings, 150),
    "steps": Stage(training.steps, 120),
    "sanitizer": Stage(machinery.sanitizer, 160),
}
ALL_SECONDS = 450  # what is left of it bounds each stage


def main() -> int:
    """Runs the stages, or in a stage's own process that stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", nargs="+", default=list(STAGES), choices=list(STAGES))
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", "bench/results")))
    parser.add_argument("--device", choices=["cuda", "cpu", "emulated"], default="cuda", help="others try the stages")
    parser.add_argument("--alone", type=Path, help=argparse.SUPPRESS)  # where a stage's own process leaves its rows
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.stderr.write(f"There is no GPU here that torch can use; {WITHOUT}.\n")
        return 2
    if arguments.alone:
        return _alone(arguments.stages[0], arguments.device, arguments.alone)
    found: list[tuple[str, Row]] = []
    began = time.monotonic()
    for name in arguments.stages:
        left = ALL_SECONDS - (time.monotonic() - began)
        found += [(name, row) for row in _apart(name, arguments.device, left)]
        sys.stderr.write(f"{time.monotonic() - began:6.0f} s  {name}\n")
    arguments.out.mkdir(parents=True, exist_ok=True)
    facts = {"device": _device(arguments.device), "torch": torch.__version__, "seconds": time.monotonic() - began}
    rows = [{"stage": name, **asdict(row)} for name, row in found]
    (arguments.out / "gpu.json").write_text(json.dumps({**facts, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{facts['device']}, torch {facts['torch']}, {facts['seconds']:.0f} s\n\n{table(found)}\n")
    return int(any(row.verdict == "FAILED" for _, row in found))


def _alone(name: str, device: str, path: Path) -> int:
    """One stage, here; what it found so far is kept after every row."""
    stage, rows = STAGES[name], []
    if device == "emulated":
        emulate()
    run, place = (stage.run, device) if device == "cuda" else (partial(_shrunk, stage.run), "cpu")
    for row in run(place):
        rows.append(row)
        write(rows, path)
    return 0


def _shrunk(run: Callable[..., Iterator[Row]], device: str) -> Iterator[Row]:
    """The stages that would take a processor hours, at a size that it can do."""
    if run is speed.timings:
        return run(device, SMALL)
    if run is training.steps:
        return run(device, {"1M": (2, 32)})
    return run(device)


def _apart(name: str, device: str, left: float) -> list[Row]:
    limit = min(STAGES[name].seconds, left)
    if limit <= 1:
        return [judged("stage", "ends in time", held=False, seen="no time was left for it")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.json"
        command = [sys.executable, "-m", "bench.gpu", "--device", device, "--stages", name, "--alone", str(path)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            return [*read(path), judged("stage", "ends in time", held=False, seen=f"stopped after {limit:.0f} s")]
        if done.returncode:
            return [*read(path), judged("stage", "ends well", held=False, seen=done.stderr.strip()[-300:])]
        return read(path)


def _device(device: str) -> str:
    return torch.cuda.get_device_name() if device == "cuda" else "the processor"


if __name__ == "__main__":
    sys.exit(main())
