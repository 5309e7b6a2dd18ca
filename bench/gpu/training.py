"""What models make of it: bytes a second and the share of the device's arithmetic, and a whole run by run.json."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from bench.gpu.report import Row, judged, measured
from bench.gpu.speed import milliseconds
from trainer.audience import Audience
from trainer.bench.step import corpus, run_of
from trainer.config import RunConfig, Size
from trainer.metrics import MutedJournals
from trainer.processes import Processes
from trainer.records import plain
from trainer.step import take_step
from trainer.training import Training, prepare

SIZES: dict[Size, tuple[int, int]] = {"6M": (64, 1024), "25M": (32, 1024), "125M": (16, 1024)}  # rows, ids of a row
_STEPS = 8
_FLOPS = 6  # for each parameter and id, forward and backward; attention and scans are not counted


def steps(device: str, sizes: dict[Size, tuple[int, int]] | None = None) -> Iterator[Row]:
    """Ghost against the transformer, step by step in turns."""
    at_most = _flops_per_second(device)
    yield measured("device", "matrix products, bf16", f"{at_most / 1e12:.1f} TFLOP/s", flops=at_most)
    with tempfile.TemporaryDirectory() as temporary:
        folder = corpus(Path(temporary) / "corpus")
        for size, (rows, context) in (sizes or SIZES).items():
            reference = 0.0
            for recipe in ("transformer", "ghost"):
                training = _prepared(run_of(recipe, size, rows, context, folder), device)
                speed = rows * context / _seconds(training, device)
                parameters = sum(weight.numel() for weight in training.model.parameters())
                share = _FLOPS * parameters * speed / at_most
                seen = f"{speed:,.0f} bytes/s, {100 * share:.1f} % of the matrix products' rate"
                if recipe == "transformer":
                    reference = speed
                else:
                    seen += f", {speed / reference:.2f} of the transformer"
                yield measured(f"{recipe} {size}", f"step of {rows} x {context}", seen, speed=speed, share=share)
                del training
                if device == "cuda":
                    torch.cuda.empty_cache()


def _prepared(run: RunConfig, device: str) -> Training:
    training = prepare(replace(run, training=replace(run.training, device=_named(device))), Processes())
    training.progress = replace(training.progress, precision="bfloat16")
    return training


def _seconds(training: Training, device: str) -> float:
    audience = Audience(training, MutedJournals(), print)
    times = []
    for _ in range(_STEPS):
        began = time.perf_counter()
        take_step(training, audience)  # it fetches the loss: the device is done
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return sorted(times[2:])[len(times[2:]) // 2]


def _flops_per_second(device: str) -> float:
    size = 8192 if device == "cuda" else 512
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2e3 * size**3 / milliseconds(lambda: left @ right, device)


def _named(device: str) -> str:
    return "cuda" if device == "cuda" else "cpu"


def whole(device: str, count: int = 60) -> Iterator[Row]:
    """`python -m trainer train run.json`, as a user calls it: the loss falls, and the run says so."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run = run_of("ghost", "1M", 8, 128, corpus(folder / "corpus"))
        training = replace(
            run.training, steps=count, evaluate_every=count // 2, checkpoint_every=count, device=_named(device),
            precision="auto", curves_every=0.0,
        )  # fmt: skip
        asked: RunConfig = replace(run, out=str(folder / "out"), training=training)
        (folder / "run.json").write_text(json.dumps(plain(asked)), encoding="utf-8")
        command = [sys.executable, "-m", "trainer", "train", str(folder / "run.json")]
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - began
        if done.returncode:
            yield judged("ghost 1M", "trains by run.json", held=False, seen=(done.stdout + done.stderr)[-300:])
            return
        lines = [json.loads(line) for line in (folder / "out" / "metrics.jsonl").read_text().splitlines()]
        losses = [line["loss"] for line in lines if "loss" in line]
        first, last = losses[0], losses[-1]
        seen = f"loss {first:.2f} to {last:.2f} in {count} steps, {seconds:.0f} s with the start"
        yield judged("ghost 1M", "trains by run.json", last < first, seen, first=first, last=last)
