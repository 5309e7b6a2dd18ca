"""A crystal: a concept that survived verification, content-addressed, with all that proves it."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from ghostd.core.concept import Concept
from ghostd.core.evidence import Evidence
from ghostd.core.lesson import Claim, Exam, Failure, Lesson, Solution


class Grade(IntEnum):
    """How deep a crystal was checked; each grade includes those below it."""

    NONE = 0
    EXECUTED = 1
    REPRODUCIBLE = 2
    TESTED = 3
    CORROBORATED = 4
    AUDITED = 5

    @property
    def label(self) -> str:
        """The word used on the command line and in exports."""
        return self.name.lower()


class VerdictKind(StrEnum):
    """What the ladder decided about a lesson. An outage is an exception, never a verdict."""

    VERIFIED = "verified"
    REFUTED = "refuted"
    FLAKY = "flaky"
    INCONCLUSIVE = "inconclusive"


class Stage(StrEnum):
    """How far an attempt came; the yield waterfall counts these in order."""

    ASKED = "asked"
    PARSED = "parsed"
    EXECUTED = "executed"
    REPRODUCIBLE = "reproducible"
    TESTED = "tested"
    NOVEL = "novel"
    STORED = "stored"


@dataclass(frozen=True, slots=True)
class CheckedClaim:
    """A claim and what execution said of it."""

    claim: Claim
    status: str  # verified, refuted or unverified
    result: str = ""  # canonical value or message


@dataclass(frozen=True, slots=True)
class SolvedExercise:
    """An exercise with the answer that execution gave."""

    question: str
    arguments: str
    value: str  # canonical JSON, exact tier


@dataclass(frozen=True, slots=True)
class Corroboration:
    """An independent solution that the lesson's code was compared with."""

    solution: Solution
    agreed: int  # argument lists on which both gave the same value
    compared: int  # on which both gave a value


@dataclass(frozen=True, slots=True)
class Verdict:
    """The ladder's decision over the evidence of one attempt."""

    kind: VerdictKind
    grade: Grade
    reached: Stage  # the last waterfall stage that was passed
    failure: Failure | None  # None when verified
    evidence: tuple[Evidence, ...]
    claims: tuple[CheckedClaim, ...] = ()
    exercises: tuple[SolvedExercise, ...] = ()
    quality: float = 0.0  # 0..1, see core.quality
    mutants_killed: int = 0
    mutants_total: int = 0  # non-equivalent ones
    properties: tuple[CheckedClaim, ...] = ()  # the exam's laws, as text and check alike
    corroboration: Corroboration | None = None  # None when no solution was compared


@dataclass(frozen=True, slots=True)
class Crystal:
    """Concept, explanation, code, results and their hash."""

    id: str  # sha256 over the content: what is known, not where it was run
    verification_hash: str  # sha256 over content, exam, run keys, result hashes and grade
    concept: Concept
    lesson: Lesson
    exam: Exam
    grade: Grade
    quality: float
    claims: tuple[CheckedClaim, ...]
    exercises: tuple[SolvedExercise, ...]
    teacher: str  # model name at its endpoint
    teacher_licence: str = ""  # as the settings name it; exports repeat it
    created_at: float = 0.0  # seconds since the epoch; not part of the two hashes above
    properties: tuple[CheckedClaim, ...] = ()  # the exam's laws and what execution said of them
    corroboration: Corroboration | None = None  # None below the grade `corroborated`

    def log_context(self) -> dict[str, str]:
        """The fields that identify the crystal in a log line."""
        return {"crystal": self.id[:12], "concept": self.concept.slug, "grade": self.grade.label}
