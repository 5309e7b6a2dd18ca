"""Signed heads of the ledger: never one that does not extend the last. Implements ports.SignedLog."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ghostd.core.ledger import Tree, verify_consistency
from ghostd.core.signed import SignedHead, TreeHead
from ghostd.db.engine import Database
from ghostd.db.models.crystals import ledger, ledger_heads
from ghostd.db.repository import Lock, Repository, take
from ghostd.db.signing_key import SigningKey, create, load_or_create
from ghostd.errors import LedgerAltered, NotFound
from ghostd.log import logger
from ghostd.ports import Clock

_log = logger("ledger")
_BATCH = 50_000  # leaves read at a time


class Heads(Repository):
    """The ledger of one database with the key of one data directory."""

    def __init__(self, database: Database, data_directory: Path, clock: Clock) -> None:
        super().__init__(database)
        self._data_directory = data_directory
        self._clock = clock

    async def leaf_indices(self, crystal_ids: Sequence[str]) -> dict[str, int]:
        """Where each crystal's leaf stands; one without a leaf is left out."""
        statement = select(ledger.c.subject, ledger.c.leaf_index).where(
            ledger.c.kind == "crystal", ledger.c.subject.in_(crystal_ids)
        )
        async with self._database.transaction() as connection:
            return {row.subject: row.leaf_index for row in await connection.execute(statement)}

    async def signed_head(self) -> tuple[SignedHead, Tree]:
        """The head over all leaves, and their tree. One is signed only when the ledger grew since the last.

        Raises LedgerAltered when the ledger does not extend the last head, NotFound when it is empty, and
        ConfigurationError when the key is not the one that signed before.
        """
        async with self._database.transaction() as connection:
            await take(connection, Lock.CRYSTALS)  # a leaf is appended before or after, never meanwhile
            last = await newest(connection)
            key = await asyncio.to_thread(
                load_or_create, self._data_directory, signed_before=last.head.key_id if last else ""
            )
            tree = await read_tree(connection)
            _refuse_what_does_not_extend(last, tree)
            if last is not None and last.head.size == tree.size:
                return last, tree
            return await self._sign(connection, key, tree, last), tree

    async def new_key(self) -> SignedHead:
        """Replace the key and sign the present head with the new one; a key file that was there is kept aside.

        Raises as `signed_head` does, but for the key.
        """
        async with self._database.transaction() as connection:
            await take(connection, Lock.CRYSTALS)
            last = await newest(connection)
            tree = await read_tree(connection)
            _refuse_what_does_not_extend(last, tree)
            key = await asyncio.to_thread(create, self._data_directory)
            return await self._sign(connection, key, tree, last)

    async def sign(self, statement: str) -> bytes:
        """Sign another statement with the key of the newest head."""
        async with self._database.transaction() as connection:
            last = await newest(connection)
        key = await asyncio.to_thread(
            load_or_create, self._data_directory, signed_before=last.head.key_id if last else ""
        )
        return key.sign(statement)

    async def _sign(
        self, connection: AsyncConnection, key: SigningKey, tree: Tree, last: SignedHead | None
    ) -> SignedHead:
        now = max(int(self._clock.now() * 1000), last.head.timestamp if last else 0)
        head = TreeHead(tree.size, tree.root(), now, key.key_id)
        signed = SignedHead(head, key.public_key, key.sign(head.statement))
        row = {
            "size": head.size,
            "key_id": head.key_id,
            "root": head.root,
            "signed_at": head.timestamp,
            "public_key": signed.public_key,
            "signature": signed.signature,
        }
        await connection.execute(insert(ledger_heads).values(row))
        _log.info("ledger.signed", size=head.size, root=head.root.hex()[:12], key=head.key_id[:12])
        return signed


async def newest(connection: AsyncConnection) -> SignedHead | None:
    """The last head that was signed."""
    statement = select(ledger_heads).order_by(ledger_heads.c.size.desc(), ledger_heads.c.created_at.desc()).limit(1)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else head_from(row)


def head_from(row: Row[Any]) -> SignedHead:
    """A row of `ledger_heads`."""
    head = TreeHead(row.size, bytes(row.root), row.signed_at, row.key_id)
    return SignedHead(head, bytes(row.public_key), bytes(row.signature))


async def read_tree(connection: AsyncConnection) -> Tree:
    """The tree over every leaf. Raises LedgerAltered when one is missing, NotFound when there is none."""
    leaves: list[bytes] = []
    while True:
        statement = select(ledger.c.leaf_index, ledger.c.leaf_hash).where(ledger.c.leaf_index >= len(leaves))
        rows = (await connection.execute(statement.order_by(ledger.c.leaf_index).limit(_BATCH))).all()
        for row in rows:
            if row.leaf_index != len(leaves):
                raise _alarm(f"leaf {len(leaves)} of the ledger is missing")
            leaves.append(bytes(row.leaf_hash))
        if len(rows) < _BATCH:
            break
    if not leaves:
        raise NotFound("the ledger is empty; it gets its first leaf with the first crystal")
    return Tree(leaves)


def _refuse_what_does_not_extend(last: SignedHead | None, tree: Tree) -> None:
    if last is None:
        return
    if not last.holds:
        raise _alarm(f"the signature of the head over {last.head.size} leaves is not that of its key")
    if last.head.size > tree.size:
        raise _alarm(f"a head over {last.head.size} leaves was signed, and the ledger has {tree.size}")
    proof = tree.consistency_proof(last.head.size) if last.head.size else []
    if not verify_consistency(last.head.size, tree.size, last.head.root, tree.root(), proof):
        raise _alarm(f"the first {last.head.size} leaves are not those that were signed")


def _alarm(problem: str) -> LedgerAltered:
    _log.error("ledger.refused", reason=problem)
    return LedgerAltered(f"No head is signed: {problem}; `ghostd ledger check` names what differs.")
