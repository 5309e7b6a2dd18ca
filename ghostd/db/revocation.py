"""Revocations: a crystal and everything made of it is withdrawn in one transaction; nothing is ever deleted."""

from collections.abc import Sequence

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from ghostd.core.dedup import Known
from ghostd.core.reverification import KnownRevocations, Revocation, state_after_revocation
from ghostd.db import ledger
from ghostd.db.models.concepts import concepts
from ghostd.db.models.crystals import crystals, lineage, revocations
from ghostd.db.models.crystals import ledger as leaves
from ghostd.db.repository import Lock, Repository, take
from ghostd.errors import NotFound

_DESCENDANTS = text(
    """
    WITH RECURSIVE down(id) AS (
        SELECT child_id FROM lineage WHERE parent_id = :id
        UNION SELECT lineage.child_id FROM lineage JOIN down ON lineage.parent_id = down.id
    )
    SELECT down.id FROM down WHERE down.id <> :id ORDER BY down.id
    """
)
_FORGET_STANDINGS = text("DELETE FROM standings WHERE crystal_id = ANY(CAST(:ids AS text[]))")
_AFFECTED_CONCEPTS = text(
    """
    SELECT concepts.id, count(*) FILTER (WHERE revocations.crystal_id IS NULL) AS believed,
           count(revocations.crystal_id) AS revoked
    FROM concepts
    JOIN crystals ON crystals.concept_id = concepts.id
    LEFT JOIN revocations ON revocations.crystal_id = crystals.id
    WHERE concepts.state = 'crystal'
      AND concepts.id IN (SELECT concept_id FROM crystals WHERE id = ANY(CAST(:ids AS text[])))
    GROUP BY concepts.id ORDER BY concepts.id
    """
)
_MARK_DATASETS = text(
    """
    UPDATE datasets SET revoked = datasets.revoked + hit.crystals
    FROM (
        SELECT dataset_id, count(*) AS crystals FROM dataset_crystals
        WHERE crystal_id = ANY(CAST(:ids AS text[])) GROUP BY dataset_id
    ) AS hit
    WHERE hit.dataset_id = datasets.id
    """
)


class Revocations(Repository):
    """Revocation's share of ports.Archive."""

    async def revoke(self, crystal_id: str, reason: str, revoked_by: str = "") -> tuple[str, ...]:
        """Withdraw the crystal and everything made of it, all or nothing; the ids that this call withdrew.

        Each gets a leaf in the ledger, the datasets that hold it are marked, its concept is open again or has failed.
        Empty when all were revoked before. Raises NotFound.
        """
        async with self._database.transaction() as connection:
            return await withdraw(connection, crystal_id, reason, revoked_by)

    async def revocation(self, crystal_id: str) -> Revocation | None:
        """Why the crystal is not believed, None when it is."""
        statement = select(revocations, func.extract("epoch", revocations.c.created_at).label("revoked_at")).where(
            revocations.c.crystal_id == crystal_id
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(statement)).one_or_none()
        if row is None:
            return None
        return Revocation(row.crystal_id, row.reason, row.revoked_by, row.origin_id or "", float(row.revoked_at))

    async def revocations_known(self) -> KnownRevocations:
        """How many crystals are revoked by now, and the leaf of the newest revocation."""
        newest = select(leaves.c.leaf_hash).where(leaves.c.kind == "revocation").order_by(leaves.c.leaf_index.desc())
        statement = select(func.count(), newest.limit(1).scalar_subquery()).select_from(revocations)
        async with self._database.transaction() as connection:
            count, head = (await connection.execute(statement)).one()
        return KnownRevocations(count, bytes(head or b"").hex())

    async def record_lineage(self, child_id: str, parent_ids: list[str], kind: str) -> None:
        """Note which crystals a composite is made of. If one of them was revoked meanwhile, so is the composite."""
        rows = [{"child_id": child_id, "parent_id": parent, "kind": kind} for parent in parent_ids]
        if not rows:
            return
        async with self._database.transaction() as connection:
            await take(connection, Lock.CRYSTALS)  # a revocation comes wholly before or wholly after
            await connection.execute(upsert(lineage).on_conflict_do_nothing(), rows)
            statement = select(revocations).where(revocations.c.crystal_id.in_(parent_ids))
            fallen = (await connection.execute(statement.order_by(revocations.c.crystal_id).limit(1))).one_or_none()
            if fallen is not None:
                origin = fallen.origin_id or fallen.crystal_id
                own = await connection.scalar(select(revocations.c.reason).where(revocations.c.crystal_id == origin))
                family = await _with_descendants(connection, child_id)
                await _withdraw_all(connection, family, str(own), origin, fallen.revoked_by)


async def withdraw(connection: AsyncConnection, crystal_id: str, reason: str, revoked_by: str) -> tuple[str, ...]:
    """`Revocations.revoke` within a transaction that is under way."""
    await take(connection, Lock.CRYSTALS)
    if await connection.scalar(select(crystals.c.id).where(crystals.c.id == crystal_id)) is None:
        raise NotFound(f"there is no crystal {crystal_id}; `ghostd search` finds what there is")
    family = await _with_descendants(connection, crystal_id)
    return await _withdraw_all(connection, family, reason, crystal_id, revoked_by)


async def still_barring(connection: AsyncConnection, said: str, known: Sequence[Known]) -> list[Known]:
    """Of the known texts near to `said`, those that stand in its way: what is believed, and what was revoked word for
    word. So a falsehood is not learnt twice, and its correction, which may differ in one line, is.
    """
    if not known:
        return []
    owners = [one.owner for one in known]
    statement = select(revocations.c.crystal_id).where(revocations.c.crystal_id.in_(owners))
    revoked = set((await connection.scalars(statement)).all())
    return [one for one in known if one.owner not in revoked or one.text == said]


async def _with_descendants(connection: AsyncConnection, crystal_id: str) -> list[str]:
    return [crystal_id, *(await connection.scalars(_DESCENDANTS, {"id": crystal_id})).all()]


async def _withdraw_all(
    connection: AsyncConnection, family: Sequence[str], reason: str, origin_id: str, revoked_by: str
) -> tuple[str, ...]:
    """The ids of `family` that were believed until now, in its order. The caller holds Lock.CRYSTALS."""
    inherited = f"made of {origin_id}, which was revoked: {reason}"
    rows = [
        {
            "crystal_id": one,
            "reason": reason if one == origin_id else inherited,
            "revoked_by": revoked_by,
            "origin_id": None if one == origin_id else origin_id,
        }
        for one in family
    ]
    statement = upsert(revocations).on_conflict_do_nothing().returning(revocations.c.crystal_id)
    new = set((await connection.scalars(statement, rows)).all())
    for row in rows:
        if row["crystal_id"] in new:
            await ledger.append_revocation(connection, str(row["crystal_id"]), str(row["reason"]))
    if new:
        ids = {"ids": sorted(new)}
        await connection.execute(_FORGET_STANDINGS, ids)
        await connection.execute(_MARK_DATASETS, ids)
        await _settle_concepts(connection, ids)
    return tuple(one for one in family if one in new)


async def _settle_concepts(connection: AsyncConnection, ids: dict[str, list[str]]) -> None:
    states: dict[str, list[int]] = {}
    for row in await connection.execute(_AFFECTED_CONCEPTS, ids):
        states.setdefault(state_after_revocation(row.believed, row.revoked), []).append(row.id)
    for state, numbers in sorted(states.items()):
        changed = update(concepts).where(concepts.c.id.in_(numbers))
        await connection.execute(changed.values(state=state, changed_at=func.now()))
