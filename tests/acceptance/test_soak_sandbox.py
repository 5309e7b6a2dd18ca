"""Soaks of the sandbox: thousands of labelled units with attacks among them, and attestations over restarts.

`make soak` selects them. GHOSTD_SOAK_UNITS sets the number of units (10,000); there are a tenth as many programs.
GHOSTD_SOAK_RESTART_ENGINE is the command that restarts the container engine, where it may be restarted.
"""

import asyncio
import os
import shlex
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from ghostd.core.attestation import result_hash, run_key
from ghostd.core.evidence import Run, Variation
from ghostd.ports import Cell, Sandbox
from ghostd.sandbox.config import Backend
from tests.acceptance.labelled import Labelled, corpus
from tests.acceptance.process import alive, containers, descendants, docker_answers
from tests.acceptance.test_soak import resident_bytes
from tests.attacks.canaries import is_cell, own_mounts
from tests.sandboxes import ISOLATING_BACKENDS, started

UNITS = int(os.environ.get("GHOSTD_SOAK_UNITS", "10000"))
PROGRAMS = max(20, UNITS // 10)
RESTART_ENGINE = shlex.split(os.environ.get("GHOSTD_SOAK_RESTART_ENGINE", ""))
AT_ONCE = 3
ACCURACY = 0.999
SAMPLES = 20
DISK_BYTES = 50 << 20  # that the machine may lose to a soak
REPLAYS = tuple(
    Variation(hash_seed=seed, start_time=start, workspace=name)
    for seed, start, name in ((0, 1.7e9, "w"), (0, 1.9e9, "w"), (0, 1.7e9, "x"), (1, 1.7e9, "w"), (2, 1.5e9, "y"))
)

pytestmark = [pytest.mark.soak, pytest.mark.timeout(UNITS * 3 + 300)]


def report(line: str) -> None:
    print(line)  # noqa: T201 - what a soak is run for


def used_bytes(temporary: Path) -> int:
    """What lies where cells could leave something: the engine's containers and volumes, as far as they may be read, and
    the temporary folder of this test. The free space of a machine that others use says nothing.
    """
    total = 0
    for place in (Path("/var/lib/docker/containers"), Path("/var/lib/docker/volumes"), temporary):
        for folder, _, names in os.walk(place):
            for name in names:
                with suppress(FileNotFoundError):  # another owner's container, gone meanwhile
                    total += Path(folder, name).lstat().st_size
    return total


async def judged(sandbox: Sandbox, unit: Labelled) -> bool:
    async with sandbox.cell() as cell:
        (outcome,) = await cell.run([unit.run])
    if outcome.exit_class not in unit.expected:
        report(f"{unit.label}: {outcome.exit_class} {outcome.exception_type}: {outcome.exception_message}")
        return False
    return outcome.ok == all(check.passed for check in outcome.checks)


@pytest.mark.parametrize("backend", ISOLATING_BACKENDS)
async def test_verdicts_stay_right_and_nothing_leaks_over_many_units_with_attacks_among_them(
    backend, tmp_path, monkeypatch
) -> None:
    tmp_path.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mounts = own_mounts()
    disk, right, seen = used_bytes(tmp_path), 0, Counter[str]()
    memory: list[int] = []
    async with started(backend, warm_cells=AT_ONCE) as sandbox:
        units = list(corpus(UNITS))
        for start in range(0, UNITS, AT_ONCE):
            group = units[start : start + AT_ONCE]
            right += sum(await asyncio.gather(*(judged(sandbox, unit) for unit in group)))
            seen.update(unit.label.split(":")[0] for unit in group)
            if start % max(AT_ONCE, UNITS // SAMPLES // AT_ONCE * AT_ONCE) == 0:
                memory.append(resident_bytes(os.getpid()))
    lost = used_bytes(tmp_path) - disk
    early, late = max(memory[len(memory) // 4 : len(memory) // 2]), max(memory[len(memory) // 2 :])
    report(
        f"{backend.value}: {right} of {UNITS} verdicts right {dict(seen)}; memory late against early {late / early:.3f}"
        f", {lost:+} bytes on disk"
    )
    assert right >= ACCURACY * UNITS
    assert late < 1.25 * early
    assert lost < DISK_BYTES
    assert list(tmp_path.iterdir()) == []
    assert not docker_answers() or containers({os.getpid()}) == set()
    assert not {pid for pid in alive(descendants(os.getpid())) if is_cell(pid)}
    assert own_mounts() == mounts


@pytest.mark.parametrize("backend", ISOLATING_BACKENDS)
async def test_attestations_are_the_same_over_five_replays_and_a_restart_of_the_sandbox(backend) -> None:
    await attest_twice(backend, [])


@pytest.mark.docker
async def test_attestations_are_the_same_over_a_restart_of_the_engine() -> None:
    if not RESTART_ENGINE:
        pytest.skip("needs an engine that may be restarted: GHOSTD_SOAK_RESTART_ENGINE='systemctl restart docker'")
    await attest_twice(Backend.DOCKER, RESTART_ENGINE)


async def attest_twice(backend: Backend, restart: list[str]) -> None:
    """Run every program five times, stop the sandbox, run `restart` if there is one, and do it all again."""
    programs = [unit.run for unit in corpus(PROGRAMS * 3, seed=11) if unit.label == "right"][:PROGRAMS]
    hashes: dict[Run, set[str]] = {}
    keys: dict[Run, set[str]] = {}
    for attempt in range(2):  # other cells and other interpreters, the same image
        if attempt and restart:
            await (await asyncio.create_subprocess_exec(*restart)).wait()
        async with started(backend, warm_cells=AT_ONCE) as sandbox:
            for start in range(0, len(programs), 20):
                async with sandbox.cell() as cell:
                    await attest(cell, programs[start : start + 20], hashes, keys)
    differing = [run.code for run, found in hashes.items() if len(found) > 1]
    report(f"{backend.value}: {len(hashes)} programs, {2 * len(REPLAYS)} runs each, {len(differing)} unlike")
    assert len(programs) == PROGRAMS
    assert differing == []
    assert all(len(found) == len(REPLAYS) for found in keys.values())  # one key per variation, over both starts


async def attest(cell: Cell, programs: list[Run], hashes: dict[Run, set[str]], keys: dict[Run, set[str]]) -> None:
    pairs = [(program, replace(program, variation=variation)) for program in programs for variation in REPLAYS]
    outcomes = await cell.run([run for _, run in pairs])
    for (program, run), outcome in zip(pairs, outcomes, strict=True):
        assert outcome.ok, outcome
        hashes.setdefault(program, set()).add(result_hash(outcome))
        keys.setdefault(program, set()).add(run_key(run, cell.place))
