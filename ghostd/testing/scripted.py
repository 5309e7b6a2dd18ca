"""Ports that do what a test tells them: a clock, a queue, a teacher, a verifier, datasets; they decide nothing."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ghostd.core.concept import Concept, Domain
from ghostd.core.crystal import Crystal, Verdict
from ghostd.core.lesson import Exam, Failure, Lesson, Solution
from ghostd.ports import Reply, Solve

T = TypeVar("T")


class SettableClock:
    """A clock that stands still until it is set."""

    def __init__(self, seconds: float = 1_700_000_000.0) -> None:
        self.seconds = seconds

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.seconds


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """A job as it was deferred."""

    task: str
    arguments: dict[str, str | int]


class MemoryJobs:
    """A queue that nobody works on; `take` empties it."""

    def __init__(self) -> None:
        self.waiting: dict[str, WaitingJob] = {}  # by key, the oldest first

    async def defer(self, task: str, key: str, **arguments: str | int) -> bool:
        """Enqueue; False when a job with the same key waits already."""
        if key in self.waiting:
            return False
        self.waiting[key] = WaitingJob(task, arguments)
        return True

    def take(self) -> list[WaitingJob]:
        """Everything that waits, which then waits no more."""
        taken, self.waiting = list(self.waiting.values()), {}
        return taken


class Script(Generic[T]):
    """Answers in the order they were written; the last one is repeated, an exception is raised."""

    def __init__(self, answers: Iterable[T | Exception]) -> None:
        self._answers = deque(answers)

    def next(self) -> T:
        """The next answer. Raises what the script says, and AssertionError when it says nothing."""
        if not self._answers:
            raise AssertionError("this call was not in the script")
        answer = self._answers.popleft() if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class ScriptedTeacher:
    """A teacher that says what it was told to, and remembers what it was asked."""

    name = "scripted"
    licence = "CC0-1.0"

    def __init__(
        self,
        *,
        domains: Iterable[Reply[tuple[Domain, ...]] | Exception] = (),
        concepts: Iterable[Reply[tuple[Concept, ...]] | Exception] = (),
        lessons: Iterable[Reply[Lesson] | Exception] = (),
        exams: Iterable[Reply[Exam] | Exception] = (),
        repairs: Iterable[Reply[Lesson] | Exception] = (),
        solutions: Iterable[Reply[Solution] | Exception] = (),
    ) -> None:
        self._domains, self._concepts = Script(domains), Script(concepts)
        self._lessons, self._exams, self._repairs = Script(lessons), Script(exams), Script(repairs)
        self._solutions = Script(solutions)
        self.asked: list[tuple[Any, ...]] = []  # the kind of question and its arguments, in order

    async def propose_domains(
        self, seeds: Sequence[str], known: Sequence[str], count: int
    ) -> Reply[tuple[Domain, ...]]:
        """The next of `domains`."""
        self.asked.append(("domains", tuple(seeds), tuple(known), count))
        return self._domains.next()

    async def propose_concepts(
        self, domain: Domain, count: int, known_count: int, known_titles: Sequence[str], focus: str
    ) -> Reply[tuple[Concept, ...]]:
        """The next of `concepts`."""
        self.asked.append(("concepts", domain.slug, count, known_count, tuple(known_titles), focus))
        return self._concepts.next()

    async def write_lesson(self, concept: Concept) -> Reply[Lesson]:
        """The next of `lessons`."""
        self.asked.append(("lesson", concept.slug))
        return self._lessons.next()

    async def write_exam(self, concept: Concept, repair_round: int = 0) -> Reply[Exam]:
        """The next of `exams`."""
        self.asked.append(("exam", concept.slug, repair_round))
        return self._exams.next()

    async def write_solution(self, concept: Concept, asked_before: int = 0) -> Reply[Solution]:
        """The next of `solutions`."""
        self.asked.append(("solution", concept.slug, asked_before))
        return self._solutions.next()

    async def repair_lesson(
        self, concept: Concept, lesson: Lesson, failure: Failure, repair_round: int
    ) -> Reply[Lesson]:
        """The next of `repairs`."""
        self.asked.append(("repair", concept.slug, lesson, failure, repair_round))
        return self._repairs.next()


class ScriptedVerifier:
    """A verifier that decides what it was told to, and remembers what it was shown."""

    def __init__(
        self, verdicts: Iterable[Verdict | Exception] = (), replays: Iterable[Verdict | Exception] = ()
    ) -> None:
        self._verdicts, self._replays = Script(verdicts), Script(replays)
        self.verified: list[str] = []  # slugs of concepts
        self.solve: Solve | None = None  # as handed in last
        self.replayed: list[str] = []  # ids of crystals

    async def verify(
        self,
        concept: Concept,
        lesson: Lesson,  # noqa: ARG002 - the port's signature
        exam: Exam,  # noqa: ARG002 - likewise
        solve: Solve | None = None,
    ) -> Verdict:
        """The next of `verdicts`; the solutions that it would ask for can be asked of `solve`."""
        self.verified.append(concept.slug)
        self.solve = solve
        return self._verdicts.next()

    async def replay(self, crystal: Crystal) -> Verdict:
        """The next of `replays`."""
        self.replayed.append(crystal.id)
        return self._replays.next()


class MemoryDatasets:
    """Versions that are counted and not written."""

    def __init__(self, fresh: int = 0) -> None:
        self.fresh = fresh
        self.kept: list[int] = []  # what each version was told to keep

    async def crystals_since_last(self) -> int:
        """Crystals stored after the newest recorded version."""
        return self.fresh

    async def write_version(self, keep: int) -> dict[str, int]:
        """Count the version; nothing is fresh afterwards."""
        self.kept.append(keep)
        written, self.fresh = self.fresh, 0
        return {"crystals": written}
