"""What the trainer's evaluation wrote, as far as ghostd looks at it: `report.json` to a score; it judges nothing."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ghostd.core.promotion import Score
from ghostd.errors import TrainingFailed

ASKED = "lineages"  # the suite of questions whose whole family was never trained on: the `test` split


class _Lenient(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # the report holds much more, for people


class _Share(_Lenient):
    count: int = Field(ge=0)
    of: int = Field(ge=0)


class _Code(_Lenient):
    problems: int = Field(ge=0)
    first: float | None = Field(alias="pass@1")


class _Suite(_Lenient):
    exact_match: _Share
    code: _Code
    bits_per_byte: float | None


class _Candidate(_Lenient):
    name: str
    suites: dict[str, _Suite]
    threshold: float | None


class _Report(_Lenient):
    dataset: str
    candidates: list[_Candidate] = Field(min_length=1)


def read_score(report: Path, exam: str) -> Score:
    """The first candidate's score in the exam with that hash.

    Raises TrainingFailed when the report is not one, is of another exam, or holds no bits per byte.
    """
    try:
        found = _Report.model_validate_json(report.read_bytes())
    except (OSError, ValidationError) as error:
        raise TrainingFailed(f"{report} is no report of `python -m trainer eval` ({error}).") from error
    candidate = found.candidates[0]
    suite = candidate.suites.get(ASKED)
    if found.dataset != exam or suite is None or suite.bits_per_byte is None:
        raise TrainingFailed(f"{report} says nothing of the exam {exam[:12]}; remove it and evaluate again.")
    return Score(
        exam=exam,
        bits_per_byte=suite.bits_per_byte,
        asked=suite.exact_match.of,
        right=suite.exact_match.count,
        problems=suite.code.problems,
        solved=suite.code.first,
        threshold=candidate.threshold,
    )
