"""The benchmark of training steps times nothing that learns nothing, or that is not the same twice."""

import math

import pytest

from trainer.bench.step import failure
from trainer.step import Update

GOOD = [Update(5.5, 1.0, 0.1), Update(5.0, 0.9, 0.2)]


@pytest.mark.parametrize(
    ("updates", "again", "why"),
    [
        (GOOD, list(GOOD), ""),
        ([GOOD[0], Update(5.0, math.nan, 0.2)], GOOD, "a loss or a gradient is no number"),
        ([GOOD[0], Update(math.inf, 0.9, 0.2)], GOOD, "a loss or a gradient is no number"),
        (GOOD, [GOOD[0], Update(5.0, 0.9 + 1e-15, 0.2)], "two runs from one seed differ"),
        ([GOOD[0]] * 2, [GOOD[0]] * 2, "the loss does not fall"),
    ],
)
def test_the_gate_says_why_it_stays_shut(updates: list[Update], again: list[Update], why: str) -> None:
    assert failure(updates, again) == why
