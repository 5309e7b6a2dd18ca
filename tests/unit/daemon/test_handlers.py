"""The handlers: what follows a job, what a sweep picks up, and what giving up closes."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from ghostd.core.concept import Domain
from ghostd.core.crystal import Stage
from ghostd.core.evidence import CallOutcome, ExitClass, Outcome, Place, Run
from ghostd.cycles.config import CuriosityConfig, VersionsConfig
from ghostd.cycles.curiosity import Curiosity
from ghostd.cycles.export import Export
from ghostd.daemon.config import DaemonConfig
from ghostd.daemon.handlers import Handlers
from ghostd.daemon.queue import GiveUp, Task
from ghostd.errors import NotFound, SandboxUnavailable, TeacherUnavailable
from ghostd.ports import Cell, Reply
from ghostd.testing.scripted import MemoryDatasets, MemoryJobs, Script, ScriptedTeacher, ScriptedVerifier
from tests.crystals import crystal
from tests.unit.cycles.world import World, failed, passed, teacher_of

DOWN = SandboxUnavailable("the cell died")
FINE = Outcome(ExitClass.OK, calls=(CallOutcome('{"int":1}'),))


class HandQueue(MemoryJobs):
    """A queue whose jobs are done by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: Mapping[str, Task] = {}
        self.give_up: GiveUp | None = None
        self.reaped: list[float] = []
        self.widths: Mapping[str, int] = {}

    def register(self, tasks: Mapping[str, Task], give_up: GiveUp) -> None:
        self.tasks, self.give_up = tasks, give_up

    def start_workers(self, concurrency: Mapping[str, int]) -> None:
        self.widths = concurrency

    async def reap(self, silent_seconds: float) -> int:
        self.reaped.append(silent_seconds)
        return 0

    async def work(self) -> None:
        """Do what waits, once."""
        for job in self.take():
            await self.tasks[job.task].handler(**job.arguments)


class ScriptedSandbox:
    """A sandbox whose cells answer every batch with the next outcome."""

    backend, image_id = "scripted", "sha256:0"

    def __init__(self, outcomes: Iterable[Outcome | Exception]) -> None:
        self._script = Script(outcomes)
        self.runs: list[Run] = []
        self.place = Place("scripted", "sha256:0", "0", "cell")

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""

    @asynccontextmanager
    async def cell(self) -> AsyncIterator[Cell]:
        yield self

    async def run(self, runs: Sequence[Run]) -> list[Outcome]:
        self.runs += runs
        return [self._script.next() for _ in runs]


@dataclass
class Daemonic(World):
    """The world with its handlers registered."""

    jobs: HandQueue = field(default_factory=HandQueue)
    sandbox: ScriptedSandbox = field(default_factory=lambda: ScriptedSandbox([FINE]))

    def __post_init__(self) -> None:
        super().__post_init__()
        self.queue = self.jobs
        self.handlers = Handlers(
            Curiosity(self.teacher, self.store, self.store, self.store, CuriosityConfig(domains=1)),
            self.distillation,
            self.verification,
            self.reverification,
            Export(MemoryDatasets(), self.store, VersionsConfig()),
            self.calibration,
            self.training,
            self.store,
            self.store,
            self.sandbox,
            self.queue,
            DaemonConfig(teacher_workers=3, sandbox_workers=2),
        )
        self.handlers.register()

    async def give_up(self, task: str, error: Exception, **arguments: str | int) -> bool:
        assert self.queue.give_up is not None
        return await self.queue.give_up(task, arguments, error)


async def test_a_concept_goes_through_every_job_to_its_crystal() -> None:
    one = crystal(0)
    world = Daemonic(
        teacher_of(one, domains=[Reply(())], concepts=[Reply((one.concept,)), Reply(())]),
        ScriptedVerifier([failed("executed.error"), passed(one)]),
    )
    await world.store.add_domains([Domain(one.concept.domain, "A domain")], "seeds")
    await world.queue.defer("explore", "explore")
    seen = []
    for _ in range(6):
        seen.append(sorted(job.task for job in world.queue.waiting.values()))
        await world.queue.work()
    assert seen[:5] == [["explore"], ["choose"], ["distil"], ["verify"], ["repair"]]
    assert world.state(one) == "crystal"
    assert await world.store.crystal_count() == 1


async def test_every_queue_that_a_task_waits_in_has_a_worker() -> None:
    world = Daemonic()
    world.handlers.start_workers()
    assert {task.queue for task in world.queue.tasks.values()} == set(world.queue.widths)
    assert (world.queue.widths["teacher"], world.queue.widths["sandbox"]) == (3, 2)


async def test_a_sweep_picks_up_lessons_without_a_job_and_concepts_without_an_attempt() -> None:
    world = Daemonic()
    _, attempt = await world.answered(0)
    (lonely,) = await world.admit([1])
    await world.store.mark(lonely.concept.slug, "scheduled")
    await world.handlers.sweep()
    assert world.deferred() == []
    assert world.state(lonely) == "scheduled"
    world.clock.seconds += 80
    await world.handlers.sweep()
    assert world.deferred() == [("verify", attempt.id)]
    assert world.state(lonely) == "open"
    assert world.queue.reaped == [45.0, 45.0]


async def test_a_lone_daemon_recovers_everything_at_once() -> None:
    world = Daemonic()
    _, attempt = await world.answered(0)
    await world.handlers.recover()
    assert world.queue.reaped == [0.0]
    assert world.deferred() == [("verify", attempt.id)]


@pytest.mark.parametrize("error", [ValueError("a defect"), KeyError("another")])
async def test_a_defect_closes_the_attempt_and_the_concept(error: Exception) -> None:
    world = Daemonic()
    one, attempt = await world.answered(0)
    assert await world.give_up("verify", error, attempt_id=attempt.id)
    kept = world.store.attempts[attempt.id]
    assert (kept.stage, kept.verdict) == (Stage.PARSED, "inconclusive")
    assert kept.failure is not None and kept.failure.reason == f"internal.{type(error).__name__}"
    assert world.state(one) == "failed"


async def test_a_defect_while_distilling_leaves_no_attempt_open() -> None:
    world = Daemonic(ScriptedTeacher(lessons=[ValueError("a defect")], exams=[ValueError("a defect")]))
    (one,) = await world.admit([0])
    await world.store.mark(one.concept.slug, "scheduled")
    with pytest.raises(ValueError, match="a defect"):
        await world.distillation.distil(one.concept.slug)
    assert await world.give_up("distil", ValueError("a defect"), slug=one.concept.slug)
    assert [attempt.verdict for attempt in world.store.attempts.values()] == ["inconclusive"]
    assert world.state(one) == "failed"
    assert await world.store.in_flight() == 0


async def test_a_defect_while_repairing_gives_the_place_in_flight_back() -> None:
    world = Daemonic(ScriptedTeacher(repairs=[ValueError("a defect")]), ScriptedVerifier([failed("executed.error")]))
    one, attempt = await world.answered(0)
    await world.verification.verify(attempt)
    with pytest.raises(ValueError, match="a defect"):
        await world.queue.work()
    assert await world.give_up("repair", ValueError("a defect"), attempt_id=attempt.id)
    assert [kept.verdict for kept in world.store.attempts.values()] == ["refuted", "inconclusive"]
    assert world.state(one) == "failed"


async def test_giving_up_on_what_has_ended_changes_nothing() -> None:
    world = Daemonic()
    one = await world.crystallised(0)
    assert await world.give_up("verify", ValueError("a defect"), attempt_id=1)
    assert world.state(one) == "crystal"


async def test_a_lesson_that_breaks_every_cell_is_closed_when_a_harmless_run_succeeds() -> None:
    world = Daemonic()
    one, attempt = await world.answered(0)
    assert await world.give_up("verify", DOWN, attempt_id=attempt.id)
    assert len(world.sandbox.runs) == 1
    failure = world.store.attempts[attempt.id].failure
    assert failure is not None and failure.reason == "internal.SandboxUnavailable"
    assert world.state(one) == "failed"


@pytest.mark.parametrize("canary", [DOWN, Outcome(ExitClass.TIMEOUT)])
async def test_a_sandbox_that_fails_harmless_code_too_is_waited_for(canary: Outcome | Exception) -> None:
    world = Daemonic(sandbox=ScriptedSandbox([canary]))
    one, attempt = await world.answered(0)
    assert not await world.give_up("verify", DOWN, attempt_id=attempt.id)
    assert world.store.attempts[attempt.id].verdict == ""
    assert world.state(one) == "scheduled"


@pytest.mark.parametrize("task", ["distil", "repair", "explore", "verify"])
async def test_a_teacher_that_is_away_is_waited_for(task: str) -> None:
    world = Daemonic()
    assert not await world.give_up(task, TeacherUnavailable())
    assert world.sandbox.runs == []


async def test_a_job_about_something_that_is_not_there_ends() -> None:
    assert await Daemonic().give_up("verify", NotFound("there is no attempt 7"), attempt_id=7)


async def test_a_defect_in_housekeeping_ends_its_job_and_nothing_else() -> None:
    world = Daemonic()
    assert await world.give_up("choose", ValueError("a defect"))
    assert world.store.attempts == {}
