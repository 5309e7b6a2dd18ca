"""Near-duplicate texts are found, different facts are kept apart."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostd.core.dedup import (
    THRESHOLD,
    Known,
    concept_sketch,
    concept_text,
    decide_concept,
    decide_lesson,
    jaccard,
    lesson_sketch,
    normalise,
    same_fact,
)
from ghostd.core.dedup_code import functions, parse, same_function_text, tokens
from ghostd.textbook.index import chapters

TITLE = "Euler's totient"
STATEMENT = (
    "Return how many of the integers from 1 to n have no common factor with n other than one; "
    "the function accepts every positive integer and returns an integer."
)
DOUBLE = "def double(n):\n    return 2*n\n"
EXPLANATION = "Doubling a number adds it to itself, so the result is always even and has the same sign as the number."


def repeats(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether the second concept is refused when the first is known, through bands and decision."""
    known, new = concept_text(*one), concept_text(*other)
    near = set(concept_sketch(known).bands) & set(concept_sketch(new).bands)
    return bool(near) and decide_concept(new, [Known("known", known)]).duplicate_of == "known"


@pytest.mark.parametrize(
    ("title", "statement"),
    [
        (TITLE, STATEMENT.replace("accepts", "takes")),
        ("The Euler's totients", STATEMENT),
        ("Phi", STATEMENT),
        ("Phi", STATEMENT.replace("; ", ", ")),
    ],
)
def test_a_rewording_is_refused(title: str, statement: str) -> None:
    assert repeats((TITLE, STATEMENT), (title, statement))
    decision = decide_concept(concept_text(title, statement), [Known("known", concept_text(TITLE, STATEMENT))])
    assert THRESHOLD <= decision.similarity <= 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("modulo 7", "modulo 9"),
        ("key ZINC", "key AMBER"),
        ("at most 82", "exactly 82"),
        ("the vector (1, 2)", "the vector (2, 1)"),
        ("the vector (1, 2)", "the vector (-1, 2)"),
        ("the line 4x + y = 5", "the line x + 4y = 5"),
        ("polynomial 0xff", "polynomial 0xaf"),
        ("Celsius to Fahrenheit", "Fahrenheit to Celsius"),
        ("maximum of 41", "minimum of 41"),
    ],
)
def test_concepts_whose_titles_name_different_parameters_are_two_facts(one: str, other: str) -> None:
    def concept(parameter: str) -> tuple[str, str]:
        return f"The rule for {parameter}", f"Apply {parameter}. {STATEMENT} Ties are broken by the order of the input."

    assert jaccard(concept_text(*concept(one)), concept_text(*concept(other))) >= THRESHOLD  # so alikeness is no proof
    assert not repeats(concept(one), concept(other))
    assert repeats(concept(one), concept(one))


def test_no_concept_of_the_catalogue_is_refused_for_its_siblings() -> None:
    """The families whose concepts differ by words alone; `bench/dedup.py` goes through the whole catalogue."""
    wanted = {"vigenere-ciphers", "knapsacks", "sliding-windows", "crc-checks", "penneys-game", "counted-pairs"}
    chosen = random.Random(5)
    for family in (one for chapter in chapters().values() for one in chapter.families if one.slug in wanted):
        wanted.discard(family.slug)
        entries = [family.build(*one) for one in chosen.sample(list(family.parameters), 40)]
        texts = [concept_text(one.title, one.statement) for one in entries]
        for number, text in enumerate(texts):
            known = [Known(other, other) for other in texts[:number]]
            assert decide_concept(text, known).duplicate_of == "", family.slug
    assert not wanted


def test_an_unrelated_text_is_new_and_its_nearest_similarity_is_reported() -> None:
    known = Known("totient", concept_text(TITLE, STATEMENT))
    decision = decide_concept(concept_text("Caesar cipher", "Shift every letter by 1"), [known])
    assert decision.duplicate_of == ""
    assert decision.similarity < 0.2


@pytest.mark.parametrize(
    "dressed",
    [
        'def double(n):\n    """Twice n."""\n    # doubled\n    return (2 * n)\n',
        "def twice(value: int) -> int:\n    return 2 * value\n",
    ],
)
def test_names_comments_docstrings_annotations_and_layout_do_not_make_another_function(dressed: str) -> None:
    assert same_function_text(DOUBLE) == same_function_text(dressed)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(a):\n    return 2 * a", "def f(a):\n    return 3 * a"),
        ("def f(a, b):\n    return a - b", "def f(a, b):\n    return b - a"),
        ("def f(a):\n    return max(a)", "def f(a):\n    return min(a)"),
        ("def f(a):\n    return a.upper()", "def f(a):\n    return a.lower()"),
        ("import math\ndef f(a):\n    return math.sin(a)", "import math\ndef f(a):\n    return math.cos(a)"),
        ("def f(a):\n    return sorted(a, reverse=True)", "def f(a):\n    return sorted(a, key=True)"),
    ],
)
def test_a_constant_an_operator_or_a_called_name_makes_another_function(one: str, other: str) -> None:
    assert same_function_text(one) != same_function_text(other)


def test_code_that_does_not_parse_is_its_words() -> None:
    assert same_function_text("def  (\n") == "def ("
    assert parse("\0") is None
    assert functions("def (") == []


def test_tokens_of_a_fragment_do_not_depend_on_where_it_stands() -> None:
    body = "total = 0\nfor item in items:\n    total += item * 3\n"
    alone, within = parse(body), parse("def f(a, b, items):\n    seen = a + b\n    " + body.replace("\n", "\n    "))
    assert alone is not None
    assert within is not None
    assert " ".join(tokens(alone)) in " ".join(tokens(within))


@pytest.mark.parametrize(
    ("explanation", "code", "repeated"),
    [
        (EXPLANATION, DOUBLE, True),
        (EXPLANATION.replace("always", "surely"), DOUBLE.replace("(n)", "(x)").replace("*n", "*x"), True),
        (EXPLANATION, DOUBLE.replace("2", "3"), False),
        ("Two equal addends give an even sum.", DOUBLE, False),
    ],
)
def test_a_lesson_is_repeated_when_both_its_code_and_its_explanation_are(
    explanation: str, code: str, repeated: bool
) -> None:
    known, new = lesson_sketch(EXPLANATION, DOUBLE), lesson_sketch(explanation, code)
    codes, explanations = [Known("first", known.code.text)], [Known("first", known.explanation.text)]
    assert bool(decide_lesson(new, codes, explanations).duplicate_of) == repeated
    same_code = known.code.bands == new.code.bands
    proposed = bool(set(known.explanation.bands) & set(new.explanation.bands))
    assert (same_code and proposed) == repeated


def test_code_and_explanation_must_be_those_of_one_crystal() -> None:
    drawn = lesson_sketch(EXPLANATION, DOUBLE)
    codes, explanations = [Known("first", drawn.code.text)], [Known("second", drawn.explanation.text)]
    assert decide_lesson(drawn, codes, explanations).duplicate_of == ""


@given(st.text(max_size=100), st.text(max_size=200))
def test_every_concept_is_its_own_duplicate(title: str, statement: str) -> None:
    text = concept_text(title, statement)
    assert same_fact(text, text)
    assert decide_concept(text, [Known("self", text)]).duplicate_of == "self"


@given(st.text(max_size=80), st.text(max_size=80))
def test_similarity_is_symmetric_and_between_zero_and_one(left: str, right: str) -> None:
    value = jaccard(normalise(left), normalise(right))
    assert value == jaccard(normalise(right), normalise(left))
    assert 0 <= value <= 1


@pytest.mark.parametrize("share", [0.7, 0.8, 0.9])
def test_bands_propose_nearly_all_pairs_above_the_threshold(share: float) -> None:
    found = 0
    for seed in range(60):
        letters = "abcdefghijklmnopqrstuvwxyz"
        draw = random.Random(seed)
        words = ["".join(draw.choices(letters, k=6)) for _ in range(200)]
        keep = int(200 * (2 * share / (1 + share)))  # words kept so that shingle Jaccard is about `share`
        changed = words[:keep] + ["".join(draw.choices(letters, k=6)) for _ in range(200 - keep)]
        found += bool(set(concept_sketch(" ".join(words)).bands) & set(concept_sketch(" ".join(changed)).bands))
    assert found >= 57
