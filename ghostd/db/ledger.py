"""The append-only log in the database: one leaf per event, numbered without gaps. Hashing is `core.ledger`'s."""

from hashlib import sha256

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ghostd.core.ledger import leaf_hash
from ghostd.db.models.crystals import ledger


async def append_crystal(connection: AsyncConnection, crystal_id: str, verification_hash: str) -> int:
    """The leaf of a new crystal: `crystal <id> <verification hash>`; its index. The caller holds Lock.CRYSTALS."""
    return await _append(connection, "crystal", crystal_id, f"crystal {crystal_id} {verification_hash}")


async def append_revocation(connection: AsyncConnection, crystal_id: str, reason: str) -> int:
    """The leaf of a revocation: `revocation <id> <sha256 of the reason>`. The caller holds Lock.CRYSTALS."""
    digest = sha256(reason.encode("utf-8", "surrogatepass")).hexdigest()
    return await _append(connection, "revocation", crystal_id, f"revocation {crystal_id} {digest}")


async def _append(connection: AsyncConnection, kind: str, subject: str, entry: str) -> int:
    # max + 1 under a lock, not a sequence: a rolled back transaction would leave a hole in a sequence
    following = select(func.coalesce(func.max(ledger.c.leaf_index) + 1, 0)).scalar_subquery()
    statement = (
        insert(ledger)
        .values(leaf_index=following, kind=kind, subject=subject, entry=entry, leaf_hash=leaf_hash(entry.encode()))
        .returning(ledger.c.leaf_index)
    )
    return int((await connection.execute(statement)).scalar_one())
