"""The append-only log in the database: one leaf per event, numbered without gaps. Hashing is `core.ledger`'s."""

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ghostd.core.crystal import Crystal
from ghostd.core.leaf import crystal_entry, revocation_entry
from ghostd.core.ledger import leaf_hash
from ghostd.db.models.crystals import ledger


async def append_crystal(connection: AsyncConnection, crystal: Crystal) -> int:
    """The leaf of a new crystal; its index. The caller holds Lock.CRYSTALS."""
    return await _append(connection, "crystal", crystal.id, crystal_entry(crystal))


async def append_revocation(connection: AsyncConnection, crystal_id: str, reason: str) -> int:
    """The leaf of a revocation; its index. The caller holds Lock.CRYSTALS."""
    return await _append(connection, "revocation", crystal_id, revocation_entry(crystal_id, reason))


async def _append(connection: AsyncConnection, kind: str, subject: str, entry: str) -> int:
    # max + 1 under a lock, not a sequence: a rolled back transaction would leave a hole in a sequence
    following = select(func.coalesce(func.max(ledger.c.leaf_index) + 1, 0)).scalar_subquery()
    statement = (
        insert(ledger)
        .values(leaf_index=following, kind=kind, subject=subject, entry=entry, leaf_hash=leaf_hash(entry.encode()))
        .returning(ledger.c.leaf_index)
    )
    return int((await connection.execute(statement)).scalar_one())
