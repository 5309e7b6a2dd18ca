"""Shares, consistency and pass@k against tables made by hand."""

import math

import pytest

from trainer.evaluation.measures import Share, consistency, pass_at, quantile, share


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),  # Wilson 95 %, from Newcombe 1998, Statistics in Medicine 17, table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_wilsons(count: int, of: int, low: float, high: float) -> None:
    assert Share(count, of).interval == pytest.approx((low, high), abs=1e-4)


def test_a_share_of_nothing_says_nothing() -> None:
    assert math.isnan(share([]).value)
    assert share([]).interval == (0.0, 1.0)
    assert share([True, False, True]) == Share(2, 3)


def test_consistency_counts_exercises_in_several_forms_only() -> None:
    found = consistency(
        [
            ("a", "42", True),
            ("a", "42.0", True),  # written differently, both right: they agree
            ("b", "7", False),
            ("b", "7", False),  # the same wrong answer: alike, not right
            ("c", "1", True),
            ("c", "2", False),
            ("d", "8", False),
            ("d", "9", False),
            ("e", "1", True),  # in one form
            ("", "1", True),  # no exercise
            ("", "1", True),
        ]
    )
    assert found.agree == Share(2, 4)
    assert found.all_right == Share(1, 4)


@pytest.mark.parametrize(
    ("k", "counts", "expected"),
    [
        (1, [(10, 3)], 0.3),
        (2, [(4, 2)], 1 - 1 / 6),  # of six pairs, one holds no right sample
        (5, [(10, 10), (10, 0)], 0.5),
        (1, [(2, 1), (4, 4)], 0.75),
    ],
)
def test_pass_at_k_is_the_chance_that_one_of_k_drawn_samples_is_right(
    k: int, counts: list[tuple[int, int]], expected: float
) -> None:
    assert pass_at(k, counts) == pytest.approx(expected)


def test_pass_at_k_needs_k_samples() -> None:
    assert math.isnan(pass_at(5, [(10, 3), (4, 4)]))
    assert math.isnan(pass_at(1, []))


def test_a_quantile_is_one_of_the_values() -> None:
    assert [quantile([4.0, 1.0, 3.0, 2.0], fraction) for fraction in (0.0, 0.5, 0.51, 0.95)] == [1.0, 2.0, 3.0, 4.0]
    assert math.isnan(quantile([], 0.5))
