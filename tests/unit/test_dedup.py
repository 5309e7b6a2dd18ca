"""Near-duplicate texts are found, different facts are kept apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostd.core.dedup import THRESHOLD, Known, decide, jaccard, normalise, normalise_code, sketch

TOTIENT = (
    "Euler's totient of n. Return how many of the integers from 1 to n have no common factor with n other than one; "
    "the function accepts every positive integer and returns an integer."
)


def test_a_text_with_a_few_words_changed_shares_a_band_and_is_refused() -> None:
    changed = normalise(TOTIENT.replace("accepts", "takes"))
    original = normalise(TOTIENT)
    assert set(sketch(changed).bands) & set(sketch(original).bands)
    decision = decide(changed, [Known("number-theory/totient", original)])
    assert decision.duplicate_of == "number-theory/totient"
    assert THRESHOLD <= decision.similarity < 1


def test_texts_that_differ_only_in_a_number_are_two_facts() -> None:
    seven = normalise("Modular cube. Return the cube of a modulo 7 for every integer a, negative ones included.")
    nine = normalise("Modular cube. Return the cube of a modulo 9 for every integer a, negative ones included.")
    assert decide(nine, [Known("seven", seven)]).duplicate_of == ""
    assert decide(seven, [Known("seven", seven)]).duplicate_of == "seven"


def test_the_order_and_the_signs_of_numbers_are_part_of_the_fact() -> None:
    facts = [
        normalise(f"Projection onto the vector ({x}, {y}). Return the projection of a plane vector onto ({x}, {y}).")
        for x, y in ((1, 2), (2, 1), (-1, 2), (1, -2))
    ]
    for one in facts:
        others = [Known(other, other) for other in facts if other != one]
        assert decide(one, others).duplicate_of == ""


def test_an_unrelated_text_is_new_and_its_nearest_similarity_is_reported() -> None:
    decision = decide(normalise("Caesar cipher with shift 3"), [Known("totient", normalise(TOTIENT))])
    assert decision.duplicate_of == ""
    assert decision.similarity < 0.2


def test_code_is_compared_without_comments_docstrings_and_formatting() -> None:
    plain = "def double(n):\n    return 2*n\n"
    dressed = 'def double(n):\n    """Twice n."""\n    # doubled\n    return (2 * n)\n'
    assert normalise_code(plain) == normalise_code(dressed)
    assert normalise_code(plain) != normalise_code(plain.replace("2", "3"))


def test_code_that_does_not_parse_is_compared_as_text() -> None:
    assert normalise_code("def (") == "def ("


@given(st.text(max_size=200))
def test_every_text_is_its_own_duplicate(text: str) -> None:
    normal = normalise(text)
    assert jaccard(normal, normal) == 1.0
    assert decide(normal, [Known("self", normal)]).duplicate_of == "self"


@given(st.text(max_size=80), st.text(max_size=80))
def test_similarity_is_symmetric_and_between_zero_and_one(left: str, right: str) -> None:
    value = jaccard(normalise(left), normalise(right))
    assert value == jaccard(normalise(right), normalise(left))
    assert 0 <= value <= 1


@pytest.mark.parametrize("share", [0.7, 0.8, 0.9])
def test_bands_propose_nearly_all_pairs_above_the_threshold(share: float) -> None:
    found = 0
    for seed in range(60):
        words = [f"w{seed}x{index}" for index in range(200)]
        keep = int(200 * (2 * share / (1 + share)))  # words kept so that shingle Jaccard is about `share`
        left, right = " ".join(words), " ".join(words[:keep] + [f"z{seed}x{index}" for index in range(200 - keep)])
        found += bool(set(sketch(left).bands) & set(sketch(right).bands))
    assert found >= 57
