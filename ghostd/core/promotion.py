"""Whether a new student takes the champion's place: a pure choice over the scores of one exam, with its reason."""

import math
from dataclasses import dataclass

from ghostd.core.calibration import wilson

MARGIN = 0.005  # share of the champion's bits per byte that a challenger has to save; less is chance


@dataclass(frozen=True, slots=True)
class Score:
    """What a student reached in the exam."""

    exam: str  # SHA-256 of the exam, hex: scores of different exams are not compared
    bits_per_byte: float  # over all answers of the exam
    asked: int = 0  # rows with an answer that can be compared
    right: int = 0  # of them
    problems: int = 0  # that ask for code which was executed
    solved: float | None = None  # share of them at the first try (pass@1); None when nobody executed code
    threshold: float | None = None  # confidence from which on an answer is given; None: none was found that is worth it


@dataclass(frozen=True, slots=True)
class Promotion:
    """The choice and why, as one sentence."""

    promoted: bool
    reason: str


def judge(challenger: Score, champion: Score | None) -> Promotion:
    """Right answers decide where they differ by more than chance (Wilson's 95 % intervals are apart); else bits do.

    Raises ValueError when the scores are of different exams.
    """
    if not math.isfinite(challenger.bits_per_byte):
        return Promotion(promoted=False, reason=f"its bits per byte are {challenger.bits_per_byte}")
    if champion is None:
        return Promotion(promoted=True, reason="it is the first student")
    if challenger.exam != champion.exam:
        raise ValueError("scores of different exams cannot be compared")
    mine, theirs = wilson(challenger.right, challenger.asked), wilson(champion.right, champion.asked)
    answers = f"{challenger.right} of {challenger.asked} answers are right, the champion's {champion.right}"
    if mine.low > theirs.high:
        return Promotion(promoted=True, reason=f"{answers}: more than chance explains")
    if mine.high < theirs.low:
        return Promotion(promoted=False, reason=f"{answers}: fewer than chance explains")
    bits = f"{challenger.bits_per_byte:.4f} bits per byte against {champion.bits_per_byte:.4f}"
    if challenger.bits_per_byte <= champion.bits_per_byte * (1 - MARGIN):
        return Promotion(promoted=True, reason=f"{bits}; {answers}")
    return Promotion(promoted=False, reason=f"{bits}: not {MARGIN:.1%} better; {answers}")
