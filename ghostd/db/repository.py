"""What all parts of the store share: the database, and numbers for the advisory locks."""

import datetime as dt
from enum import IntEnum

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ghostd.db.engine import Database


class Lock(IntEnum):
    """Advisory locks, held until the transaction ends. Whoever needs several takes them in this order."""

    ADMISSION = 0x67686F01  # concepts and their sketches
    CRYSTALS = 0x67686F02  # sketches of crystals and the ledger's next index
    BUDGET = 0x67686F03  # caps on spending


class Repository:
    """One part of the store. Every public method is one transaction.

    Raises StoreUnavailable when the database cannot be reached and StoreError when it refuses.
    """

    def __init__(self, database: Database) -> None:
        self._database = database


async def take(connection: AsyncConnection, lock: Lock) -> None:
    """Wait for the lock; it is released with the transaction."""
    await connection.execute(select(func.pg_advisory_xact_lock(int(lock))))


def seconds(value: float) -> dt.timedelta:
    """An interval for a query."""
    return dt.timedelta(seconds=value)
