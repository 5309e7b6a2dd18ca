"""Do the kernels build, start fast, and run where and when they are told: graphs, streams, devices, under a checker."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from bench.gpu.report import Row, judged, measured, missing
from bench.gpu.subjects import Subject, all_subjects
from trainer.ops.cuda import package
from trainer.ops.cuda.compile import has_kernels, nvrtc_path, packaged
from trainer.ops.loader import OPERATORS, choice_on_gpu

_FIRST_CALL_SECONDS = 2.0
_CHECK_SECONDS = 75
SMALL = """
import sys
from bench.gpu.subjects import all_subjects
for subject in all_subjects():
    inputs = subject.inputs((2, 40, *[5] * (len(subject.large) - 2)), __import__("torch").float32, sys.argv[1])
    subject.learnt(inputs, subject.above(inputs))
"""
FIRST = """
import sys, time, torch
from bench.gpu.subjects import all_subjects
subject = next(one for one in all_subjects() if one.name == sys.argv[2])
inputs = subject.inputs((2, 40, *[16] * (len(subject.large) - 2)), torch.bfloat16, sys.argv[1])
began = time.perf_counter()
subject.operator(*inputs)
if sys.argv[1] == "cuda":
    torch.cuda.synchronize()
print(time.perf_counter() - began)
"""


def build(device: str) -> Iterator[Row]:
    """The gate and the fatbins, by nvcc; and which rung each operator stands on here."""
    if shutil.which("nvcc"):
        done = subprocess.run(
            [sys.executable, "-m", "trainer.ops.cuda.gate", "--architectures", "90"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        last = (done.stdout or done.stderr).strip().splitlines()[-1:]
        yield judged("nvcc", "no spills, within the table", done.returncode == 0, "".join(last))
        began = time.perf_counter()
        failed = package.main()
        yield judged("nvcc", "fatbins", not failed, f"in {time.perf_counter() - began:.0f} s")
    else:
        yield missing("nvcc", "no spills, within the table", "nvcc was not found")
    if device != "cuda":
        return
    for name in filter(has_kernels, OPERATORS):
        chosen = choice_on_gpu(name, torch.cuda.get_device_capability())
        yield judged(name, "stands on its kernels", chosen.rung == "cuda", chosen.reason)


def first_call(device: str) -> Iterator[Row]:
    """Seconds of the first call in a process, with an empty cache: from the fatbin, and compiled by NVRTC."""
    aside = packaged("selective_scan").parent
    for how in ("fatbin", "NVRTC"):
        if how == "fatbin" and not aside.exists():
            yield missing("all", "first call, fatbin", "none were built")
            continue
        if how == "NVRTC" and nvrtc_path() is None:
            yield missing("all", "first call, NVRTC", "NVRTC was not found")
            continue
        for subject in all_subjects():
            yield _first_call(subject, device, how)


def _first_call(subject: Subject, device: str, how: str) -> Row:
    folder = packaged("selective_scan").parent
    hidden = folder.with_name("fatbins.hidden")
    if how == "NVRTC" and folder.exists():
        folder.rename(hidden)
    try:
        with tempfile.TemporaryDirectory() as cache:
            done = _python(FIRST, device, subject.name, TRAINER_CACHE=cache)
    finally:
        if hidden.exists():
            hidden.rename(folder)
    if done.returncode:
        return judged(subject.name, f"first call, {how}", held=False, seen=done.stderr[-300:])
    seconds = float(done.stdout)
    held = seconds <= _FIRST_CALL_SECONDS
    return judged(subject.name, f"first call, {how}", held, f"{seconds:.2f} s, limit {_FIRST_CALL_SECONDS}", s=seconds)


def sanitizer(device: str) -> Iterator[Row]:
    """NVIDIA's compute-sanitizer over a small case of each operator."""
    tool = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    if not Path(tool).exists():
        yield missing("compute-sanitizer", "memcheck, racecheck", "the tool was not found")
        return
    for check in ("memcheck", "racecheck"):
        command = [tool, "--tool", check, "--error-exitcode", "9", sys.executable, "-c", SMALL, device]
        try:
            done = subprocess.run(
                command, env=_environment(PYTORCH_NO_CUDA_MEMORY_CACHING="1"), capture_output=True, text=True,
                timeout=_CHECK_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            yield missing("compute-sanitizer", check, f"it was not through after {_CHECK_SECONDS} s")
            continue
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("====")]
        yield judged("compute-sanitizer", check, done.returncode == 0, (said or [done.stderr[-300:]])[-1])


def graphs(device: str) -> Iterator[Row]:
    """A forward and a backward pass captured in a CUDA graph and replayed with other numbers."""
    if device != "cuda":
        yield missing("CUDA graphs", "capture and replay", "they are the GPU's")
        return
    for subject in all_subjects():
        shape = (2, 200, *subject.large[2:])
        inputs, others = (subject.inputs(shape, torch.bfloat16, device, seed) for seed in (0, 1))
        above = subject.above(inputs)
        wanted = subject.learnt(others, above)
        leaves = [part.clone().requires_grad_() for part in inputs]
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            torch.autograd.grad(subject.operator(*leaves), leaves, above)  # compiles, loads
        stream.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            outputs = subject.operator(*leaves)
            found = [*outputs, *torch.autograd.grad(outputs, leaves, above)]
        with torch.no_grad():
            for leaf, other in zip(leaves, others, strict=True):
                leaf.copy_(other)
        graph.replay()
        torch.cuda.synchronize()
        equal = all(torch.equal(one.detach(), other) for one, other in zip(found, wanted, strict=True))
        yield judged(
            subject.name, "captured and replayed", equal, "equal bits" if equal else "other numbers than eager"
        )


def streams(device: str) -> Iterator[Row]:
    """On a stream that is not the default one, behind work that is not done yet; and on each other device."""
    if device != "cuda":
        yield missing("streams", "another stream", "they are the GPU's")
        return
    for subject in all_subjects():
        shape = (2, 200, *subject.large[2:])
        inputs = subject.inputs(shape, torch.bfloat16, device)
        above = subject.above(inputs)
        wanted = subject.learnt(inputs, above)
        stream = torch.cuda.Stream()
        late = [torch.full_like(part, torch.nan) for part in inputs]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            torch.cuda._sleep(50_000_000)  # noqa: SLF001  # torch has no public way to keep a stream busy
            for mine, part in zip(late, inputs, strict=True):
                mine.copy_(part)
            found = subject.learnt(late, above)
        stream.synchronize()
        equal = all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))
        yield judged(
            subject.name, "on another stream", equal, "in its order" if equal else "it did not wait for its inputs"
        )
        for index in range(1, torch.cuda.device_count()):
            there = [part.to(f"cuda:{index}") for part in inputs]
            found = subject.learnt(there, [part.to(f"cuda:{index}") for part in above])
            equal = all(torch.equal(one.cpu(), other.cpu()) for one, other in zip(found, wanted, strict=True))
            yield judged(subject.name, f"on device {index}", equal, "equal bits" if equal else "other numbers")
    if torch.cuda.device_count() == 1:
        yield measured("devices", "another device", "there is one only")


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, **more}


def _python(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=_environment(**environment), capture_output=True, text=True, check=False,
    )  # fmt: skip
