"""Training: a new student when enough is new; it takes the champion's place if it does better in the frozen exam."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ghostd.core.promotion import Promotion, Score, judge
from ghostd.core.training import Bench, FrozenExam, RunStatus, TrainingPlan, TrainingRun
from ghostd.cycles.config import TrainingConfig
from ghostd.cycles.run import journalled
from ghostd.errors import AlreadyRunning, ExportError, NotFound, TrainerMissing, TrainingError
from ghostd.log import logger
from ghostd.ports import Journal
from ghostd.student_ports import RunFolders, Students, Trainer, TrainingSets

_log = logger("training")
_HOUR_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Training:
    """Brings one run at a time from dataset to verdict. Killed anywhere, it goes on where it was."""

    datasets: TrainingSets
    students: Students
    trainer: Trainer
    folders: RunFolders
    journal: Journal
    config: TrainingConfig

    async def train_if_due(self) -> dict[str, int]:
        """Go on with the unfinished run, or begin one if `every_crystals` are new; its counts, else empty.

        Raises TrainingFailed and ExportError when no student came of it; the run is then over.
        """
        run = await self.students.unfinished_training()
        if self.trainer.missing() or (run is None and not await self._due()):
            return {}
        run = run or await self.students.request_training(self.config.recipe)
        try:
            return await self.carry_out(run)
        except AlreadyRunning as other:  # such as the trainer of a daemon that was killed: it is still saving
            _log.info("training.elsewhere", run=run.id, reason=str(other))
            return {}

    async def train_now(self) -> dict[str, int]:
        """The same whether it is due or not. Raises TrainerMissing, and AlreadyRunning while another does it."""
        if lacking := self.trainer.missing():
            raise TrainerMissing(lacking)
        return await self.carry_out(await self.students.request_training(self.config.recipe))

    async def reopen(self, run_id: int) -> TrainingRun:
        """A failed run, to be carried out from where it failed: what it learnt is kept, its exam is asked again.

        Raises NotFound when there is no such run or its folder is gone, TrainingError when it did not fail, and
        AlreadyRunning when another is unfinished.
        """
        await self.students.training_run(run_id)
        if not self.folders.exists(run_id):
            raise NotFound(f"The folder of student {run_id} is gone; `ghostd train --now` trains another.")
        return await self.students.reopen_training(run_id)

    async def carry_out(self, run: TrainingRun) -> dict[str, int]:
        """Bring the run to its end; empty when it was interrupted, saved, and is to be resumed."""
        with self.folders.bench(run.id) as bench:
            async with journalled(self.journal, "training", f"student {run.id}") as cycle:
                try:
                    result = await self._result(run, bench)
                except (TrainingError, ExportError) as failure:
                    metrics = {**run.metrics, "verdict": str(failure)}
                    await self.students.finish_training(run.id, RunStatus.FAILED, metrics)
                    _log.warning("student.failed", run=run.id, reason=str(failure))
                    raise
                except _Interrupted:
                    await self.students.interrupt_training(run.id)
                    await self.journal.finish_run(cycle, "interrupted", {}, "saved; it is resumed")
                    return {}
                await self._record(run, bench, result)
                counts = {"student": run.id, "promoted": int(result.promotion.promoted)}
                await self.journal.finish_run(cycle, "ok", counts, result.promotion.reason)
        await self._prune()
        return counts

    async def _due(self) -> bool:
        every = self.config.every_crystals
        return bool(every) and await self.students.crystals_since_training() >= every

    async def _result(self, run: TrainingRun, bench: Bench) -> "_Result":
        """Dataset, exam, training, both scores and the verdict. Raises _Interrupted, TrainingFailed and ExportError."""
        plan = self.folders.plan(bench, self._plan(run.id))
        await self.students.begin_training(run.id, str(bench.folder), run.dataset_id)
        if run.dataset_id is None:
            dataset = await self.datasets.write_training_set(bench.dataset)
            await self.students.begin_training(run.id, str(bench.folder), dataset)
        exam = await asyncio.to_thread(self.folders.exam, bench.dataset, self.config.exam_rows)
        _log.info("training.begun", run=run.id, recipe=plan.recipe, size=plan.size, steps=plan.steps)
        if not await self.trainer.train(bench, plan):
            raise _Interrupted
        score = await self._examine(bench, exam)
        champion = await self.students.champion()
        if champion is not None and not self.folders.exists(champion.id):
            _log.warning("champion.lost", run=champion.id, folder=champion.folder)
            champion = None
        theirs = await self._score_of(champion, exam) if champion is not None else None
        return _Result(plan, exam, score, champion.id if champion else None, judge(score, theirs))

    async def _score_of(self, champion: TrainingRun, exam: FrozenExam) -> Score:
        """As it was recorded, unless that was another exam."""
        known = score_from(champion.metrics)
        if known is not None and known.exam == exam.sha256:
            return known
        with self.folders.bench(champion.id) as bench:
            return await self._examine(bench, exam)

    async def _examine(self, bench: Bench, exam: FrozenExam) -> Score:
        score = await self.trainer.evaluate(bench, exam)
        if score is None:
            raise _Interrupted
        return score

    async def _record(self, run: TrainingRun, bench: Bench, result: "_Result") -> None:
        metrics = result.metrics()
        promoted, reason = result.promotion.promoted, result.promotion.reason
        recorded = await self.students.training_run(run.id)
        finished = replace(recorded, status=RunStatus.OK, metrics=metrics, promoted=promoted)
        await asyncio.to_thread(self.folders.conclude, bench, finished, result.plan)
        choice = "promoted" if promoted else "not promoted"
        figures = {name: metrics[name] for name in ("verdict", "score", "against")}
        await self.journal.record_decision("training", "promotion", f"student {run.id}", choice, figures)
        await self.students.finish_training(run.id, RunStatus.OK, metrics, promoted=promoted)
        _log.info("student.judged", run=run.id, promoted=promoted, reason=reason)

    async def _prune(self) -> None:
        """Keep the champion's folder and those of the newest students."""
        champion = await self.students.champion()
        newest = [run.id for run in await self.students.training_runs(self.config.keep)]
        keep = {*newest, *([champion.id] if champion else [])}
        await self.datasets.forget(await asyncio.to_thread(self.folders.prune, keep))

    def _plan(self, run_id: int) -> TrainingPlan:
        config = self.config
        return TrainingPlan(
            recipe=config.recipe,
            size=config.size,
            steps=config.steps,
            seconds=config.hours * _HOUR_SECONDS,
            context=config.context,
            batch=config.batch,
            seed=run_id,
            width=config.width,
            layers=config.layers,
        )


class _Interrupted(Exception):
    """The trainer was asked to end early, and saved."""


@dataclass(frozen=True, slots=True)
class _Result:
    """What came of one run."""

    plan: TrainingPlan
    exam: FrozenExam
    score: Score
    against: int | None  # the champion's run
    promotion: Promotion

    def metrics(self) -> dict[str, Any]:
        """As it is recorded."""
        return {
            "plan": asdict(self.plan),
            "exam": {"sha256": self.exam.sha256, "rows": self.exam.rows},
            "score": asdict(self.score),
            "verdict": self.promotion.reason,
            "against": self.against,
        }


def score_from(metrics: Mapping[str, Any]) -> Score | None:
    """The score in a run's recorded metrics; None when it has none."""
    return Score(**metrics["score"]) if metrics.get("score") else None
