"""Which differences between a lesson and an independent solution count, as a table."""

import pytest

from ghostd.core.canonical import encode
from ghostd.core.evidence import CallOutcome, ExitClass, Outcome
from ghostd.verify.answers import same_value
from ghostd.verify.corroborate import compare

ONE, TWO = CallOutcome(encode(1)), CallOutcome(encode(2))
RAISED = CallOutcome("", "ValueError: not defined")
NOTHING = CallOutcome()


@pytest.mark.parametrize(
    ("lesson", "solution", "chosen", "agrees"),
    [
        (ONE, ONE, True, True),
        (ONE, ONE, False, True),
        (ONE, TWO, True, False),
        (ONE, TWO, False, False),
        (RAISED, RAISED, True, True),  # the exam asks about it, and both refuse
        (RAISED, RAISED, False, None),  # generated: outside the domain
        (ONE, RAISED, True, False),
        (ONE, RAISED, False, None),
        (RAISED, ONE, True, False),
        (RAISED, ONE, False, None),
        (ONE, NOTHING, True, None),  # out of time
    ],
)
def test_an_exception_decides_only_where_lesson_or_exam_chose_the_arguments(lesson, solution, chosen, agrees) -> None:
    asked = {"7"} if chosen else set()
    (found,) = compare({"7": lesson}, Outcome(ExitClass.OK, (solution,)), asked)
    assert found.agrees is agrees


def test_only_generated_argument_lists_with_floats_are_rough() -> None:
    answers = {"1.5": ONE, "2.5": ONE, "3": ONE}
    found = compare(answers, Outcome(ExitClass.OK, (TWO, TWO, TWO)), {"1.5"})
    assert [one.rough for one in found] == [False, True, False]


def test_calls_that_a_solution_did_not_come_to_decide_nothing() -> None:
    found = compare({"1": ONE, "2": TWO}, Outcome(ExitClass.TIMEOUT, (ONE,)), {"1", "2"})
    assert [one.agrees for one in found] == [True, None]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (0.1 + 0.2, 0.3, True),
        (0.3001, 0.3, False),
        (2, 2.0, True),
        (True, 1, True),
        ([1, 2], (1, 2), True),
        ([1, [0.1 + 0.2]], [1, [0.3]], True),
        ([1, 2], [2, 1], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({1, 2}, frozenset({2, 1}), True),
        (10**30, 10**30 + 1, False),
        (float("nan"), float("nan"), True),
        (float("inf"), float("-inf"), False),
        (complex(1, 2), complex(1, 2 + 1e-12), True),
        ("1", 1, False),
        (None, 0, False),
        (10**400, 1.0, False),
    ],
)
def test_two_values_are_the_same_when_no_exam_would_tell_them_apart(one: object, other: object, same: bool) -> None:
    assert same_value(encode(one), encode(other)) is same
    assert same_value(encode(other), encode(one)) is same
