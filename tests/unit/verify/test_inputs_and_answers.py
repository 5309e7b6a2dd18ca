"""Generated inputs stay in the exam's domain; a teacher's answers are compared as a reader would."""

import ast

import pytest

from ghostd.core.canonical import encode
from ghostd.verify.answers import contradicts
from ghostd.verify.exam import Question
from ghostd.verify.inputs import generate_inputs


def varied(*arguments: str, count: int = 40) -> list[tuple]:
    inputs = generate_inputs([Question(one) for one in arguments], count, b"seed")
    return [ast.literal_eval(f"({one},)") for one in inputs]


def test_integers_stay_within_what_was_asked() -> None:
    inputs = varied("1", "36", "1000")
    assert len(inputs) == 40
    assert all(1 <= n <= 1000 for (n,) in inputs)
    assert sum(n < 100 for (n,) in inputs) > 10  # large values, and the time they cost, do not dominate


def test_every_kind_of_plain_data_is_varied_within_its_type_and_size() -> None:
    inputs = varied("'abc', [1, 2], {'a': 1}, (1, 'x'), 2.5", "'', [], {'b': 3}, (7, 'y'), 0.5")
    assert len(inputs) == 40
    for text, numbers, mapping, record, real in inputs:
        assert set(text) <= set("abc")
        assert len(text) <= 3
        assert all(1 <= one <= 2 for one in numbers)
        assert set(mapping) <= {"a", "b"}
        assert (type(record[0]), type(record[1])) == (int, str)
        assert 0.5 <= real <= 2.5


def test_the_same_seed_gives_the_same_inputs_and_none_repeats_the_exam() -> None:
    questions = [Question("3, 'ab'"), Question("9, 'ba'")]
    inputs = generate_inputs(questions, 40, b"seed")
    assert inputs == generate_inputs(questions, 40, b"seed")
    assert inputs != generate_inputs(questions, 40, b"other")
    assert not set(inputs) & {"3, 'ab'", "9, 'ba'"}
    assert len(set(inputs)) == len(inputs)


@pytest.mark.parametrize("arguments", ["n", "key=3", "list(range(3))", ""])
def test_what_is_no_positional_literal_gives_nothing_to_vary(arguments: str) -> None:
    assert varied(arguments) == []


@pytest.mark.parametrize(
    ("answer", "value", "differs"),
    [
        ("12", 12, False),
        ("12", 13, True),
        ("12", 12.0, False),
        ("12", 12.4, True),
        ("1", True, True),
        ("True", True, False),
        ("True", 1, True),
        ("0.333", 1 / 3, False),
        ("0.3333333333", 1 / 3, False),
        ("0.334", 1 / 3, True),
        ("0.3", 1 / 3, True),
        ("3.0", 3, False),
        ("[1, 2]", (1, 2), False),
        ("[1, 2]", [2, 1], True),
        ("[1, 2]", [1, 2, 3], True),
        ("{'a': 1.5}", {"a": 1.5}, False),
        ("{'a': 1.5}", {"b": 1.5}, True),
        ("'x'", "x", False),
        ("'x'", "y", True),
        ("None", None, False),
        ("None", 0, True),
        ("{1, 2}", {2, 1}, False),
        ("1" + "0" * 30, 10**30, False),
        ("1" + "0" * 30, 10**30 + 1, True),
        ("1.0", 10**400, True),
        ("1e999", float("inf"), False),
        ("twelve", 12, False),  # no literal: it says nothing
        ("", 12, False),
    ],
)
def test_an_answer_contradicts_only_another_value(answer: str, value: object, differs: bool) -> None:
    assert contradicts(answer, encode(value)) is differs
