"""What the cycles need from the world: Protocols only, implemented by the adapters, wired in `app`."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from ghostd.core.calibration import Alarm, Order, Planted, Tally
from ghostd.core.concept import Concept, Domain
from ghostd.core.crystal import Crystal, Grade, Stage, Verdict
from ghostd.core.evidence import Evidence, Outcome, Place, Run
from ghostd.core.frontier import Candidate, Choice
from ghostd.core.ledger import Tree
from ghostd.core.lesson import Exam, Failure, Lesson, Solution
from ghostd.core.reverification import Due, Judgement, Policy, Revocation, Standing
from ghostd.core.signed import SignedHead

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

    async def propose_domains(
        self, seeds: Sequence[str], known: Sequence[str], count: int
    ) -> Reply[tuple[Domain, ...]]: ...

    async def propose_concepts(
        self, domain: Domain, count: int, known_count: int, known_titles: Sequence[str], focus: str
    ) -> Reply[tuple[Concept, ...]]: ...

    async def write_lesson(self, concept: Concept) -> Reply[Lesson]: ...

    async def write_exam(self, concept: Concept, repair_round: int = 0) -> Reply[Exam]: ...

    async def write_solution(self, concept: Concept, asked_before: int = 0) -> Reply[Solution]:
        """Code from the statement and signature alone; `asked_before` counts the solutions that could not be used."""
        ...

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
    failure: Failure | None = None  # set once rejected


class Store(Protocol):
    """The durable side of a concept's life. Every method is one transaction; finishing methods are fenced:
    they return False, and change nothing, when the attempt was already finished by someone else.
    """

    async def admit_concepts(self, concepts: Sequence[Concept], reason: str) -> list[Admission]: ...

    async def open_attempt(
        self, concept: Concept, teacher: str, repair_round: int = 0, parent_id: int | None = None
    ) -> AttemptRecord:
        """A new attempt, or the unfinished one with the same concept, round and parent."""
        ...

    async def load_attempt(self, attempt_id: int) -> AttemptRecord:
        """Raises NotFound."""
        ...

    async def stranded_attempts(self, older_than_seconds: float) -> list[int]:
        """Attempts with a lesson and no verdict whose last change is that old: their job was lost."""
        ...

    async def record_lesson(self, attempt_id: int, lesson: Lesson, exam: Exam) -> bool: ...

    async def reject(
        self, attempt_id: int, stage: Stage, verdict: str, failure: Failure, evidence: Sequence[Evidence]
    ) -> bool: ...

    async def crystallise(self, attempt_id: int, crystal: Crystal, verdict: Verdict) -> bool: ...

    def crystals(
        self, min_grade: Grade = Grade.TESTED, domain: str = "", include_revoked: bool = False
    ) -> AsyncIterator[Crystal]:
        """All crystals in a fixed order (by id), streamed with bounded memory."""
        ...


@dataclass(frozen=True, slots=True)
class DomainView:
    """A domain and how far it is learnt."""

    domain: Domain
    concepts: int
    open_concepts: int
    crystals: int
    attempts: int  # finished ones
    verified: int


class Agenda(Protocol):
    """What there is to learn: domains, concepts and their states open, scheduled, crystal, failed."""

    async def add_domains(self, domains: Sequence[Domain], reason: str) -> int: ...

    async def domains(self) -> list[DomainView]: ...

    async def frontier(self, limit: int) -> list[Candidate]:
        """Open concepts, oldest first within each domain, at most `limit` in all, domains in turn."""
        ...

    async def schedule(self, choices: Sequence[Choice]) -> list[str]:
        """Move the chosen concepts from open to scheduled and record why; returns the slugs that moved."""
        ...

    async def concept(self, slug: str) -> Concept: ...

    async def mark(self, slug: str, state: str) -> None: ...

    async def reopen_stalled(self, older_than_seconds: float) -> int:
        """Scheduled concepts without an unfinished attempt, unchanged for that long, become open again."""
        ...

    async def in_flight(self) -> int:
        """Concepts that are scheduled and not yet crystal or failed."""
        ...

    async def known_titles(self, domain: str, limit: int) -> list[str]:
        """The titles learnt of most recently."""
        ...

    async def missing_prerequisites(self, domain: str, limit: int) -> list[str]:
        """Titles that concepts of the domain build on and that no concept or parent bears."""
        ...


class Journal(Protocol):
    """What the cycles did and why."""

    async def start_run(self, cycle: str, reason: str) -> int: ...

    async def finish_run(self, run_id: int, status: str, counts: dict[str, int], reason: str) -> None: ...

    async def record_decision(
        self, cycle: str, kind: str, subject: str, choice: str, reason: dict[str, Any]
    ) -> None: ...


class Archive(Protocol):
    """The crystals that exist, and what became of them."""

    async def get(self, crystal_id: str) -> Crystal:
        """By id or unique prefix; raises NotFound."""
        ...

    async def standings(self, policy: Policy, pool: int) -> list[Standing]:
        """Believed crystals that may be due, for each possible reason at most `pool`, the longest unchecked first."""
        ...

    async def record_reverification(
        self, crystal_id: str, verdict: Verdict, judgement: Judgement | None = None, due: Due | None = None
    ) -> tuple[str, ...]:
        """Keep what a replay said and what follows from it, in one transaction; the ids that were revoked for it."""
        ...

    async def postpone(self, crystal_ids: Sequence[str]) -> None:
        """Note that replays of these crystals broke their cells while others did not."""
        ...

    async def revoke(self, crystal_id: str, reason: str, revoked_by: str = "") -> tuple[str, ...]:
        """Withdraw the crystal and everything made of it; the ids that this call withdrew. Raises NotFound."""
        ...

    async def revocation(self, crystal_id: str) -> Revocation | None: ...


class Datasets(Protocol):
    """Versions of the exported dataset."""

    async def crystals_since_last(self) -> int:
        """Crystals stored after the newest recorded version."""
        ...

    async def write_version(self, keep: int) -> dict[str, int]:
        """Write and record a version, drop all but the newest `keep` from disk. Raises ExportError."""
        ...


Teachers = tuple[Teacher, Teacher]  # of the lessons and exams, and of the independent solutions
Solve = Callable[[int], Awaitable[Solution | None]]
"""An independent solution of one concept, or None when there is none; the argument counts those asked for before."""


class SignedLog(Protocol):
    """The append-only log and the key that vouches for it."""

    async def leaf_indices(self, crystal_ids: Sequence[str]) -> dict[str, int]:
        """Where each crystal's leaf stands; one without a leaf is left out."""
        ...

    async def signed_head(self) -> tuple[SignedHead, Tree]:
        """The head over all leaves, and their tree. Raises LedgerAltered rather than sign another history."""
        ...

    async def sign(self, statement: str) -> bytes:
        """The signature of the key that signed the newest head."""
        ...


class Verifier(Protocol):
    """The ladder. Raises SandboxUnavailable; everything else is a verdict."""

    async def verify(self, concept: Concept, lesson: Lesson, exam: Exam, solve: Solve | None = None) -> Verdict:
        """Climb. `solve` is asked only when all below `corroborated` was climbed; what it raises is raised here."""
        ...

    async def replay(self, crystal: Crystal) -> Verdict:
        """Run a crystal's exercises, exam and claims again and compare with what it recorded."""
        ...


class Planter(Protocol):
    """Items of known truth and, for each kind, who teaches it."""

    def plant(self, order: Order) -> list[Planted]: ...

    def teachers(self, kinds: Sequence[str], seed: int) -> AbstractAsyncContextManager[Mapping[str, Teachers]]: ...


class Calibrations(Protocol):
    """What calibration found, and its alarm: at most one is open, and what was found before it counts no more."""

    async def calibration_due(self, every_seconds: float, first_after_seconds: float) -> bool: ...

    async def record_calibration(self, run_id: int, tallies: Sequence[Tally]) -> None: ...

    async def calibration_window(self, window_seconds: float) -> tuple[Tally, ...]: ...

    async def calibration_alarm(self) -> Alarm | None: ...

    async def raise_calibration_alarm(self, reason: str) -> bool: ...

    async def clear_calibration_alarm(self, cleared_by: str) -> bool: ...


class Jobs(Protocol):
    """The durable queue."""

    async def defer(self, task: str, key: str, **arguments: str | int) -> bool:
        """Enqueue; False when a job with the same key waits already."""
        ...


class Clock(Protocol):
    """Time, passed in."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...
