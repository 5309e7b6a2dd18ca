"""Variations of known questions: kept once, and believed as long as the crystal whose code answered them."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from ghostd.core.variation import Answered, Variation
from ghostd.db.models.crystals import crystals, revocations
from ghostd.db.models.operations import variations
from ghostd.db.repository import Lock, Repository, take


class Variations(Repository):
    """Implements student_ports.Variations."""

    async def keep_variations(self, found: Sequence[Answered]) -> int:
        """Store those that are new, of crystals that are believed; how many."""
        if not found:
            return 0
        async with self._database.transaction() as connection:
            await take(connection, Lock.CRYSTALS)  # a revocation comes before, and is seen here, or after
            wanted = {one.variation.crystal_id for one in found}
            revoked = set(
                await connection.scalars(select(revocations.c.crystal_id).where(revocations.c.crystal_id.in_(wanted)))
            )
            rows = [_row(one) for one in found if one.variation.crystal_id not in revoked]
            if not rows:
                return 0
            kept = insert(variations).values(rows).on_conflict_do_nothing().returning(variations.c.id)
            return len((await connection.scalars(kept)).all())

    async def variations(self, crystal_ids: Sequence[str]) -> list[Answered]:
        """Of believed crystals, in the order of their arrival."""
        revoked = select(revocations.c.crystal_id).where(revocations.c.crystal_id == variations.c.crystal_id).exists()
        statement = (
            select(variations, crystals.c.lineage)
            .join(crystals, crystals.c.id == variations.c.crystal_id)
            .where(variations.c.crystal_id.in_(crystal_ids), ~revoked)
            .order_by(variations.c.id)
        )
        async with self._database.transaction() as connection:
            return [
                Answered(
                    Variation(row.crystal_id, row.lineage, row.question, row.arguments),
                    row.value,
                    row.run_key,
                    row.result_hash,
                    row.confidence,
                    row.answered,
                )
                for row in await connection.execute(statement)
            ]


def _row(one: Answered) -> dict[str, object]:
    return {
        "crystal_id": one.variation.crystal_id,
        "question": one.variation.question,
        "arguments": one.variation.arguments,
        "value": one.value,
        "run_key": one.run_key,
        "result_hash": one.result_hash,
        "confidence": one.confidence,
        "answered": one.answered,
    }
