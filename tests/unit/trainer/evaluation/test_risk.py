"""Risk, thresholds and calibration against tables made by hand."""

import math
import random

import pytest

from trainer.evaluation.risk import (
    Abstention,
    Judged,
    Point,
    abstain,
    area,
    calibrated,
    calibration_error,
    risk_at,
    risk_coverage,
    threshold,
)

FIVE: list[Judged] = [(0.9, True), (0.8, True), (0.7, False), (0.6, True), (0.5, False)]


def test_the_curve_goes_from_the_surest_answer_to_all() -> None:
    expected = [(0.2, 0.0), (0.4, 0.0), (0.6, 1 / 3), (0.8, 0.25), (1.0, 0.4)]
    shuffled = random.Random(0).sample(FIVE, len(FIVE))
    assert risk_coverage(shuffled) == [Point(pytest.approx(c), pytest.approx(r)) for c, r in expected]


@pytest.mark.parametrize(("coverage", "risk"), [(0.4, 0.0), (0.6, 1 / 3), (0.8, 0.25), (1.0, 0.4)])
def test_the_risk_at_a_coverage_is_that_of_the_surest(coverage: float, risk: float) -> None:
    assert risk_at(coverage, FIVE) == pytest.approx(risk)


def test_ties_are_taken_as_they_come_on_average() -> None:
    """Ten equally sure answers, three wrong: whichever are left out, three of ten are expected to be wrong."""
    tied: list[Judged] = [(0.5, number >= 3) for number in range(10)]
    assert risk_coverage(tied) == [Point(1.0, 0.3)]
    assert risk_at(0.8, tied) == pytest.approx(0.3)
    assert area(tied) == pytest.approx(0.3)


def test_skill_lowers_the_area_and_the_opposite_raises_it() -> None:
    skilled: list[Judged] = [(number / 10, number >= 3) for number in range(10)]
    opposite = [(-confidence, right) for confidence, right in skilled]
    assert area(skilled) < 0.3 < area(opposite)
    assert math.isnan(area([])) and math.isnan(risk_at(0.8, []))


@pytest.mark.parametrize(
    ("most_risk", "expected"), [(0.0, 0.8), (0.24, 0.8), (0.25, 0.6), (0.34, 0.6), (0.4, 0.5), (1.0, 0.5)]
)
def test_the_threshold_is_the_lowest_that_keeps_the_risk(most_risk: float, expected: float) -> None:
    assert threshold(FIVE, most_risk) == expected


def test_who_is_never_right_is_told_never_to_answer() -> None:
    limit = threshold([(0.9, False), (0.1, False)], 0.05)
    assert limit == math.inf
    assert abstain([(0.99, True)], limit) == Abstention(math.inf, 1, 0, 0)


def test_a_threshold_leaves_answers_at_or_above_it() -> None:
    assert abstain(FIVE, 0.6) == Abstention(0.6, abstained=1, hallucinated=1, right=3)


def test_violators_are_pooled_into_a_rising_function() -> None:
    """By hand: 0.2 is wrong; 0.4 right and 0.6 wrong pool to a half; 0.8 and 0.9 are right."""
    fitted = calibrated([(0.2, False), (0.4, True), (0.6, False), (0.8, True), (0.9, True)])
    assert [fitted(confidence) for confidence in (-5.0, 0.2, 0.4, 0.5, 0.7, 0.8, 99.0)] == [0, 0, 0.5, 0.5, 0.5, 1, 1]
    with pytest.raises(ValueError, match="nothing"):
        calibrated([])


def test_the_calibration_error_weighs_each_bin_by_what_is_in_it() -> None:
    """Four answers at 0.95 with three right, four at 0.15 with none: (|3.8 - 3| + |0.6 - 0|) / 8."""
    judged: list[Judged] = [(0.95, number > 0) for number in range(4)] + [(0.15, False)] * 4
    assert calibration_error(judged) == pytest.approx(1.4 / 8)
    assert calibration_error([(1.0, True), (0.0, False)]) == 0
    assert math.isnan(calibration_error([]))


def test_fitting_mends_an_overconfident_model() -> None:
    source = random.Random(1)
    drawn = [source.random() for _ in range(4000)]
    judged: list[Judged] = [(belief, source.random() < belief**2) for belief in drawn]
    fitted = calibrated(judged[:2000])
    before = calibration_error(judged[2000:])
    after = calibration_error([(fitted(belief), right) for belief, right in judged[2000:]])
    assert before > 0.12 and after < 0.05
