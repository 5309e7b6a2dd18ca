"""A long run with faults: memory, descriptors and processes stay flat, work goes on. `make soak` selects it."""

import os
import time
from pathlib import Path

import pytest

from tests.acceptance.process import Ghostd, containers, descendants, docker_answers

SECONDS = float(os.environ.get("SOAK_SECONDS", "1800"))
WARM_UP_SECONDS = min(60.0, SECONDS / 4)
SAMPLE_SECONDS = 5.0


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.soak
@pytest.mark.timeout(SECONDS + 300)
def test_a_long_run_keeps_memory_descriptors_and_processes_flat(ghostd: Ghostd) -> None:
    ghostd.environment["GHOSTD_TEXTBOOK__FAULT_RATE"] = "0.2"
    ghostd.start("--for", f"{SECONDS + 30:.0f}s")
    ghostd.wait_working()
    assert ghostd.process is not None
    pid = ghostd.process.pid
    samples: list[tuple[int, int, int]] = []
    began = time.monotonic()
    while time.monotonic() - began < SECONDS:
        assert ghostd.process.poll() is None, ghostd.tail()
        open_files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        samples.append((resident_bytes(pid), open_files, len(descendants(pid))))
        time.sleep(SAMPLE_SECONDS)
    assert ghostd.wait_end(120) == 0, ghostd.tail()
    settled = samples[round(WARM_UP_SECONDS / SAMPLE_SECONDS) :]
    early, late = settled[: len(settled) // 3], settled[-(len(settled) // 3) :]
    memory, files, processes = (
        max(sample[column] for sample in late) / max(sample[column] for sample in early) for column in range(3)
    )
    crystals = ghostd.status()["knowledge"]["crystals"]
    print(f"{crystals} crystals; late against early: memory {memory:.2f}, files {files:.2f}, processes {processes:.2f}")  # noqa: T201 - what a soak is run for
    assert memory < 1.25
    assert files < 1.5
    assert processes < 1.5
    assert crystals > SECONDS / 4
    if docker_answers():
        assert containers(ghostd.pids) == set()
