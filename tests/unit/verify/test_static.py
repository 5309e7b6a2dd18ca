"""The static rung: what is worth running."""

import pytest

from ghostd.core.concept import Concept
from ghostd.core.lesson import Exam
from ghostd.verify.config import VerificationConfig
from ghostd.verify.static import inspect_code, inspect_exam


def concept(signature: str = "def power(base: int, exponent: int = 2) -> int") -> Concept:
    return Concept("algebra", "Powers", "Return base to the exponent.", signature)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def power(base, exponent=2): return base ** exponent", None),
        ("def power(*arguments): return 1", None),
        ("def power(base, exponent=2, modulus=None): return 1", None),
        ("from math import pow as power", "static.entry"),
        ("power = lambda base, exponent=2: base ** exponent", None),
        ("def power(base): return base", "static.arity"),
        ("def power(base, exponent): return base", "static.arity"),
        ("def power(base, exponent=2, *, modulus): return base", "static.arity"),
        ("def other(base, exponent=2): return base", "static.entry"),
        ("class Holder:\n    def power(self): return 1", "static.entry"),
        ("def power(", "static.parse"),
        ("import os\ndef power(base, exponent=2): return 1", "static.import:os"),
        ("import random\ndef power(b, e=2): return random.random()", "static.nondeterminism:random"),
    ],
)
def test_code_is_worth_running_when_it_defines_the_function_and_reaches_for_nothing(code: str, reason) -> None:
    failure = inspect_code(concept(), code)
    assert (failure and failure.reason) == reason


def test_a_concept_without_a_function_cannot_be_verified() -> None:
    failure = inspect_code(concept("power(base)"), "def power(base): return base")
    assert failure is not None
    assert failure.reason == "static.signature"


@pytest.mark.parametrize(
    ("checks", "reason"),
    [
        ([f"assert power({n}) == {n * n}" for n in range(8)], None),
        ([f"assert power({n}) == {n * n}" for n in range(7)], "static.exam_too_few_checks"),
        (["assert power(3) == 9"] * 8, "static.exam_too_few_checks"),
        ([f"assert power({n}) == power({n})" for n in range(8)], "static.exam_tautological"),
        (["assert True"] * 20, "static.exam_tautological"),
        (["try:\n    assert power(2) == 4\nexcept Exception:\n    pass"] * 8, "static.exam_swallows"),
        ([], "static.exam_too_few_checks"),
    ],
)
def test_an_exam_needs_enough_real_and_distinct_checks(checks: list[str], reason: str | None) -> None:
    reading, failure = inspect_exam(concept(), Exam(tuple(checks)), VerificationConfig())
    assert (failure and failure.reason) == reason
    assert (reading is None) is (failure is not None)
