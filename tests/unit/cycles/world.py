"""A small world for the cycles: the store in memory, a scripted teacher and verifier, and verdicts to script."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ghostd.core.crystal import Crystal, Grade, Stage, Verdict, VerdictKind
from ghostd.core.lesson import Failure
from ghostd.core.reverification import Image
from ghostd.cycles.calibration import Calibration
from ghostd.cycles.config import CalibrationConfig, DistillationConfig, ReverificationConfig, TrainingConfig
from ghostd.cycles.distillation import Distillation
from ghostd.cycles.reverification import Reverification
from ghostd.cycles.training import Training
from ghostd.cycles.verification import Verification
from ghostd.ports import AttemptRecord, Reply
from ghostd.testing.calibration import MemoryCalibrations, MemoryPlanter
from ghostd.testing.scripted import MemoryJobs, ScriptedTeacher, ScriptedVerifier, SettableClock
from ghostd.testing.store import MemoryStore
from ghostd.testing.student import MemoryFolders, MemoryStudents, ScriptedTrainer
from tests.crystals import crystal

DAY = 86_400.0
IMAGE = Image("docker", "sha256:1234", "abcd")


def passed(one: Crystal) -> Verdict:
    """The verdict that makes the crystal."""
    return Verdict(VerdictKind.VERIFIED, one.grade, Stage.TESTED, None, (), one.claims, one.exercises, one.quality)


def failed(reason: str, kind: VerdictKind = VerdictKind.REFUTED) -> Verdict:
    """A verdict against a lesson."""
    return Verdict(kind, Grade.EXECUTED, Stage.EXECUTED, Failure(reason.partition(".")[0], reason, "what was seen"), ())


@dataclass
class World:
    """Everything around the cycles; the queue is worked by hand."""

    teacher: ScriptedTeacher = field(default_factory=ScriptedTeacher)
    verifier: ScriptedVerifier = field(default_factory=ScriptedVerifier)
    in_flight: int = 24
    repairs: int = 2
    jobs: MemoryJobs = field(default_factory=MemoryJobs)
    clock: SettableClock = field(default_factory=lambda: SettableClock(2_000_000_000.0))

    def __post_init__(self) -> None:
        self.store = MemoryStore(self.clock)
        self.distillation = Distillation(
            self.teacher,
            self.store,
            self.store,
            self.jobs,
            DistillationConfig(in_flight=self.in_flight, repairs=self.repairs),
        )
        self.verification = Verification(
            self.verifier,
            self.store,
            self.store,
            self.distillation,
            self.clock,
            self.teacher.licence,
        )
        self.reverification = Reverification(
            self.verifier,
            self.store,
            self.store,
            IMAGE,
            self.clock,
            ReverificationConfig(after_days=7, risky_after_days=2, batch=3, run_seconds=60),
        )
        self.planter = MemoryPlanter(self.teacher)
        self.calibrations = MemoryCalibrations()
        self.calibration = Calibration(
            self.verifier, self.planter, self.calibrations, self.store, self.clock, CalibrationConfig()
        )

        students = MemoryStudents()
        self.training = Training(
            students, students, ScriptedTrainer(), MemoryFolders(Path("/nowhere")), self.store, TrainingConfig()
        )

    async def admit(self, numbers: Iterable[int]) -> list[Crystal]:
        """Open concepts, as the crystals that they could become."""
        ones = [crystal(number) for number in numbers]
        await self.store.admit_concepts([one.concept for one in ones], "for the test")
        return ones

    async def answered(self, number: int) -> tuple[Crystal, AttemptRecord]:
        """A concept that is scheduled, with a lesson that waits for its verdict."""
        (one,) = await self.admit([number])
        await self.store.mark(one.concept.slug, "scheduled")
        attempt = await self.store.open_attempt(one.concept, one.teacher)
        await self.store.record_lesson(attempt.id, one.lesson, one.exam)
        return one, await self.store.load_attempt(attempt.id)

    async def crystallised(self, number: int) -> Crystal:
        """A crystal in the store."""
        one, attempt = await self.answered(number)
        await self.store.crystallise(attempt.id, one, passed(one))
        return one

    def state(self, one: Crystal) -> str:
        """What became of its concept."""
        return self.store.known[one.concept.slug].state

    def deferred(self) -> list[tuple[str, str | int]]:
        """The jobs that wait, each with its only argument."""
        return [(job.task, *job.arguments.values()) for job in self.jobs.waiting.values()]


def teacher_of(one: Crystal, **changes: object) -> ScriptedTeacher:
    """A teacher that gives the crystal's lesson and exam, except where told otherwise."""
    script = {"lessons": [Reply(one.lesson)], "exams": [Reply(one.exam)], "repairs": [Reply(one.lesson)]}
    return ScriptedTeacher(**{**script, **changes})
