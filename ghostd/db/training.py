"""Students: what was trained on which dataset, how it ended, who is the champion; it knows no file and no process."""

from typing import Any

from sqlalchemy import Row, Select, func, select, update
from sqlalchemy.dialects.postgresql import insert

from ghostd.core.training import RunStatus, TrainingRun
from ghostd.db.models.crystals import crystals
from ghostd.db.models.operations import datasets, training_runs
from ghostd.db.repository import Repository
from ghostd.errors import AlreadyRunning, NotFound, TrainingError

_UNFINISHED = [one for one in RunStatus if not one.finished]
_WITH_DATASET: Select[Any] = select(
    *training_runs.c["id", "recipe", "status", "dataset_id", "folder", "metrics", "promoted"],
    func.extract("epoch", training_runs.c.started_at).label("started_at"),
    func.extract("epoch", training_runs.c.finished_at).label("finished_at"),
    func.coalesce(datasets.c.root, "").label("root"),
    func.coalesce(datasets.c.crystals, 0).label("crystals"),
    func.coalesce(datasets.c.revoked, 0).label("revoked"),
).outerjoin(datasets, datasets.c.id == training_runs.c.dataset_id)


class TrainingRuns(Repository):
    """Implements student_ports.Students."""

    async def request_training(self, recipe: str) -> TrainingRun:
        """The unfinished run, else a new one that waits."""
        unfinished = _WITH_DATASET.where(training_runs.c.status.in_(_UNFINISHED))
        async with self._database.transaction() as connection:
            row = (await connection.execute(unfinished)).first()
            if row is None:
                await connection.execute(insert(training_runs).values(recipe=recipe).on_conflict_do_nothing())
                row = (await connection.execute(unfinished)).one()
            return _run(row)

    async def unfinished_training(self) -> TrainingRun | None:
        """The run that waits, runs, was interrupted, or was running when its process was killed."""
        return await self._first(_WITH_DATASET.where(training_runs.c.status.in_(_UNFINISHED)))

    async def begin_training(self, run_id: int, folder: str, dataset_id: int | None) -> None:
        """Note that the run is being worked on, where, and on which dataset (None: not written yet)."""
        values = {"status": RunStatus.RUNNING, "folder": folder, "dataset_id": dataset_id}
        await self._change(run_id, values)

    async def interrupt_training(self, run_id: int) -> None:
        """Note that the run was saved and is to be resumed."""
        await self._change(run_id, {"status": RunStatus.INTERRUPTED})

    async def finish_training(
        self, run_id: int, status: RunStatus, metrics: dict[str, Any], *, promoted: bool = False
    ) -> None:
        """Note how it ended. A run that is finished already stays as it is."""
        values = {"status": status, "metrics": metrics, "promoted": promoted, "finished_at": func.clock_timestamp()}
        await self._change(run_id, values)

    async def reopen_training(self, run_id: int) -> TrainingRun:
        """Make a failed run an interrupted one, to be resumed where it stopped.

        Raises NotFound, TrainingError when it did not fail, and AlreadyRunning when another is unfinished.
        """
        run = await self.training_run(run_id)
        if run.status is not RunStatus.FAILED:
            raise TrainingError(f"Student {run_id} did not fail (it is {run.status}); only a failed one is retried.")
        other = await self.unfinished_training()
        if other is not None:
            raise AlreadyRunning(f"Student {other.id} is unfinished; `ghostd train` ends it, then retry {run_id}.")
        values = {"status": RunStatus.INTERRUPTED, "finished_at": None}
        async with self._database.transaction() as connection:
            await connection.execute(update(training_runs).where(training_runs.c.id == run_id).values(values))
        return await self.training_run(run_id)

    async def champion(self) -> TrainingRun | None:
        """The newest student that was promoted."""
        return await self._first(_WITH_DATASET.where(training_runs.c.promoted))

    async def training_run(self, run_id: int) -> TrainingRun:
        """Raises NotFound."""
        found = await self._first(_WITH_DATASET.where(training_runs.c.id == run_id))
        if found is None:
            raise NotFound(f"There is no training run {run_id}; `ghostd status --json` lists the newest.")
        return found

    async def training_runs(self, limit: int = 100) -> list[TrainingRun]:
        """The newest first."""
        statement = _WITH_DATASET.order_by(training_runs.c.id.desc()).limit(limit)
        async with self._database.transaction() as connection:
            return [_run(row) for row in await connection.execute(statement)]

    async def crystals_since_training(self) -> int:
        """Crystals stored after the newest run began; all of them when there was none."""
        newest = select(func.max(training_runs.c.started_at)).scalar_subquery()
        statement = select(func.count()).where(crystals.c.created_at > func.coalesce(newest, func.to_timestamp(0)))
        async with self._database.transaction() as connection:
            return int((await connection.execute(statement)).scalar_one())

    async def _change(self, run_id: int, values: dict[str, Any]) -> None:
        statement = (
            update(training_runs)
            .where(training_runs.c.id == run_id, training_runs.c.status.in_(_UNFINISHED))
            .values(values)
        )
        async with self._database.transaction() as connection:
            await connection.execute(statement)

    async def _first(self, statement: Select[Any]) -> TrainingRun | None:
        async with self._database.transaction() as connection:
            row = (await connection.execute(statement.order_by(training_runs.c.id.desc()).limit(1))).first()
        return _run(row) if row is not None else None


def _run(row: Row[Any]) -> TrainingRun:
    return TrainingRun(
        id=row.id,
        recipe=row.recipe,
        status=RunStatus(row.status),
        dataset_id=row.dataset_id,
        folder=row.folder,
        metrics=row.metrics,
        promoted=row.promoted,
        started_at=float(row.started_at),
        finished_at=float(row.finished_at) if row.finished_at is not None else None,
        root=row.root,
        crystals=row.crystals,
        revoked=row.revoked,
    )
