"""Whether the student's answer is given, and on what grounds: a pure choice; none is better than an invented one."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

NEAR = 0.5  # share of a question's words that a crystal has to contain to have anything to do with it


@dataclass(frozen=True, slots=True)
class Source:
    """A crystal and what it has to do with the question."""

    crystal_id: str
    concept: str  # slug
    title: str
    coverage: float  # share of the question's words that it contains, weighed by their rarity, 0..1


@dataclass(frozen=True, slots=True)
class Said:
    """What the student said."""

    text: str
    confidence: float | None  # mean log-probability of its bytes in nats; None: it was not told


class Ground(StrEnum):
    """Why an answer is given, or withheld."""

    ANSWERED = "answered"
    NOTHING_NEAR = "nothing_near"  # no crystal is about it, so nobody could check the answer
    UNSURE = "unsure"  # below the confidence at which its answers in the exam were right
    UNCALIBRATED = "uncalibrated"  # in its exam there was no such confidence
    EMPTY = "empty"


def nearest(sources: Sequence[Source]) -> tuple[Source, ...]:
    """The sources that are near enough, the nearest first."""
    return tuple(sorted((one for one in sources if one.coverage >= NEAR), key=lambda one: -one.coverage))


def decide(said: Said, threshold: float | None, sources: Sequence[Source]) -> Ground:
    """Whether to give the answer. `threshold` is the one that was fitted in the student's exam; None: none was."""
    if not nearest(sources):
        return Ground.NOTHING_NEAR
    if not said.text.strip():
        return Ground.EMPTY
    if threshold is None:
        return Ground.UNCALIBRATED
    if said.confidence is None or said.confidence < threshold:
        return Ground.UNSURE
    return Ground.ANSWERED
