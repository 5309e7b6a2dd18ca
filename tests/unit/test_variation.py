"""Variations: which crystals' questions have a form, and which proposals are questions of it."""

import pytest

from ghostd.core.variation import Pair, form_of, varied


def pairs(*asked: tuple[str, str]) -> list[Pair]:
    return [Pair("c" * 64, "domain/parent", question, arguments, "?") for question, arguments in asked]


POWER = pairs(
    ("What is the remainder of 7**3 on division by 5, for n = 12?", "12"),
    ("What is the remainder of 7**3 on division by 5, for n = 40?", "40"),
)
PATHS = pairs(("How many paths lead to (2, 3)?", "2, 3"), ("How many paths lead to (5, 4)?", "5, 4"))


@pytest.mark.parametrize(
    ("known", "parts", "least", "most"),
    [
        (POWER, ("What is the remainder of 7**3 on division by 5, for n = ", "?"), 12, 40),
        (PATHS, ("How many paths lead to (", ", ", ")?"), 2, 5),
        (pairs(("f of -2?", "-2"), ("f of 3?", "3")), ("f of ", "?"), -2, 3),
    ],
)
def test_what_varies_with_the_arguments_is_the_form(
    known: list[Pair], parts: tuple[str, ...], least: int, most: int
) -> None:
    form = form_of(known)
    assert form is not None
    assert (form.parts, form.least, form.most) == (parts, least, most)
    for pair in known:
        found = varied(form, pair.arguments)
        assert found is not None and found.question == pair.question


@pytest.mark.parametrize(
    "known",
    [
        pairs(("How many ways for 3?", "3")),  # one question has no form
        pairs(("How many ways for 3?", "3"), ("In how many ways 4?", "4")),  # other words
        pairs(("What of 3?", "4"), ("What of 5?", "6")),  # the numbers are not the arguments
        pairs(("What of 3?", "3, 1"), ("What of 5?", "5, 1")),  # an argument that is not in the question
        pairs(("What of 3?", "3"), ("What of 3?", "3")),  # nothing varies
        pairs(("What of 'a' 3?", "'a'"), ("What of 'a' 4?", "'a'")),  # no whole numbers
        pairs(("What of 3.5?", "3.5"), ("What of 4.5?", "4.5")),
        pairs(("What of True 1?", "True"), ("What of True 0?", "False")),
    ],
)
def test_other_questions_have_no_form(known: list[Pair]) -> None:
    assert form_of(known) is None


@pytest.mark.parametrize(
    ("numbers", "question"),
    [
        ("3, 3", "How many paths lead to (3, 3)?"),
        (" 50, 0\n", "How many paths lead to (50, 0)?"),
        ("51, 0", None),  # too far from what is known
        ("-1, 0", None),
        ("-0, 0", None),
        ("03, 3", None),
        ("\u0663, 3", None),  # a digit, and no ASCII
        ("3,3", None),
        ("3", None),
        ("3, 3, 3", None),
        ("3, x", None),
        ("3, 3)? And why?", None),
        ("3, 3); import os", None),
        ("9" * 5000 + ", 3", None),
        ("", None),
    ],
)
def test_numbers_make_a_question_of_the_form_or_none(numbers: str, question: str | None) -> None:
    form = form_of(PATHS)
    assert form is not None
    found = varied(form, numbers)
    assert (found.question if found else None) == question
    assert found is None or (found.arguments, found.lineage) == (numbers.strip(), "domain/parent")
