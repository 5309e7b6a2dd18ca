"""What the cycles need from the world: Protocols only, implemented by the adapters, wired in `app`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ghostd.core.concept import Concept, Domain
from ghostd.core.crystal import Crystal, Grade, Stage, Verdict
from ghostd.core.evidence import Evidence, Outcome, Place, Run
from ghostd.core.lesson import Exam, Failure, Lesson

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """A teacher's answer: a value, or the problem that kept it from being one."""

    value: T | None
    problem: str = ""  # refusal, truncated, malformed, empty ...: '' when there is a value
    detail: str = ""  # for people: what was wrong with it
    call_ids: tuple[int, ...] = ()  # rows of the LLM calls behind it


class Teacher(Protocol):
    """The LLM. Raises TeacherUnavailable, TeacherRejected or BudgetExceeded; a bad answer is a Reply."""

    name: str  # model name, as recorded in crystals
    licence: str  # of what it writes

    async def propose_domains(self, seeds: Sequence[str], known: Sequence[str], count: int) -> Reply[tuple[Domain, ...]]: ...

    async def propose_concepts(
        self, domain: Domain, count: int, known_count: int, known_titles: Sequence[str], focus: str
    ) -> Reply[tuple[Concept, ...]]: ...

    async def write_lesson(self, concept: Concept) -> Reply[Lesson]: ...

    async def write_exam(self, concept: Concept) -> Reply[Exam]: ...

    async def repair_lesson(
        self, concept: Concept, lesson: Lesson, failure: Failure, repair_round: int
    ) -> Reply[Lesson]: ...


class Cell(Protocol):
    """One trust unit's place of execution; never used for another unit."""

    place: Place

    async def run(self, runs: Sequence[Run]) -> list[Outcome]:
        """Execute in order; one outcome per run. Raises SandboxUnavailable when the cell dies or the engine does."""
        ...


class Sandbox(Protocol):
    """A warm pool of one-shot cells."""

    backend: str
    image_id: str

    async def start(self) -> None:
        """Reap what an earlier owner left, prove the isolation on a canary cell, fill the pool. Fails closed."""
        ...

    async def stop(self) -> None:
        """Destroy every cell."""
        ...

    def cell(self) -> AbstractAsyncContextManager[Cell]:
        """A fresh cell, destroyed on leaving the context, whatever happened."""
        ...


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a proposed concept was new."""

    concept: Concept
    admitted: bool
    duplicate_of: str = ""  # slug of the known concept
    similarity: float = 0.0  # exact Jaccard


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One try to turn a concept into a crystal, as stored."""

    id: int
    concept: Concept
    teacher: str
    repair_round: int  # 0 for the first try
    parent_id: int | None  # the attempt that this one repairs
    stage: Stage
    verdict: str  # '' while open
    lesson: Lesson | None
    exam: Exam | None


class Store(Protocol):
    """The durable side of a concept's life. Every method is one transaction; finishing methods are fenced:
    they return False, and change nothing, when the attempt was already finished by someone else."""

    async def admit_concepts(self, concepts: Sequence[Concept], reason: str) -> list[Admission]: ...

    async def open_attempt(
        self, concept: Concept, teacher: str, repair_round: int = 0, parent_id: int | None = None
    ) -> AttemptRecord: ...

    async def record_lesson(self, attempt_id: int, lesson: Lesson, exam: Exam) -> bool: ...

    async def reject(self, attempt_id: int, stage: Stage, verdict: str, failure: Failure, evidence: Sequence[Evidence]) -> bool: ...

    async def crystallise(self, attempt_id: int, crystal: Crystal, verdict: Verdict) -> bool: ...

    def crystals(
        self, min_grade: Grade = Grade.TESTED, domain: str = "", include_revoked: bool = False
    ) -> AsyncIterator[Crystal]:
        """All crystals in a fixed order (by id), streamed with bounded memory."""
        ...


class Clock(Protocol):
    """Time, passed in."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...
