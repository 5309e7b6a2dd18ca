"""Attacks on the verdict's way out: forged answers, forged reports and hostile exams are verdicts, never outages."""

# ruff: noqa: E501 - programs under test are quoted as they are sent

import pytest

from ghostd.core.evidence import ExitClass

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

SEND = """
import os
def send(*contents):
    for descriptor in range(3, 64):
        for content in contents:
            try:
                os.write(descriptor, len(content).to_bytes(4, 'big') + content)
            except OSError:
                break
"""
ANSWERS = {
    "nothing_but_a_header": "os.write(3, b'\\x00\\x00\\x10\\x00')",
    "a_frame_of_four_gigabytes": "[os.write(d, b'\\xff\\xff\\xff\\xff') for d in range(3, 12) if os.path.lexists(f'/dev/fd/{d}')]",
    "no_json": "send(b'Vnot json')",
    "json_too_deep": "send(b'V' + b'[' * 100_000)",
    "a_bare_float": "send(b'V1.5')",
    "unknown_tags": "send(b'V{\"object\": 1}')",
    "an_exception_without_a_name": "send(b'E[]')",
    "an_exception_that_is_no_exception": "send(b'E[[1, null], {}, \"yes\"]')",
    "an_exit_of_the_examiner": "send(b'E[[\"SystemExit\"], \"\", false]')",
    "another_kind_of_message": "send(b'Z', b'')",
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_forged_answer_passes_no_check(strike, name):
    code = f"{SEND}def f():\n    try:\n        {ANSWERS[name]}\n    except OSError:\n        pass\n    return 5\n"
    outcome = await strike(code, calls=(), checks=("assert f() == 9", "assert f() == 10"), wall_seconds=3.0)
    assert not outcome.ok
    assert not any(check.passed for check in outcome.checks)


async def test_answers_sent_before_they_are_asked_for_are_only_values(strike):
    code = f"{SEND}send(b'L', b'V9', b'V9', b'T[]')\ndef f():\n    return 5\n"
    outcome = await strike(code, calls=(), checks=("assert f() == 10", "assert f() == 16"))
    assert not outcome.ok
    assert not any(check.passed for check in outcome.checks)


async def test_a_forged_list_of_taints_is_no_outage(strike):
    await strike(f"{SEND}send(b'L', b'Vnull', b'T[\"\\\\ud800\", 7, null]')\ndef f():\n    return 1\n")


async def test_closing_every_descriptor_is_an_early_exit(strike):
    outcome = await strike(
        "import os\ndef f():\n    os.closerange(0, 256)\n    return 9\n", checks=("assert f() == 9",)
    )
    assert (outcome.exit_class, outcome.exception_type) == (ExitClass.ERROR, "EarlyExit")


async def test_the_channel_laid_over_the_standard_streams_passes_nothing(strike):
    code = (
        "import os\ndef f():\n    for descriptor in range(3, 12):\n        try:\n            os.dup2(descriptor, 1)\n"
        "            os.dup2(1, descriptor)\n            print('V9', flush=True)\n        except OSError:\n            pass\n    return 5\n"
    )
    outcome = await strike(code, calls=(), checks=("assert f() == 9",), wall_seconds=3.0)
    assert not outcome.ok
    assert not outcome.checks[0].passed


async def test_a_child_that_answers_in_its_parent_s_place_answers_with_values_only(strike):
    code = "import os\ndef f():\n    if os.fork():\n        os._exit(0)\n    return 5\n"
    outcome = await strike(code, calls=(), checks=("assert f() == 9",))
    assert not outcome.ok
    assert not outcome.checks[0].passed


async def test_the_zygote_s_control_socket_is_in_no_run(attack):
    code = (
        "import os, socket, stat\ndef f():\n    kinds = []\n    for number in range(64):\n        try:\n"
        "            if stat.S_ISSOCK(os.fstat(number).st_mode):\n"
        "                kinds.append(socket.socket(fileno=os.dup(number)).type == socket.SOCK_SEQPACKET)\n"
        "        except OSError:\n            pass\n    return kinds\n"
    )
    assert await attack(code) == [False]  # one socket, and it is the channel to the examiner


FORGED_REPORTS = {
    "no_json": "b'hello'",
    "json_too_deep": "b'[' * 100_000",
    "no_list": "b'{}'",
    "an_empty_list": "b'[]'",
    "a_call_that_was_not_made": "json.dumps([nonce, 'call', 99, '1', '', '', False]).encode()",
    "a_check_before_the_first": "json.dumps([nonce, 'check', -1, True, '', '', False]).encode()",
    "a_step_of_wrong_types": "json.dumps([nonce, 'call', 0, 1, 2, 3, 4]).encode()",
    "taints_that_are_no_texts": "json.dumps([nonce, 'done', [1, None]]).encode()",
    "a_step_that_does_not_exist": "json.dumps([nonce, 'passed']).encode()",
}
FIND_NONCE = (
    "import json, os, sys\nframe = sys._getframe()\nwhile 'nonce' not in frame.f_locals:\n    frame = frame.f_back\n"
    "nonce, report = frame.f_locals['nonce'], frame.f_locals['report']\n"
)


@pytest.mark.parametrize("name", FORGED_REPORTS)
async def test_an_exam_that_forges_an_unreadable_report_is_an_error_and_no_outage(strike, name):
    check = (
        f"{FIND_NONCE}content = {FORGED_REPORTS[name]}\nos.write(report, len(content).to_bytes(4, 'big') + content)\n"
    )
    outcome = await strike("def f():\n    return 1\n", checks=(check,))
    assert (outcome.exit_class, outcome.exception_type) == (ExitClass.ERROR, "Forgery")


EXAMS = {
    "endless": ("while True: pass", {ExitClass.TIMEOUT}),
    "asleep": ("import time\ntime.sleep(60)", {ExitClass.TIMEOUT}),
    "hungry": ("x = 'x' * (1 << 33)", {ExitClass.OOM, ExitClass.ERROR}),
    "exits": ("import os\nos._exit(0)", {ExitClass.ERROR}),
    "raises_exit": ("raise SystemExit(0)", {ExitClass.ERROR}),
    "closes_all": ("import os\nos.closerange(0, 64)", {ExitClass.ERROR}),
    "kills": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", {ExitClass.SIGNAL}),
    "bombs": ("import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass", {ExitClass.ERROR, ExitClass.TIMEOUT, ExitClass.OOM}),
    "mounts": ("import ctypes\nctypes.CDLL(None).mount(0, 0, 0, 0, 0)", {ExitClass.FORBIDDEN}),
    "writes_outside": ("open('/ghostd/cell.py', 'a')", {ExitClass.ERROR}),
    "floods": ("import os\nwhile True: os.write(2, b'x' * 60_000)", {ExitClass.OUTPUT_LIMIT}),
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMS)
async def test_a_hostile_exam_is_held_like_hostile_code(strike, name):
    check, expected = EXAMS[name]
    outcome = await strike("def f():\n    return 1\n", checks=(check, "assert f() == 1"), wall_seconds=2.0)
    assert outcome.exit_class in expected, outcome
