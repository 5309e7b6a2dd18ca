"""How far a training is, by the records of its clock."""

import pytest

from ghostd.core.training import Pace, TimedStep, TrainingPlan, pace

PLAN = TrainingPlan(steps=100, seconds=1000.0)


def records(*pairs: tuple[int, float]) -> list[TimedStep]:
    return [TimedStep(*pair) for pair in pairs]


@pytest.mark.parametrize(
    ("journal", "expected"),
    [
        (records(), Pace(0, 100, 0.0, None)),
        (records((1, 2.0)), Pace(1, 100, 2.0, None)),
        (records((1, 2.0), (11, 12.0)), Pace(11, 100, 12.0, 89.0)),
        (records((1, 2.0), (2, 4.0), (3, 1.0), (13, 11.0)), Pace(13, 100, 15.0, 87.0)),  # resumed at step 3
        (records((1, 2.0), (2, 4.0), (3, 5.0), (4, 1.0)), Pace(4, 100, 6.0, None)),  # just resumed
        (records((1, 500.0), (2, 990.0)), Pace(2, 100, 990.0, 10.0)),  # the time limit comes before the last step
        (records((99, 5.0), (100, 6.0)), Pace(100, 100, 6.0, 0.0)),
    ],
)
def test_the_pace_of_a_journal(journal: list[TimedStep], expected: Pace) -> None:
    assert pace(journal, PLAN) == expected


def test_the_speed_is_that_of_the_newest_records() -> None:
    slow = [TimedStep(step, 10.0 * step) for step in range(1, 101)]
    fast = [TimedStep(100 + step, 1000.0 + step) for step in range(1, 101)]
    found = pace([*slow, *fast], TrainingPlan(steps=1200, seconds=1e6))
    assert found.left_seconds == pytest.approx(1000.0)
