"""Attacks as lessons: nothing hostile becomes knowledge, each is rejected by the rung and for the reason that it deserves.

The static rung is taken out, so that running alone has to tell; one test puts it back.
"""

# ruff: noqa: E501 - programs under test are quoted as they are sent

import pytest

from ghostd.core.crystal import VerdictKind
from ghostd.verify.config import VerificationConfig
from ghostd.verify.pipeline import Verifier
from tests.attacks.test_nondeterminism import let_through
from tests.unit.verify.lessons import TOTIENT

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

CONFIG = VerificationConfig(cpu_seconds=1.0, wall_seconds=3.0, batch_seconds=0.01)
RIGHT = TOTIENT.lesson.code
SEND = "import os\nfor d in range(3, 64):\n    for c in (b'L', b'V1', b'V1', b'T[]'):\n        try:\n            os.write(d, len(c).to_bytes(4, 'big') + c)\n        except OSError:\n            break\n"
LESSONS = {
    "system_call": ("import ctypes\nctypes.CDLL(None).unshare(0x10000000)\n", "executed.forbidden"),
    "tracing": ("import ctypes\nctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0)\n", "executed.forbidden"),
    "crash": ("import ctypes\nctypes.string_at(0)\n", "executed.signal"),
    "flood": ("while True:\n    os.write(1, b'x' * 4096)\n", "executed.output_limit"),
    "hoard": ("kept = []\nwhile True:\n    kept.append(bytearray(1 << 22))\n", "executed.oom"),
    "stop": ("import signal\nos.kill(os.getpid(), signal.SIGSTOP)\n", "executed.timeout"),
    "another_program": ("os.execv('/proc/self/exe', ['python3', '-S', '-c', ''])\n", "executed.early_exit"),
    "closed_channel": ("os.closerange(3, 64)\n", "executed.early_exit"),
    "forged_answers": (SEND, "reproducible.history"),  # true answers come late, so asked again it says another
    "unspeakable_message": ("raise ValueError('\\ud800')\n", "executed.error"),
    "closed_workspace": ("os.chmod('.', 0)\nraise OSError('closed')\n", "executed.error"),
    "network": ("import socket\nsocket.create_connection(('1.1.1.1', 80), 1)\n", "executed.error"),
    "file_of_the_host": ("open('/etc/shadow').read()\n", "executed.error"),
}  # fmt: skip


@pytest.mark.parametrize("name", LESSONS)
async def test_a_hostile_lesson_is_rejected_for_what_it_does(sandbox, name):
    attack, reason = LESSONS[name]
    hostile = TOTIENT.with_code(f"import os\n{attack}\n{RIGHT}").with_exercises()
    verifier = Verifier(sandbox, CONFIG, screening=let_through)
    verdict = await verifier.verify(hostile.concept, hostile.lesson, hostile.exam)
    await verifier.close()
    assert verdict.kind is not VerdictKind.VERIFIED
    assert verdict.failure is not None
    allowed = {
        reason,
        "reproducible.environment",
        "reproducible.native",
    }  # what it touches on its way may be named first
    assert verdict.failure.reason in allowed if reason == "executed.error" else verdict.failure.reason == reason


@pytest.mark.parametrize("name", LESSONS)
async def test_reading_alone_turns_a_hostile_lesson_away(sandbox, name):
    hostile = TOTIENT.with_code(f"import os\n{LESSONS[name][0]}\n{RIGHT}")
    verifier = Verifier(sandbox, CONFIG)
    verdict = await verifier.verify(hostile.concept, hostile.lesson, hostile.exam)
    await verifier.close()
    assert verdict.failure is not None
    assert verdict.failure.reason == "static.import:os"
    assert verdict.evidence == ()
