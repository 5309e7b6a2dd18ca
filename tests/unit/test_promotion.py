"""Who becomes champion: a table of scores and choices."""

import pytest

from ghostd.core.promotion import Promotion, Score, judge

EXAM = "a" * 64


def score(bits: float, right: int = 0, asked: int = 100) -> Score:
    return Score(EXAM, bits, asked, right)


@pytest.mark.parametrize(
    ("challenger", "champion", "promoted", "said"),
    [
        (score(2.0), None, True, "first student"),
        (score(float("nan")), None, False, "nan"),
        (score(float("inf")), score(2.0), False, "inf"),
        (score(1.9), score(2.0), True, "1.9000 bits per byte against 2.0000"),
        (score(2.0), score(2.0), False, "not 0.5% better"),
        (score(1.995), score(2.0), False, "not 0.5% better"),
        (score(2.1, right=90), score(2.0, right=50), True, "more than chance"),
        (score(1.0, right=50), score(2.0, right=90), False, "fewer than chance"),
        (score(1.9, right=49), score(2.0, right=51), True, "49 of 100"),
        (score(2.1, right=52), score(2.0, right=50), False, "not 0.5% better"),
        (score(1.9, asked=0), score(2.0, asked=0), True, "bits per byte"),
    ],
)
def test_the_choice_follows_answers_then_bits(
    challenger: Score, champion: Score | None, promoted: bool, said: str
) -> None:
    found = judge(challenger, champion)
    assert (found.promoted, said in found.reason) == (promoted, True), found


def test_scores_of_different_exams_are_not_compared() -> None:
    with pytest.raises(ValueError, match="different exams"):
        judge(score(1.0), Score("b" * 64, 2.0))


def test_a_student_does_not_beat_itself() -> None:
    assert judge(score(2.0, 40), score(2.0, 40)) == Promotion(
        promoted=False,
        reason="2.0000 bits per byte against 2.0000: not 0.5% better; 40 of 100 answers are right, the champion's 40",
    )
