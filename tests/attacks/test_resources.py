"""Attacks by appetite: memory, files, descriptors, output and values are cut where they are limited."""

# ruff: noqa: E501 - programs under test are quoted as they are sent

import pytest

from ghostd.core.evidence import ExitClass

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]


async def test_shared_memory_does_not_escape_the_memory_limit(attack):
    code = (
        "import mmap\ndef f():\n    kept = []\n    try:\n        while len(kept) < 12:\n            piece = mmap.mmap(-1, 50 << 20)\n"
        "            kept.append(piece)\n            for at in range(0, 50 << 20, 4096):\n                piece[at] = 1\n"
        "            piece.madvise(mmap.MADV_DONTNEED)\n    except OSError:\n        pass\n    return len(kept)\n"
    )
    outcome = await attack(code)
    assert outcome == "oom" or outcome <= 2


async def test_shared_memory_through_the_zero_device_does_not_either(attack):
    code = (
        "import mmap, os\ndef f():\n    zero = os.open('/dev/zero', os.O_RDWR)\n    try:\n        mmap.mmap(zero, 4096)\n"
        "        return 'mapped'\n    except OSError:\n        return 'refused'\n"
    )
    assert await attack(code) == "refused"


async def test_files_without_number_cannot_be_made(strike):
    code = (
        "import os\ndef f():\n    made = 0\n    try:\n        while made < 200_000:\n"
        "            os.close(os.open(str(made), os.O_CREAT | os.O_WRONLY))\n            made += 1\n    except OSError:\n        pass\n"
        "    return made\n"
    )
    outcome = await strike(code)
    assert outcome.exception_type == "FileLimit" or (outcome.ok and int(outcome.calls[0].value) < 5000)


async def test_descriptors_without_number_cannot_be_opened(attack):
    code = "import os\ndef f():\n    opened = 0\n    try:\n        while opened < 5000:\n            os.dup(1)\n            opened += 1\n    except OSError:\n        pass\n    return opened <= 64\n"
    assert await attack(code) is True


async def test_threads_without_number_cannot_be_started(attack):
    code = (
        "import threading, time\ndef f():\n    started = 0\n    try:\n        while started < 500:\n"
        "            threading.Thread(target=time.sleep, args=(30,), daemon=True).start()\n            started += 1\n"
        "    except (RuntimeError, MemoryError):\n        pass\n    return started < 64\n"
    )
    assert await attack(code) in (True, "error", "oom")


async def test_one_endless_line_is_cut(strike):
    code = "import os\nwhile True:\n    os.write(1, b'x' * 60_000)\n"
    outcome = await strike(code, output_bytes=10_000)
    assert outcome.exit_class is ExitClass.OUTPUT_LIMIT
    assert len(outcome.stdout) == 10_000


async def test_a_flood_on_standard_error_is_cut_as_well(strike):
    outcome = await strike("import os\nwhile True:\n    os.write(2, b'x' * 60_000)\n", output_bytes=10_000)
    assert outcome.exit_class is ExitClass.OUTPUT_LIMIT


async def test_output_that_is_no_text_arrives_as_text(strike):
    outcome = await strike("import os\nos.write(1, bytes(range(256)))\ndef f():\n    return 1\n")
    assert outcome.ok
    assert "\ufffd" in outcome.stdout


async def test_values_that_together_exceed_a_report_are_cut(strike):
    outcome = await strike("def f():\n    return 'x' * 260_000\n", calls=("",) * 64)
    assert outcome.exit_class is ExitClass.OUTPUT_LIMIT


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f():\n    return 10 ** 200_000 > 1 and 1 << (1 << 34)\n", "oom"),
        ("def f():\n    return str(10 ** 5000)\n", "error"),
        ("def f():\n    return f()\n", "error"),
        ("def f():\n    x = []\n    for _ in range(100_000):\n        x = [x]\n    return x\n", "error"),
        ("def f():\n    x = []\n    x.append(x)\n    return x\n", "error"),
        ("def f():\n    return [0] * (1 << 40)\n", "oom"),
        ("def f():\n    return 'a' * (1 << 33)\n", "oom"),
        ("def f():\n    return eval('(' * 5000 + ')' * 5000)\n", "error"),
    ],
    ids=["shift", "digits", "recursion", "nesting", "cycle", "list", "text", "parser"],
)
async def test_a_value_without_bounds_ends_its_own_run_only(attack, code, expected):
    assert await attack(code) == expected


async def test_an_integer_of_a_hundred_thousand_digits_leaves_exactly(attack):
    assert await attack("def f():\n    return 10 ** 100_000\n") == 10**100_000


async def test_values_that_collide_in_every_hash_cost_the_run_its_own_time(strike):
    code = "def f():\n    return {n * (2 ** 61 - 1) for n in range(1, 200_000)}\n"
    assert (await strike(code, cpu_seconds=1.0, wall_seconds=8.0)).exit_class is ExitClass.TIMEOUT


async def test_a_regular_expression_that_explodes_is_a_timeout(strike):
    code = "import re\ndef f():\n    return bool(re.match('(a+)+$', 'a' * 40 + 'b'))\n"
    assert (await strike(code, cpu_seconds=0.5, wall_seconds=5.0)).exit_class is ExitClass.TIMEOUT


async def test_an_examiner_that_is_kept_waiting_is_a_timeout_of_the_run(strike):
    code = "import time\ndef f():\n    time.sleep(60)\n"
    outcome = await strike(code, checks=("assert f() == 1",), calls=(), wall_seconds=0.5)
    assert outcome.exit_class is ExitClass.TIMEOUT
    assert not outcome.checks[0].passed
