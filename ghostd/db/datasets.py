"""Which datasets were written, of which crystals, and how many of those were revoked since; it writes none."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, insert, select, text

from ghostd.db.models.crystals import crystals, revocations
from ghostd.db.models.operations import dataset_crystals, datasets
from ghostd.db.repository import Lock, Repository, take

_ADD_CRYSTALS = text(
    "INSERT INTO dataset_crystals (dataset_id, crystal_id) SELECT :number, unnest(CAST(:ids AS text[]))"
)
_NEWEST_FIRST = select(datasets, func.extract("epoch", datasets.c.created_at).label("written_at")).order_by(
    datasets.c.id.desc()
)
_COUNT_REVOKED = text(
    """
    UPDATE datasets SET revoked = (
        SELECT count(*) FROM dataset_crystals JOIN revocations USING (crystal_id) WHERE dataset_id = :number
    ) WHERE id = :number
    """
)
_DROP = text(
    """
    UPDATE datasets SET dropped_at = now() WHERE path = ANY(CAST(:paths AS text[])) AND dropped_at IS NULL
    RETURNING id
    """
)
_FORGET_CRYSTALS = text(
    """
    DELETE FROM dataset_crystals WHERE dataset_id = ANY(CAST(:numbers AS bigint[]))
    AND NOT EXISTS (SELECT 1 FROM training_runs WHERE training_runs.dataset_id = dataset_crystals.dataset_id)
    """
)


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """A dataset as it was written, and what became of its crystals."""

    id: int
    path: str
    root: str  # Merkle root over its crystals, hex
    crystals: int
    revoked: int  # of them, known by now
    created_at: float  # seconds since the epoch
    dropped: bool  # ghostd removed its folder to make room


class Datasets(Repository):
    """The records behind ports.Datasets, and revocation's share of them."""

    async def record_dataset(
        self, path: str, root: str, crystals: int, document: dict[str, object], crystal_ids: Sequence[str] = ()
    ) -> int:
        """Note a dataset that was written and the crystals in it; its number.

        What was revoked while it was being written is counted, so that it is marked from the start.
        """
        statement = insert(datasets).values(path=path, root=root, crystals=crystals, manifest=document)
        async with self._database.transaction() as connection:
            number = int((await connection.execute(statement.returning(datasets.c.id))).scalar_one())
            await connection.execute(_ADD_CRYSTALS, {"number": number, "ids": list(crystal_ids)})
            await take(connection, Lock.CRYSTALS)  # a revocation is counted below, or waits and then marks this dataset
            await connection.execute(_COUNT_REVOKED, {"number": number})
            return number

    async def dataset_versions(self, limit: int = 100) -> list[DatasetVersion]:
        """The newest datasets first."""
        async with self._database.transaction() as connection:
            return _versions(await connection.execute(_NEWEST_FIRST.limit(limit)))

    async def revoked_in(self, path: str) -> list[tuple[str, str]]:
        """(id, reason) of the revoked crystals in the newest dataset that was written to the path, by id."""
        newest = select(func.max(datasets.c.id)).where(datasets.c.path == path).scalar_subquery()
        statement = (
            select(revocations.c.crystal_id, revocations.c.reason)
            .join(dataset_crystals, dataset_crystals.c.crystal_id == revocations.c.crystal_id)
            .where(dataset_crystals.c.dataset_id == newest)
            .order_by(revocations.c.crystal_id)
        )
        async with self._database.transaction() as connection:
            return [(row.crystal_id, row.reason) for row in await connection.execute(statement)]

    async def crystals_since_last_dataset(self) -> int:
        """Crystals stored after the newest recorded dataset; all of them when there is none."""
        newest = select(func.max(datasets.c.created_at)).scalar_subquery()
        statement = select(func.count()).where(crystals.c.created_at > func.coalesce(newest, func.to_timestamp(0)))
        async with self._database.transaction() as connection:
            return int((await connection.execute(statement)).scalar_one())

    async def datasets_with(self, crystal_ids: Sequence[str]) -> list[DatasetVersion]:
        """The datasets that hold one of the crystals, the newest first."""
        holding = select(dataset_crystals.c.dataset_id).where(dataset_crystals.c.crystal_id.in_(crystal_ids))
        async with self._database.transaction() as connection:
            return _versions(await connection.execute(_NEWEST_FIRST.where(datasets.c.id.in_(holding))))

    async def datasets_dropped(self, paths: Sequence[str]) -> None:
        """Note that these folders are gone. Which crystals they held is forgotten, unless a student was trained on it:
        every version holds nearly all crystals, so the list would grow with the square of the knowledge.
        """
        async with self._database.transaction() as connection:
            numbers = (await connection.scalars(_DROP, {"paths": list(paths)})).all()
            await connection.execute(_FORGET_CRYSTALS, {"numbers": list(numbers)})


def _versions(rows: Iterable[Row[Any]]) -> list[DatasetVersion]:
    return [
        DatasetVersion(
            row.id, row.path, row.root, row.crystals, row.revoked, float(row.written_at), bool(row.dropped_at)
        )
        for row in rows
    ]
