"""What counts as a repetition of a benchmark, rule by rule, and what does not."""

import random

import pytest

from ghostd.core.contamination import (
    BOILERPLATE_PASSAGES,
    NGRAM_WORDS,
    Benchmark,
    Match,
    Place,
    Rule,
    looks_like_code,
    winnow,
    words_of,
)

PLACE = Place("questions.jsonl", 3)
LONG = "A farmer sold eleven baskets of ripe plums on Monday and twice as many baskets of green pears on Tuesday."
SHORT = "Which river crosses Vienna and Budapest?"
CODE = """\
def collatz_steps(start):
    \"\"\"How many steps the Collatz rule takes until it reaches the number one for the first time ever.\"\"\"
    steps = 0
    while start != 1:
        start = start // 2 if start % 2 == 0 else 3 * start + 1
        steps += 1
    return steps
"""
DISGUISED = """\
def f(x):
    # count
    k = 0
    while (x != 1):
        x = (x // 2) if x % 2 == 0 else 3*x + 1
        k += 1
    return k"""


def rules(benchmark: Benchmark, prose: str = "", code: str = "") -> set[Rule]:
    return {match.rule for match in benchmark.matches([prose], [code])}


def with_prose(*passages: str) -> Benchmark:
    benchmark = Benchmark()
    for line, text in enumerate(passages, start=1):
        benchmark.add_prose(Place("notes.txt", line), text)
    return benchmark


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (LONG, True),
        (f"Before it, {LONG.upper()} and after it.", True),
        (LONG.replace(" ", "\n").replace(".", " !?"), True),
        (" ".join(LONG.split()[:NGRAM_WORDS]), True),
        (" ".join(LONG.split()[: NGRAM_WORDS - 1]), False),
        (LONG.replace("eleven", "twelve").replace("Monday", "Friday"), False),
    ],
)
def test_thirteen_words_in_a_row_are_a_match(text: str, found: bool) -> None:
    assert rules(with_prose(LONG), text) == ({Rule.NGRAM} if found else set())


@pytest.mark.parametrize(
    ("passage", "text", "found"),
    [
        (SHORT, f"Say: {SHORT} Think.", True),
        (SHORT, "which river crosses vienna and budapest", True),
        (SHORT, "Which river crosses Vienna or Budapest?", False),
        ("Return the value.", "Return the value.", False),
        ("What is it to you?", "What is it to you?", False),
        ("What is 7 times 8?", "What is 7 times 8?", True),
        ("42", "42", False),
    ],
)
def test_a_short_passage_is_a_match_word_for_word_when_it_says_something(passage: str, text: str, found: bool) -> None:
    assert rules(with_prose(passage), text) == ({Rule.SHORT} if found else set())


@pytest.mark.parametrize("passage", [LONG, SHORT])
def test_what_many_passages_share_is_boilerplate_and_what_is_repeated_is_not(passage: str) -> None:
    words = ("red", "blue", "green", "white", "black", "brown", "grey", "pink", "gold", "silver", "cyan")
    assert len(words) > BOILERPLATE_PASSAGES
    assert rules(with_prose(*[passage] * 50), passage)
    assert rules(with_prose(*(f"{LONG} {word}" for word in words[:-1])), LONG) == {Rule.NGRAM}
    assert rules(with_prose(*(f"{LONG} {word}" for word in words)), LONG) == set()


def test_tables_of_numbers_are_no_match() -> None:
    table = " ".join(str(number) for number in range(40))
    assert rules(with_prose(table), table) == set()


@pytest.mark.parametrize(
    ("code", "found"),
    [
        (CODE, {Rule.FUNCTION, Rule.FINGERPRINTS, Rule.NGRAM}),
        (DISGUISED, {Rule.FUNCTION, Rule.FINGERPRINTS}),
        (
            f"import math\n\nclass A:\n    {DISGUISED.replace(chr(10), chr(10) + '    ')}\n",
            {Rule.FUNCTION, Rule.FINGERPRINTS},
        ),
        (DISGUISED.replace("3*x", "5*x"), set()),
        (DISGUISED.replace("x // 2", "x // 3"), set()),
        ("def f(x):\n    return x", set()),
    ],
)
def test_code_is_a_match_up_to_names_and_layout_and_not_with_another_constant(code: str, found: set[Rule]) -> None:
    benchmark = Benchmark()
    benchmark.add_code(PLACE, CODE)
    assert rules(benchmark, code=code) == found
    assert all(match.place == PLACE for match in benchmark.matches([], [code]))


def test_the_body_of_a_function_alone_is_found_within_the_function() -> None:
    benchmark = Benchmark()
    benchmark.add_code(PLACE, "\n".join(CODE.splitlines()[2:]))
    assert rules(benchmark, code=DISGUISED) == {Rule.FINGERPRINTS}


def test_prose_in_code_is_prose_on_either_side() -> None:
    benchmark = with_prose(LONG)
    assert rules(benchmark, code=f'def f():\n    """{LONG}"""\n') == {Rule.NGRAM}
    assert rules(benchmark, code="# " + LONG.replace(" on ", "\n# on ") + "\nx = 1\n") == {Rule.NGRAM}


def test_matches_name_every_place_once_and_in_order() -> None:
    benchmark = with_prose(SHORT, LONG)
    found = benchmark.matches([LONG, SHORT, LONG], [])
    assert found == [Match(Place("notes.txt", 1), Rule.SHORT), Match(Place("notes.txt", 2), Rule.NGRAM)]


def test_words_are_the_same_in_every_spelling_of_their_characters() -> None:
    assert words_of("Ｆｕｌｌ-width, ﬁne; snake_case") == ["full", "width", "fine", "snake", "case"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (CODE, True),
        ("    total = sum(n * n for n in numbers)\n    return total", True),
        (LONG, False),
        ("print", False),
        ("a, b", False),
    ],
)
def test_code_is_told_from_prose(text: str, code: bool) -> None:
    assert looks_like_code(text) is code


def test_winnowing_keeps_one_of_every_window() -> None:
    """The guarantee of Schleimer et al. 2003: of WINDOW neighbouring hashes one is kept, whatever they are."""
    draw = random.Random(3)
    for length in range(1, 60):
        hashes = [draw.getrandbits(64) for _ in range(length)]
        kept = set(winnow(hashes))
        assert all(kept & set(hashes[start : start + 4]) for start in range(max(1, length - 3)))
    assert list(winnow([])) == []
