"""What outlives its owner is found and removed, and what has an owner is left alone."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ghostd.errors import IsolationRefused, SandboxUnavailable
from ghostd.sandbox.choose import choose_sandbox, obstacle
from ghostd.sandbox.config import Backend, SandboxConfig
from ghostd.sandbox.docker import DockerSandbox, connect
from ghostd.sandbox.owner import NAMESPACE_LABEL, OWNER_LABEL, Owner, is_orphan, pid_namespace, start_time, this_process

pytestmark = pytest.mark.timeout(120)

OWNER = """
import asyncio, sys
from ghostd.core.evidence import Run, Limits
from ghostd.sandbox.choose import build
from ghostd.sandbox.config import Backend, SandboxConfig

async def main():
    sandbox = build(Backend(sys.argv[1]), SandboxConfig(warm_cells=1), "kill-test")
    await sandbox.start()
    async with sandbox.cell() as cell:
        print(cell.place.cell_id, flush=True)
        code = "import os, time\\ntry:\\n    os.fork()\\nexcept PermissionError:\\n    pass\\ntime.sleep(50)\\n"
        await cell.run([Run(code=code, entry="", limits=Limits(wall_seconds=60))])

asyncio.run(main())
"""


def descendants(ancestor):
    """(pid, start time) of every living process below this one."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(fields[1])
    below, grown = {ancestor}, 0
    while len(below) != grown:
        grown = len(below)
        below |= {pid for pid, parent in parents.items() if parent in below}
    return {(pid, start_time(pid)) for pid in below - {ancestor}}


async def killed_owner(backend):
    """Start an owner with a busy cell and kill -9 it: the cell's id, and the processes that the owner had below it."""
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, backend.value, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    cell_id = (await owner.stdout.readline()).decode().strip()
    await asyncio.sleep(1.0)
    below = descendants(owner.pid)
    os.kill(owner.pid, signal.SIGKILL)
    await owner.wait()
    return cell_id, below


@pytest.mark.docker
async def test_after_kill_9_the_containers_end_and_the_next_start_removes_them():
    config = SandboxConfig(warm_cells=0)
    if problem := await obstacle(Backend.DOCKER, config):
        pytest.skip(problem)
    engine = connect("")
    container, _ = await killed_owner(Backend.DOCKER)
    for _ in range(100):
        left = {one.id: one.state for one in engine.labelled(OWNER_LABEL)}
        if left.get(container) != "running":
            break
        await asyncio.sleep(0.2)
    assert left.get(container) == "exited"  # it ended by itself, unasked
    sandbox = DockerSandbox(config)
    await sandbox.start()
    ours = [one for one in engine.labelled(OWNER_LABEL) if one.labels["ghostd.session"] == "kill-test"]
    await sandbox.stop()
    engine.close()
    assert ours == []


@pytest.mark.parametrize("backend", [pytest.param(Backend.BUBBLEWRAP, marks=pytest.mark.bubblewrap), Backend.TRUSTED])
async def test_after_kill_9_no_process_of_a_cell_lives_on(backend):
    if problem := await obstacle(backend, SandboxConfig()):
        pytest.skip(problem)
    _, below = await killed_owner(backend)
    assert len(below) >= 4  # supervisor, zygote, subject, examiner
    for _ in range(150):
        left = {(pid, started) for pid, started in below if start_time(pid) == started}
        if not left:
            break
        await asyncio.sleep(0.1)
    assert left == set()


def judged(owner, state="running", namespace=None, age_seconds=0.0):
    labels = {OWNER_LABEL: owner.label(), NAMESPACE_LABEL: namespace or pid_namespace()}
    me = this_process()
    return is_orphan(labels, state, age_seconds, boot_id=me.boot_id, namespace=pid_namespace())


def test_a_living_owner_keeps_its_containers():
    assert not judged(this_process())


def test_a_reused_process_number_is_not_the_owner():
    me = this_process()
    assert judged(Owner(me.boot_id, me.pid, me.start_time + 1, me.token))


def test_an_owner_that_cannot_be_looked_up_keeps_what_runs_and_loses_what_ended():
    elsewhere = Owner("another-boot", 1, 1, "t")
    assert not judged(elsewhere)
    assert judged(elsewhere, state="exited")
    assert not judged(this_process(), state="running", namespace="pid:[1]")
    assert judged(elsewhere, state="created", age_seconds=3600)
    assert not judged(elsewhere, state="created", age_seconds=1)


def test_a_container_without_a_readable_owner_is_not_ours_to_remove():
    assert not is_orphan({OWNER_LABEL: "nonsense"}, "exited", 1e9, boot_id="b", namespace="n")


async def test_without_isolation_only_the_trusted_teacher_s_code_is_run():
    config = SandboxConfig(backend="trusted")
    with pytest.raises(IsolationRefused, match="allow_unisolated"):
        await choose_sandbox(config, owner="test", trusted_teacher=False)
    sandbox, said = await choose_sandbox(config, owner="test", trusted_teacher=True)
    assert sandbox.backend == "trusted"
    assert "WITHOUT isolation" in said


async def test_an_engine_that_does_not_answer_is_an_outage_that_names_it():
    config = SandboxConfig(backend="docker", docker_host="unix:///nonexistent/docker.sock")
    with pytest.raises(SandboxUnavailable, match="nonexistent"):
        await choose_sandbox(config, owner="test", trusted_teacher=True)


def test_choosing_a_sandbox_does_not_import_the_docker_sdk():
    code = "import sys, ghostd.sandbox.choose; sys.exit('docker' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
