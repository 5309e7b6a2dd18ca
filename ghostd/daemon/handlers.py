"""What each kind of job does: one call into a cycle, and the follow-up jobs that keep things moving."""

from collections.abc import Mapping
from dataclasses import dataclass

from ghostd.core.evidence import Run
from ghostd.core.lesson import Failure
from ghostd.cycles.calibration import Calibration
from ghostd.cycles.curiosity import Curiosity
from ghostd.cycles.distillation import Distillation
from ghostd.cycles.export import Export
from ghostd.cycles.reverification import Reverification
from ghostd.cycles.training import Training
from ghostd.cycles.verification import Verification
from ghostd.daemon.config import DaemonConfig
from ghostd.daemon.queue import Queue, Task
from ghostd.errors import GhostdError, NotFound, SandboxUnavailable
from ghostd.ports import Agenda, AttemptRecord, Sandbox, Store

_HARMLESS = Run("def one():\n    return 1\n", "one", calls=("",))
_STRANDED_SECONDS = 30.0  # a lesson whose job was lost is picked up again after this


@dataclass(frozen=True, slots=True)
class Handlers:
    """Binds the cycles to the queue."""

    curiosity: Curiosity
    distillation: Distillation
    verification: Verification
    reverification: Reverification
    export: Export
    calibration: Calibration
    training: Training
    store: Store
    agenda: Agenda
    sandbox: Sandbox
    queue: Queue
    config: DaemonConfig

    def register(self) -> None:
        """Make every kind of job known to the queue."""
        self.queue.register(
            {
                "explore": Task(self._explore, "housekeeping"),
                "choose": Task(self.distillation.choose, "housekeeping"),
                "reverify": Task(self.reverification.reverify, "reverification"),
                "export": Task(self.export.export_if_due, "export"),
                "calibrate": Task(self.calibration.calibrate_if_due, "calibration"),
                "train": Task(self.training.train_if_due, "training"),
                "sweep": Task(self.sweep, "housekeeping"),
                "distil": Task(self.distillation.distil, "teacher"),
                "repair": Task(self._repair, "teacher"),
                "verify": Task(self._verify, "sandbox"),
            },
            self._give_up,
        )

    def start_workers(self) -> None:
        """One worker per queue, as wide as what stands behind it."""
        self.queue.start_workers(
            {
                "teacher": self.config.teacher_workers,
                "sandbox": self.config.sandbox_workers,
                "reverification": 1,
                "export": 1,
                "calibration": 1,
                "training": 1,
                "housekeeping": 2,
            }
        )

    def interrupt(self) -> None:
        """End what takes longer than any drain would wait for; it was saved, and is resumed."""
        self.training.trainer.interrupt()

    async def sweep(self) -> None:
        """Pick up what a crash left: jobs of silent workers, lessons without a job, concepts without an attempt."""
        await self.queue.reap(self.config.stalled_seconds)
        await self._pick_up(_STRANDED_SECONDS)
        await self.agenda.reopen_stalled(self.config.stalled_seconds + _STRANDED_SECONDS)

    async def recover(self) -> None:
        """As `sweep`, at the start of a daemon that knows itself to be the only one on its database."""
        await self.queue.reap(0.0)
        await self._pick_up(0.0)

    async def _pick_up(self, older_than_seconds: float) -> None:
        for attempt_id in await self.store.stranded_attempts(older_than_seconds):
            await self.queue.defer("verify", f"verify:{attempt_id}", attempt_id=attempt_id)

    async def _explore(self) -> None:
        if await self.curiosity.explore():
            await self.queue.defer("choose", "choose")

    async def _repair(self, attempt_id: int) -> None:
        attempt = await self.store.load_attempt(attempt_id)
        if attempt.failure is not None:
            await self.distillation.repair(attempt, attempt.failure)

    async def _verify(self, attempt_id: int) -> None:
        await self.calibration.require_trust()
        await self.verification.verify(await self.store.load_attempt(attempt_id))

    async def _give_up(self, task: str, arguments: Mapping[str, str | int], error: Exception) -> bool:
        """Close the attempt that a defect kept from its end, or that breaks every cell it runs in.

        An outage that other code meets too is waited out: then, and only then, False.
        """
        if isinstance(error, NotFound):  # what the job is about is not there, and will not come back
            return True
        if isinstance(error, GhostdError) and not await self._breaks_its_cells(task, error):
            return False
        attempt = await self._attempt_of(task, arguments)
        if attempt is not None:
            failure = Failure("internal", f"internal.{type(error).__name__}", str(error)[:500])
            await self.distillation.abandon(attempt, failure)
        return True

    async def _attempt_of(self, task: str, arguments: Mapping[str, str | int]) -> AttemptRecord | None:
        """The attempt that a job was to bring on: the one it had opened before it failed, else a new one."""
        teacher = self.distillation.teacher.name
        match task:
            case "verify":
                return await self.store.load_attempt(int(arguments["attempt_id"]))
            case "distil":
                return await self.store.open_attempt(await self.agenda.concept(str(arguments["slug"])), teacher)
            case "repair":
                failed = await self.store.load_attempt(int(arguments["attempt_id"]))
                return await self.store.open_attempt(failed.concept, teacher, failed.repair_round + 1, failed.id)
        return None

    async def _breaks_its_cells(self, task: str, error: GhostdError) -> bool:
        """Whether this lesson alone makes the sandbox fail: a harmless run in a fresh cell succeeds."""
        if task != "verify" or not isinstance(error, SandboxUnavailable):
            return False
        try:
            async with self.sandbox.cell() as cell:
                (outcome,) = await cell.run([_HARMLESS])
        except SandboxUnavailable:
            return False
        return outcome.ok
