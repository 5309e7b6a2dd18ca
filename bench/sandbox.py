"""Sandbox figures side by side: ours, `docker run` per snippet with the same hardening, and a plain subprocess.

    python bench/sandbox.py [--backend docker] [--cells 20] [--units 12] [--in-flight 2] [--timeouts 30]

Checks correctness first and prints no timing if that fails. One table, then one JSON line.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from ghostd.bundled import bundled
from ghostd.core.evidence import ExitClass, Limits, Run
from ghostd.ports import Sandbox
from ghostd.sandbox.choose import build, obstacle
from ghostd.sandbox.config import Backend, SandboxConfig

RUNS_PER_UNIT = 50
CODE = "def divisors(n):\n    return [d for d in range(1, n + 1) if n % d == 0]\n"
RIGHT = Run(code=CODE, entry="divisors", calls=("12",), checks=("assert divisors(6) == [1, 2, 3, 6]",))
WRONG = Run(code=CODE.replace("== 0", "!= 0"), entry="divisors", checks=RIGHT.checks)
LOOP = Run(code="while True:\n    pass\n", entry="", limits=Limits(wall_seconds=0.3, cpu_seconds=5.0))
SNIPPET = CODE + "print(divisors(12))\nassert divisors(6) == [1, 2, 3, 6]\n"


def quantile(values: list[float], share: float) -> float:
    """The value below which this share of the sorted values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def gate(sandbox: Sandbox) -> None:
    """Refuse to time a sandbox that is wrong."""
    async with sandbox.cell() as cell:
        right, wrong, loop = await cell.run([RIGHT, WRONG, LOOP])
    assert right.ok, right
    assert right.calls[0].value == "[1,2,3,4,6,12]", right
    assert wrong.exit_class is ExitClass.ASSERTION, wrong
    assert loop.exit_class is ExitClass.TIMEOUT, loop


async def measure_cold(config: SandboxConfig, backend: Backend, count: int) -> list[float]:
    """Seconds from asking for a cell to its readiness, with an empty pool."""
    sandbox = build(backend, config.model_copy(update={"warm_cells": 0}), "bench")
    await sandbox.start()
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        async with sandbox.cell():
            taken.append(time.perf_counter() - started)
        await asyncio.sleep(0.2)  # let the removal finish: it is not part of readiness
    await sandbox.stop()
    return taken


async def measure_hot(sandbox: Sandbox, count: int) -> list[float]:
    """Seconds from handing a run to a warm, never used cell to its outcome."""
    taken = []
    for _ in range(count):
        await asyncio.sleep(1.0)  # the pool refills
        started = time.perf_counter()
        async with sandbox.cell() as cell:
            await cell.run([RIGHT])
            taken.append(time.perf_counter() - started)
    return taken


async def measure_throughput(sandbox: Sandbox, units: int, in_flight: int) -> float:
    """Seconds for `units` fresh cells with RUNS_PER_UNIT runs each, destruction included."""
    gate_keeper = asyncio.Semaphore(in_flight)

    async def unit() -> None:
        async with gate_keeper, sandbox.cell() as cell:
            outcomes = await cell.run([RIGHT] * RUNS_PER_UNIT)
            for outcome in outcomes:
                assert outcome.ok, outcome

    started = time.perf_counter()
    await asyncio.gather(*(unit() for _ in range(units)))
    return time.perf_counter() - started


async def measure_timeouts(sandbox: Sandbox, count: int) -> tuple[list[float], int]:
    """Seconds by which endless loops outlived their limit, and processes that outlived their run."""
    async with sandbox.cell() as cell:
        outcomes = await cell.run([LOOP] * count)
        look = Run(
            code="import os\ndef f():\n    return sum(1 for p in os.listdir('/proc') if p.isdigit())\n",
            entry="f",
            calls=("",),
        )
        (seen,) = await cell.run([look])
    late = [outcome.wall_seconds - LOOP.limits.wall_seconds for outcome in outcomes]
    # supervisor, zygote, subject and examiner are all that may be left; plain processes see the whole machine
    survivors = int(seen.calls[0].value) - 4 if sandbox.backend != "trusted" else 0
    return late, survivors


def measure_docker_run(image: str, count: int) -> list[float] | None:
    """Seconds of `docker run` per snippet with the cell's hardening; None without the docker command."""
    profile = bundled("sandbox") / "seccomp.json"
    command = [
        "docker", "run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", "--user", "65532:65532",
        "--security-opt", "no-new-privileges:true", "--security-opt", f"seccomp={profile}", "--memory", "512m",
        "--memory-swap", "512m", "--pids-limit", "48", "--cpus", "1", "--ipc", "none", "--log-driver", "none",
        "--tmpfs", "/w:size=64m,mode=0700,uid=65532", "--entrypoint", "python3", image, "-s", "-S", "-B", "-c", SNIPPET,
    ]  # fmt: skip
    return time_command(command, count)


def time_command(command: list[str], count: int) -> list[float] | None:
    """Seconds of each of `count` executions; None when the program is missing."""
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return None
        taken.append(time.perf_counter() - started)
        assert done.stdout.strip() == "[1, 2, 3, 4, 6, 12]", done
    return taken


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", type=Backend, default=Backend.DOCKER)
    parser.add_argument("--cells", type=int, default=20)
    parser.add_argument("--units", type=int, default=12)
    parser.add_argument("--in-flight", type=int, default=2)
    parser.add_argument("--timeouts", type=int, default=30)
    chosen = parser.parse_args()
    config = SandboxConfig(warm_cells=3)
    problem = await obstacle(chosen.backend, config, print)
    if problem:
        sys.exit(problem)
    sandbox = build(chosen.backend, config, "bench")
    await sandbox.start()
    await gate(sandbox)
    hot = await measure_hot(sandbox, chosen.cells)
    span = await measure_throughput(sandbox, chosen.units, chosen.in_flight)
    late, survivors = await measure_timeouts(sandbox, chosen.timeouts)
    async with sandbox.cell() as cell:
        cpu_seconds = statistics.fmean(outcome.cpu_seconds for outcome in await cell.run([RIGHT] * RUNS_PER_UNIT))
    await sandbox.stop()
    cold = await measure_cold(config, chosen.backend, chosen.cells)
    plain = time_command([sys.executable, "-I", "-c", SNIPPET], chosen.cells)
    contained = measure_docker_run(config.image, chosen.cells) if chosen.backend is Backend.DOCKER else None
    figures = {
        "backend": chosen.backend.value,
        "cold_ready_ms_p50": statistics.median(cold) * 1000,
        "cold_ready_ms_p95": quantile(cold, 0.95) * 1000,
        "hot_dispatch_ms_p50": statistics.median(hot) * 1000,
        "hot_dispatch_ms_p95": quantile(hot, 0.95) * 1000,
        "units_per_second": chosen.units / span,
        "runs_per_second": chosen.units * RUNS_PER_UNIT / span,
        "cpu_ms_per_run": cpu_seconds * 1000,
        "timeout_late_ms_p99": quantile(late, 0.99) * 1000,
        "survivors": survivors,
        "docker_run_ms_p50": statistics.median(contained) * 1000 if contained else None,
        "docker_run_per_second": 1 / statistics.fmean(contained) if contained else None,
        "plain_subprocess_ms_p50": statistics.median(plain) * 1000,
        "cpus": os.cpu_count(),
        "load_average": float(Path("/proc/loadavg").read_text("ascii").split()[0]),
    }
    for name, value in figures.items():
        print(f"{name:28} {value if not isinstance(value, float) else round(value, 2)}")
    print(json.dumps(figures))


if __name__ == "__main__":
    asyncio.run(main())
