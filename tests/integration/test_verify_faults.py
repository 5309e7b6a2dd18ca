"""Every kind of fault meets the ladder in real cells: none is accepted, and each is named after what it is.

The second table lets everything through the static rung, to show that reading code is not what keeps it out.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ghostd.core.concept import Concept
from ghostd.core.crystal import VerdictKind
from ghostd.core.lesson import Claim, Exam, Exercise, Lesson
from ghostd.ports import Sandbox
from ghostd.verify.config import VerificationConfig
from ghostd.verify.exam import ExamReading, Question
from ghostd.verify.pipeline import Screening, Verifier
from tests.unit.verify.cells import EVERY_BACKEND, started
from tests.unit.verify.lessons import TOTIENT, Case, case

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONFIG = VerificationConfig(cpu_seconds=1.0, batch_seconds=0.01)
RIGHT = TOTIENT.lesson.code
NO_ANSWERS = TOTIENT.with_exercises(Exercise("What is totient(36)?", "36"))  # so that no answer is contradicted
UNIQUE = case(
    "Distinct letters",
    "def distinct(text: str) -> list[str]",
    "def distinct(text):\n    return sorted(set(text))\n",
    {},
).with_checks(
    *(
        f"assert sorted(distinct({text!r})) == {sorted(set(text))!r}"
        for text in ("", "a", "aa", "ab", "ba", "hello", "xyzzy", "abcdefg")
    )
)


def spoiled(line: str, base: Case = NO_ANSWERS) -> Case:
    """The right code with a line at the start of the function."""
    head = "def totient(n: int) -> int:\n"
    return base.with_code(RIGHT.replace(head, f"{head}    {line}\n"))


def prefixed(lines: str) -> Case:
    return NO_ANSWERS.with_code(f"{lines}\n{RIGHT}")


WRONG = {
    "wrong_formula": (TOTIENT.with_code("def totient(n):\n    return n - 1\n"), "executed.contradiction"),
    "wrong_formula_without_answers": (
        NO_ANSWERS.with_code("def totient(n):\n    return n - 1\n"),
        "tested.exam_failed",
    ),
    "off_by_one": (NO_ANSWERS.with_code(RIGHT.replace("<= rest", "< rest")), "tested.exam_failed"),
    "wrong_constant": (NO_ANSWERS.with_code(RIGHT.replace("n, n, 2", "n, n, 3")), "tested.exam_failed"),
    "contradiction": (TOTIENT.with_exercises(Exercise("What is totient(36)?", "36", "13")), "executed.contradiction"),
    "raises": (NO_ANSWERS.with_code("def totient(n):\n    return n[0]\n"), "executed.error"),
    "tautological_exam": (
        TOTIENT.with_checks(*(f"assert totient({n}) == totient({n})" for n in range(1, 15))),
        "static.exam_tautological",
    ),
    "swallowed_asserts": (
        TOTIENT.with_checks(
            *(f"try:\n    assert totient({n}) == 1\nexcept Exception:\n    pass" for n in range(1, 15))
        ),
        "static.exam_swallows",
    ),
    "weak_exam": (
        TOTIENT.with_checks(*(f"assert totient({p}) == {p - 1}" for p in (2, 3, 5, 7, 11, 13, 17, 19))),
        "tested.mutants_survived",
    ),
    "exam_of_one_answer": (
        TOTIENT.with_checks(*(f"assert totient({n}) > 0" for n in range(1, 15))),
        "tested.stub_accepted:identity",
    ),
    "always_equal": (
        NO_ANSWERS.with_code(
            "class Agreeable:\n    __eq__ = lambda self, other: True\n\n\ndef totient(n):\n    return Agreeable()\n"
        ),
        "executed.not_canonical",
    ),
    "early_exit": (spoiled("import os; os._exit(0)"), "static.import:os"),
    "flaky_random": (spoiled("import random; n += random.random() < 0.5"), "static.nondeterminism:random"),
    "flaky_clock": (spoiled("import time; n += int(time.time()) % 2"), "static.nondeterminism:clock"),
    "flaky_address": (spoiled("n += id(object()) % 2"), "static.nondeterminism:address"),
    "flaky_hash_order": (
        UNIQUE.with_code("def distinct(text):\n    return list(set(text))\n"),
        "reproducible.hash-order",
    ),
    "endless_loop": (spoiled("while True: pass"), "executed.timeout"),
    "memory_hog": (spoiled("hog = 'x' * (1 << 33)"), "executed.oom"),
    "output_flood": (spoiled("for _ in range(1 << 20): print('x' * 100)"), "executed.output_limit"),
    "network_access": (prefixed("import socket"), "static.import:socket"),
    "false_claims": (
        TOTIENT.with_claims(Claim("phi(4) = 3", "totient(4) == 3"), Claim("phi(6) = 5", "totient(6) == 5")),
        "tested.claims_refuted",
    ),
    "endless_recursion": (spoiled("return totient(n)"), "executed.error"),
    "not_a_module": (NO_ANSWERS.with_code("def totient(n"), "static.parse"),
}

UNSCREENED = {
    "early_exit_on_load": (prefixed("import os\nos._exit(0)"), ("executed.early_exit",)),
    "early_exit_in_call": (spoiled("import os; os._exit(0)"), ("executed.early_exit",)),
    "system_exit": (spoiled("raise SystemExit(0)"), ("executed.error", "executed.early_exit")),
    "tautological_exam": (
        WRONG["tautological_exam"][0],
        ("tested.stub_accepted:identity", "tested.stub_accepted:none"),
    ),
    "swallowed_asserts": (WRONG["swallowed_asserts"][0], ("tested.stub_accepted:none",)),
    "guarded_asserts": (
        TOTIENT.with_checks(*(f"if False:\n    assert totient({n}) == 1" for n in range(1, 15))),
        ("tested.stub_accepted:none",),
    ),
    "flaky_random": (WRONG["flaky_random"][0], ("reproducible.random",)),
    "flaky_rare": (spoiled("import random; n += random.random() < 0.01"), ("reproducible.random",)),
    "flaky_entropy": (spoiled("import os; n += os.urandom(1)[0] % 2"), ("reproducible.entropy",)),
    "flaky_clock": (WRONG["flaky_clock"][0], ("reproducible.clock",)),
    "flaky_process": (spoiled("import os; n += os.getpid() % 2"), ("reproducible.environment",)),
    "network_access": (
        spoiled("import socket; socket.create_connection(('127.0.0.1', 9), 0.2)"),
        ("executed.error", "executed.forbidden", "reproducible.network"),
    ),
    "subprocess": (
        spoiled("import subprocess; n += len(subprocess.run(['/bin/true']).args)"),
        ("executed.error", "executed.forbidden", "reproducible.process", "tested.exam_failed"),
    ),
    "patched_builtins": (
        NO_ANSWERS.with_code(
            "import builtins\nbuiltins.AssertionError = KeyError\nbuiltins.compile = lambda *a, **k: None\n\n\n"
            "def totient(n):\n    return 1\n"
        ),
        ("tested.exam_failed",),
    ),
    "signal": (spoiled("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"), ("executed.signal",)),
}


def let_through(_concept: Concept, _lesson: Lesson, exam: Exam, _config: VerificationConfig) -> Screening:
    """No static rung; the questions are those that a reader of the checks would have found."""
    questions = tuple(Question(str(number)) for number in range(1, len(exam.checks)))
    return Screening(ExamReading(asserts=len(exam.checks), questions=questions, tautologies=0), None)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=EVERY_BACKEND)
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    async with started(request.param) as one:
        yield one


@pytest.mark.parametrize("kind", WRONG)
async def test_a_faulty_lesson_is_rejected_for_its_own_reason(sandbox: Sandbox, kind: str) -> None:
    faulty, reason = WRONG[kind]
    verifier = Verifier(sandbox, CONFIG)
    verdict = await verifier.verify(faulty.concept, faulty.lesson, faulty.exam)
    await verifier.close()
    assert verdict.kind is not VerdictKind.VERIFIED
    assert verdict.failure is not None
    assert verdict.failure.reason == reason, verdict.failure.artifact
    assert verdict.quality == 0


@pytest.mark.parametrize("kind", UNSCREENED)
async def test_what_static_reading_would_catch_is_caught_by_running_it_too(sandbox: Sandbox, kind: str) -> None:
    faulty, reasons = UNSCREENED[kind]
    verifier = Verifier(sandbox, CONFIG, screening=let_through)
    verdict = await verifier.verify(faulty.concept, faulty.lesson, faulty.exam)
    await verifier.close()
    assert verdict.kind is not VerdictKind.VERIFIED
    assert verdict.failure is not None
    assert verdict.failure.reason in reasons, verdict.failure.artifact


async def test_a_fork_bomb_is_contained_and_rejected(sandbox: Sandbox) -> None:
    if sandbox.backend == "trusted":
        pytest.skip("needs a backend that isolates processes")
    bomb = spoiled("import os\n    while True: os.fork()")
    verifier = Verifier(sandbox, CONFIG, screening=let_through)
    verdict = await verifier.verify(bomb.concept, bomb.lesson, bomb.exam)
    await verifier.close()
    assert verdict.kind is VerdictKind.REFUTED
    assert verdict.failure is not None
    assert verdict.failure.rung == "executed"


async def test_an_address_is_found_out_even_where_no_name_gives_it_away(sandbox: Sandbox) -> None:
    hidden = spoiled("n += int(repr(object())[-10:-7], 16)")
    verifier = Verifier(sandbox, CONFIG)
    verdict = await verifier.verify(hidden.concept, hidden.lesson, hidden.exam)
    await verifier.close()
    assert verdict.kind in {VerdictKind.FLAKY, VerdictKind.REFUTED}  # by the replays, or sooner by the exam


async def test_one_false_claim_beside_right_code_is_kept_as_refuted(sandbox: Sandbox) -> None:
    mixed = TOTIENT.with_claims(
        Claim("phi(9) = 6", "totient(9) == 6"),
        Claim("phi(5) = 4", "totient(5) == 4"),
        Claim("phi(4) = 3", "totient(4) == 3"),
        Claim("It equals itself.", "totient(4) == totient(4)"),
        Claim("It is beautiful."),
        Claim("A misspelt check.", "totient(4) == undefined"),
    )
    verifier = Verifier(sandbox, CONFIG)
    verdict = await verifier.verify(mixed.concept, mixed.lesson, mixed.exam)
    await verifier.close()
    assert verdict.failure is None
    statuses = [one.status for one in verdict.claims]
    assert statuses == ["verified", "verified", "refuted", "unverified", "unverified", "unverified"]
