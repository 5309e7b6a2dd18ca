"""Runs leave nothing behind, cells are never used twice, and an outage is an exception."""

# programs under test are quoted as they are sent:
# ruff: noqa: E501

import asyncio
import dataclasses

import pytest

from ghostd.core.attestation import result_hash, run_key
from ghostd.core.canonical import decode
from ghostd.core.evidence import Limits, Run
from ghostd.errors import SandboxUnavailable

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

ANSWER = Run(code="def f():\n    return 42\n", entry="f", calls=("",))


async def test_files_of_one_run_are_gone_in_the_next(cell):
    write = (
        "import os\nos.makedirs('deep/er')\nopen('deep/er/left', 'w').write('x')\nos.chmod('deep/er', 0)\n"
        "os.symlink('/', 'link')\ndef f():\n    return os.listdir('.')\n"
    )
    read = "import os\ndef f():\n    return [sorted(os.listdir('.')), sorted(os.listdir('..'))]\n"
    first, second = await cell.run([Run(code=code, entry="f", calls=("",)) for code in (write, read)])
    assert first.ok, first
    assert decode(second.calls[0].value) == [[], ["w"]]


async def test_a_folder_nested_deeper_than_any_path_is_wiped_too(cell):
    nest = "import os\nfor _ in range(1500):\n    os.mkdir('d')\n    os.chdir('d')\ndef f():\n    return 1\n"
    limits = Limits(wall_seconds=20, cpu_seconds=20)
    first, second = await cell.run([dataclasses.replace(ANSWER, code=nest, limits=limits), ANSWER])
    assert first.ok, first
    assert second.ok


async def test_what_a_run_leaves_outside_its_workspace_is_gone_in_the_next(cell):
    places = "('/dev/mqueue/x', '/dev/shm/ghostd-test-x')"
    if cell.place.backend == "trusted":
        pytest.skip("trusted: promises nothing outside the workspace")
    leave = f"for p in {places}:\n    try:\n        open(p, 'w').close()\n    except OSError:\n        pass\ndef f():\n    return 1\n"
    find = f"import os\ndef f():\n    return [p for p in {places} if os.path.exists(p)]\n"
    first, second = await cell.run([dataclasses.replace(ANSWER, code=code) for code in (leave, find)])
    assert first.ok, first
    assert decode(second.calls[0].value) == []


async def test_globals_and_patches_of_one_run_are_gone_in_the_next(cell):
    spoil = "import builtins, math\nbuiltins.spoiled = 1\nmath.pi = 3\nmath.sin = None\ndef f():\n    return 1\n"
    look = (
        "import builtins, math\ndef f():\n    return [hasattr(builtins, 'spoiled'), math.pi > 3.1, math.sin is None]\n"
    )
    _, second = await cell.run([Run(code=code, entry="f", calls=("",)) for code in (spoil, look)])
    assert decode(second.calls[0].value) == [False, True, False]


async def test_a_double_forked_survivor_does_not_survive(cell):
    if cell.place.backend == "trusted":
        pytest.skip("trusted: a run may not fork at all, see the next test")
    daemonise = (
        "import os, time\n"
        "def f():\n"
        "    if os.fork() == 0:\n"
        "        if os.fork() == 0:\n"
        "            while True:\n                open('alive', 'a').write('.')\n                time.sleep(0.005)\n"
        "        os._exit(0)\n"
        "    os.wait()\n    time.sleep(0.1)\n"
        "    return os.path.exists('alive')\n"
    )
    look = "import os, time\ndef f():\n    time.sleep(0.1)\n    return os.path.exists('alive')\n"
    limits = Limits(wall_seconds=10)
    first, second = await cell.run([Run(code=c, entry="f", calls=("",), limits=limits) for c in (daemonise, look)])
    assert decode(first.calls[0].value) is True
    assert decode(second.calls[0].value) is False


async def test_a_run_without_isolation_may_start_threads_but_no_process(cell):
    if cell.place.backend != "trusted":
        pytest.skip("isolating backends count processes instead")
    code = (
        "import os, threading, subprocess\ndef f():\n    t = threading.Thread(target=int)\n    t.start()\n    t.join()\n"
        "    refused = 0\n    for start in (os.fork, lambda: subprocess.run(['true']), lambda: os.posix_spawn('/bin/true', ['true'], {})):\n"
        "        try:\n            start()\n        except PermissionError:\n            refused += 1\n    return refused\n"
    )
    (outcome,) = await cell.run([dataclasses.replace(ANSWER, code=code)])
    assert decode(outcome.calls[0].value) == 3


async def test_a_fork_bomb_ends_and_the_cell_goes_on(cell):
    bomb = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n"
    first, second = await cell.run([Run(code=bomb, entry="f", limits=Limits(wall_seconds=1.0)), ANSWER])
    assert not first.ok
    assert second.ok, second


async def test_a_run_that_kills_everything_it_can_harms_only_itself(cell):
    rampage = (
        "import os, signal\n"
        "for pid in {-1, os.getppid(), *range(2, 40)} - {os.getpid()}:\n"
        "    try:\n        os.kill(pid, signal.SIGKILL)\n    except OSError:\n        pass\n"
        "def f():\n    return 42\n"
    )
    first, second = await cell.run([dataclasses.replace(ANSWER, code=rampage), ANSWER])
    assert first.ok  # every signal was refused
    assert second.ok


async def test_every_cell_is_another_one(sandbox):
    async with sandbox.cell() as one:
        await one.run([ANSWER])
    async with sandbox.cell() as other:
        await other.run([ANSWER])
    assert one.place.cell_id != other.place.cell_id
    assert one.place.image_id == other.place.image_id == sandbox.image_id


async def test_a_cell_that_has_been_left_is_gone(sandbox):
    async with sandbox.cell() as cell:
        await cell.run([ANSWER])
    await asyncio.sleep(0.5)
    with pytest.raises(SandboxUnavailable):
        await cell.run([ANSWER])


async def test_a_cell_whose_batch_was_cancelled_gives_no_stale_answers(cell):
    slow = Run(code="import time\ntime.sleep(5)\n", entry="", limits=Limits(wall_seconds=6))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await cell.run([slow])
    with pytest.raises(SandboxUnavailable):
        await cell.run([ANSWER])


async def test_a_cell_that_dies_is_an_outage_and_not_a_verdict(sandbox):
    async with sandbox.cell() as cell:
        await cell.destroy()
        with pytest.raises(SandboxUnavailable):
            await cell.run([ANSWER])


async def test_keys_and_hashes_repeat_across_cells(sandbox):
    seen = set()
    for _ in range(2):
        async with sandbox.cell() as cell:
            (outcome,) = await cell.run([ANSWER])
            seen.add((run_key(ANSWER, cell.place), result_hash(outcome)))
    assert len(seen) == 1


async def test_a_working_directory_cannot_be_named_out_of_the_workspace(cell):
    variation = dataclasses.replace(ANSWER.variation, workspace="../etc")
    with pytest.raises(ValueError, match="working directory"):
        await cell.run([dataclasses.replace(ANSWER, variation=variation)])
