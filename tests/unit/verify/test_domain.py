"""What an exam's argument lists have in common is kept by every generated one."""

import ast

import pytest

from ghostd.verify.domain import learn
from ghostd.verify.exam import Question
from ghostd.verify.inputs import generate_inputs, holds_float


def lists(*sources: str) -> list[tuple]:
    return [ast.literal_eval(f"({one},)") for one in sources]


SQUARE = ("[[1]]", "[[1, 2], [3, 4]]", "[[0, 1, 0], [2, 0, 0], [1, 1, 1]]")


@pytest.mark.parametrize(
    ("known", "inside", "outside"),
    [
        (("[1, 2, 3], 2", "[4, 7], 4", "[1, 1, 9], 5"), "[2, 5], 3", "[5, 2], 3"),  # sorted
        (("[1, 2, 3]", "[3, 1]", "[]"), "[5, 4]", "[5, 5]"),  # distinct
        (("[0, 2, 1]", "[1, 0]"), "[2, 0, 1]", "[1, 2, 3]"),  # a permutation
        (SQUARE, "[[5, 6], [7, 8]]", "[[5, 6, 7], [8, 9, 1]]"),
        (
            ("[[1, 2]]", "[[3, 4], [5, 6], [7, 7]]", "[[9, 8], [0, 1]]"),
            "[[1, 1], [2, 3]]",
            "[[1, 1], [2]]",
        ),  # rectangular
        (("[[1, 2], [2, 1]]", "[[0, 5], [5, 3]]"), "[[1, 4], [4, 9]]", "[[1, 4], [5, 9]]"),  # symmetric
        (("[(1, 4), (2, 3)]", "[(0, 9)]"), "[(5, 6)]", "[(6, 5)]"),  # intervals
        (("[[1], [0]]", "[[2, 1], [0], [1]]"), "[[1], [0, 1]]", "[[1], [7]]"),  # a graph's neighbours
        (("5, 2", "9, 9", "4, 0"), "8, 3", "3, 8"),  # k out of n
        (("-3, 5", "5, 5", "1, 2", "0, 4"), "-5, 6", "-6, 5"),  # a fraction of at most one
        (("3, 7", "4, 9", "5, 12"), "5, 8", "6, 8"),  # coprime
        (("[1, 2], [3, 4]", "[5], [6]", "[], []"), "[1, 2, 3], [4, 5, 6]", "[1, 2], [3]"),  # of one length
        (("1, [3, 4]", "0, [5]", "2, [1, 2, 3]"), "1, [7, 8]", "2, [7, 8]"),  # an index
        (("3, [1, 2, 3]", "5, [5, 7]", "2, [9, 2]"), "4, [4]", "4, [5]"),  # an element
        (("[0.5, 0.5]", "[0.2, 0.3, 0.5]"), "[0.1, 0.9]", "[0.1, 0.8]"),  # shares
        (("3", "2", "5", "11"), "7", "9"),  # primes
        (("'abab'", "'ab'", "''", "'ba'", "'aabb'"), "'bbaa'", "'aba'"),  # an even length
    ],
)
def test_a_rule_that_was_never_broken_is_taken_for_part_of_the_domain(known, inside, outside) -> None:
    domain = learn(lists(*known))
    assert all(domain.admits(one) for one in lists(*known))
    assert domain.admits(*lists(inside))
    assert not domain.admits(*lists(outside))


def test_a_rule_that_half_of_all_values_keep_takes_more_than_a_few_witnesses() -> None:
    assert learn(lists("3", "5", "7")).admits([4])
    assert learn(lists("3", "3", "3", "3", "5")).admits([4])  # the same value is one witness
    assert not learn(lists("3", "5", "9", "15")).admits([4])


def test_one_witness_is_no_rule() -> None:
    domain = learn(lists("[1, 2, 3]", "[]", "[5]"))
    assert domain.admits([[3, 1, 2]])


def test_elements_that_cannot_be_ordered_break_no_rule_of_order() -> None:
    assert learn(lists("[1, 'a']", "['b', 2]")).admits([["c", None]])


def generated(*sources: str, count: int = 40) -> list[tuple]:
    inputs = generate_inputs([Question(one) for one in sources], count, b"seed")
    return lists(*inputs)


def test_edge_cases_come_first_and_no_further_than_the_exam_goes() -> None:
    numbers = [n for (n,) in generated("-7", "0", "40", "1000")]
    assert {1, -1, 2, -6, 999} <= set(numbers[:12])
    assert min(numbers) >= -7 and max(numbers) <= 1000
    positive = [n for (n,) in generated("4", "9", "12")]
    assert 0 not in positive and -1 not in positive


def test_empty_repeated_and_foreign_texts_are_tried_where_the_exam_has_such() -> None:
    texts = [text for (text,) in generated("''", "'abc'", "'naïve ☃'")]
    assert any(len(text) > 3 and len(set(text)) == 1 for text in texts)
    assert any("☃" in text for text in texts)
    assert all(text for (text,) in generated("'abc'", "'xy'"))


def test_lists_are_tried_with_duplicates_unless_the_exam_never_has_any() -> None:
    assert any(len(set(one)) < len(one) for (one,) in generated("[1, 2, 2]", "[3, 4]", "[]"))
    assert all(len(set(one)) == len(one) for (one,) in generated("[1, 2, 7]", "[3, 4]", "[9, 1, 5]"))


def test_every_square_matrix_begets_square_ones() -> None:
    matrices = [matrix for (matrix,) in generated(*SQUARE)]
    assert len(matrices) > 10
    assert all(len(row) == len(matrix) for matrix in matrices for row in matrix)


@pytest.mark.parametrize(
    ("source", "found"), [("1, [2, (3, 4.5)]", True), ("{'a': -0.5}", True), ("1, 'a 1.5'", False), ("'1.5'", False)]
)
def test_a_float_is_found_however_deep_it_lies(source: str, found: bool) -> None:
    assert holds_float(source) is found
