"""The code under test cannot reach its judge, and what cannot be compared fairly does not count as a value."""

# ruff: noqa: E501 - programs under test are quoted as they are sent

import pytest

from ghostd.core.canonical import decode
from ghostd.core.evidence import ExitClass, Limits, Run, Variation

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]


async def one(cell, code, entry="f", **fields):
    (outcome,) = await cell.run([Run(code=code, entry=entry, **fields)])
    return outcome


@pytest.mark.parametrize(
    "trick",
    [
        "class R:\n    __eq__ = lambda self, other: True\n    __hash__ = None\ndef f(n):\n    return R()\n",
        "class R(int):\n    __eq__ = lambda self, other: True\ndef f(n):\n    return R(0)\n",
        "class R(list):\n    __eq__ = lambda self, other: True\ndef f(n):\n    return R()\n",
        "class R(str):\n    __eq__ = lambda self, other: True\ndef f(n):\n    return [R('x')]\n",
        "def f(n):\n    return (x for x in (n,))\n",
        "def f(n):\n    return f\n",
    ],
)
async def test_what_is_not_plain_data_never_passes(cell, trick):
    outcome = await one(cell, trick, checks=("assert f(3) == 9",))
    assert not outcome.ok
    assert outcome.exception_type == "NotCanonical"


@pytest.mark.parametrize(
    "patch",
    [
        "import builtins\nbuiltins.AssertionError = type('Quiet', (Exception,), {})\nbuiltins.isinstance = lambda *a: True\n",
        "import builtins\nbuiltins.len = lambda x: 0\nbuiltins.__import__ = None\n",
        "import json\njson.dumps = lambda *a, **k: '1'\n",
        "import sys\nsys.modules['canonical'].encode = lambda v: '9'\nsys.modules['examiner'].main = None\n",
        "import sys\nsys.settrace(lambda *a: None)\nsys.setrecursionlimit(50)\n",
    ],
)
async def test_patching_the_interpreter_does_not_turn_a_wrong_answer_into_a_pass(cell, patch):
    code = patch + "def f(n):\n    return 5\n"
    outcome = await one(cell, code, checks=("assert f(3) == 9", "assert len([f(3)]) == 2"))
    assert not outcome.ok
    assert not any(check.passed for check in outcome.checks)


async def test_the_code_cannot_see_the_exam_in_its_own_memory(cell):
    secret = "assert f(3) == 90210"
    code = (
        "import gc, sys\n"
        "def f(n):\n"
        "    seen = repr([o for o in gc.get_objects() if isinstance(o, (list, dict, tuple))])\n"
        "    frames = []\n"
        "    frame = sys._getframe()\n"
        "    while frame:\n        frames.append(repr(frame.f_locals))\n        frame = frame.f_back\n"
        "    everything, needle = seen + repr(frames), ''.join(['902', '10'])\n"
        "    return needle in everything\n"
    )
    earlier = Run(code="def f(n):\n    return 90210\n", entry="f", checks=(secret,))
    later = Run(code=code, entry="f", calls=("3",), checks=(secret,), limits=Limits(wall_seconds=10, cpu_seconds=10))
    first, second = await cell.run([earlier, later])
    assert first.ok
    assert decode(second.calls[0].value) is False


async def test_swallowing_every_exception_in_the_code_does_not_hide_a_wrong_answer(cell):
    code = "def f(n):\n    try:\n        return 1 // 0\n    except BaseException:\n        return None\n"
    outcome = await one(cell, code, checks=("assert f(3) == 9",))
    assert outcome.exit_class is ExitClass.ASSERTION


async def test_a_forged_message_on_the_code_s_own_channel_is_only_a_value(cell):
    code = (
        "import os\n"
        "def f(n):\n"
        "    for descriptor in range(3, 64):\n"
        "        try:\n"
        "            frame = b'Vnull'\n"
        "            os.write(descriptor, len(frame).to_bytes(4, 'big') + frame)\n"
        "        except OSError:\n"
        "            pass\n"
        "    return 9\n"
    )
    outcome = await one(cell, code, checks=("assert f(3) == 9",))
    assert not outcome.ok  # the forged answer, None, came first and is what the exam judged


async def test_an_oversized_value_is_refused(cell):
    outcome = await one(cell, "def f():\n    return 'x' * 300_000\n", calls=("",))
    assert outcome.exception_type == "NotCanonical"


@pytest.mark.parametrize(
    ("source", "taint"),
    [
        ("import time\ndef f():\n    return time.time()\n", "clock"),
        ("import datetime\ndef f():\n    return str(datetime.datetime.now())\n", "clock"),
        ("import random\ndef f():\n    return random.random()\n", "random"),
        ("import random\ndef f():\n    return random.Random().random()\n", "random"),
        ("import random\ndef f():\n    return random.SystemRandom().random()\n", "entropy"),
        ("import os\ndef f():\n    return os.urandom(8)\n", "entropy"),
        ("import uuid\ndef f():\n    return str(uuid.uuid4())\n", "entropy"),
        ("import secrets\ndef f():\n    return secrets.token_hex()\n", "entropy"),
        ("import os\ndef f():\n    return os.getpid()\n", "environment"),
        ("import os\ndef f():\n    return os.environ.get('HOME')\n", "environment"),
        ("import threading\ndef f():\n    t = threading.Thread(target=int)\n    t.start()\n    t.join()\n", "threads"),
    ],
)
async def test_a_source_of_non_determinism_leaves_a_taint(cell, source, taint):
    outcome = await one(cell, source, calls=("",))
    assert taint in outcome.taints


@pytest.mark.parametrize(
    "source",
    [
        "import random\ndef f():\n    random.seed(7)\n    return random.random()\n",
        "import random\ndef f():\n    return random.Random(7).random()\n",
        "import datetime\ndef f():\n    return str(datetime.date(2020, 2, 29) + datetime.timedelta(days=1))\n",
        "from fractions import Fraction\nimport collections, dataclasses, statistics, heapq\ndef f():\n    return Fraction(1, 3)\n",
    ],
)
async def test_a_deterministic_program_has_no_taint_and_repeats_itself(cell, source):
    first, second = await cell.run([Run(code=source, entry="f", calls=("",))] * 2)
    assert first.ok
    assert first.taints == ()
    assert first.calls == second.calls


async def test_the_clock_starts_where_the_variation_says_and_moves_on(cell):
    code = "import time\ndef f():\n    a = time.time()\n    return (a, time.time() > a)\n"
    run = Run(code=code, entry="f", calls=("",), variation=Variation(start_time=1_600_000_000.0))
    (outcome,) = await cell.run([run])
    moment, advanced = decode(outcome.calls[0].value)
    assert 1_600_000_000 <= moment < 1_600_000_001
    assert advanced


async def test_another_hash_seed_shows_a_result_that_hangs_on_set_order(cell):
    code = "def f():\n    return list({str(n) for n in range(50)})\n"
    runs = [Run(code=code, entry="f", calls=("",), variation=Variation(hash_seed=seed)) for seed in (0, 1, 2, 0)]
    outcomes = await cell.run(runs)
    values = [outcome.calls[0].value for outcome in outcomes]
    assert values[0] == values[3]
    assert len(set(values)) == 3


async def test_replays_differ_where_random_is_not_seeded(cell):
    outcomes = await cell.run(
        [Run(code="import random\ndef f():\n    return random.random()\n", entry="f", calls=("",))] * 3
    )
    assert len({outcome.calls[0].value for outcome in outcomes}) == 3


async def test_the_workspace_has_the_name_that_was_asked_for(cell):
    code = "import os\ndef f():\n    return os.path.basename(os.getcwd())\n"
    run = Run(code=code, entry="f", calls=("",), variation=Variation(workspace="replay-3"))
    (outcome,) = await cell.run([run])
    assert decode(outcome.calls[0].value) == "replay-3"
