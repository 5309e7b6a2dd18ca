"""Proves the store against its own ledger: rows, leaves, heads and revocations; it changes nothing."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ghostd.core.attestation import result_hash, run_key
from ghostd.core.identity import crystal_id, verification_hash
from ghostd.core.leaf import crystal_entry, revocation_entry
from ghostd.core.ledger import Tree, leaf_hash, verify_consistency
from ghostd.db import evidence
from ghostd.db.documents import crystal_from
from ghostd.db.heads import head_from
from ghostd.db.models.crystals import crystals, ledger, ledger_heads, revocations
from ghostd.db.repository import Repository

_BATCH = 200  # crystals, with their evidence, in memory


@dataclass(slots=True)
class LedgerCheck:
    """What was compared, and what differs."""

    leaves: int = 0
    crystals: int = 0
    revocations: int = 0
    heads: int = 0
    problems: list[str] = field(default_factory=list)  # one sentence each, in the order of the log

    @property
    def ok(self) -> bool:
        """Nothing differs."""
        return not self.problems


class LedgerChecks(Repository):
    """Reads the whole ledger and every row that it stands for."""

    async def check_ledger(self) -> LedgerCheck:
        """Recompute everything that was hashed or signed, in one snapshot."""
        found = LedgerCheck()
        async with self._database.transaction() as connection:
            await connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            entries = await _leaves(connection, found)
            await _crystals(connection, found, entries)
            await _revocations(connection, found, entries)
            for kind, subject in sorted(entries):
                found.problems.append(f"crystal {subject[:12]}: the ledger has a leaf of its {kind}, the store no row.")
            await _heads(connection, found)
        return found


Entries = dict[tuple[str, str], str]  # (kind, subject) -> entry


async def _leaves(connection: AsyncConnection, found: LedgerCheck) -> Entries:
    """Every entry by what it is about; gaps and leaves that do not hash to their entry are reported."""
    entries: Entries = {}
    for row in await connection.execute(select(ledger).order_by(ledger.c.leaf_index)):
        if row.leaf_index != found.leaves:
            found.problems.append(f"leaf {found.leaves}: missing, the next one is {row.leaf_index}.")
            found.leaves = row.leaf_index
        if leaf_hash(row.entry.encode()) != bytes(row.leaf_hash):
            found.problems.append(f"leaf {row.leaf_index}: its hash is not that of its entry.")
        if row.entry.split(" ")[:2] != [row.kind, row.subject]:
            found.problems.append(f"leaf {row.leaf_index}: its entry is not about {row.kind} {row.subject[:12]}.")
        if (row.kind, row.subject) in entries:
            found.problems.append(f"leaf {row.leaf_index}: a second {row.kind} leaf of crystal {row.subject[:12]}.")
        entries[row.kind, row.subject] = row.entry
        found.leaves += 1
    return entries


async def _crystals(connection: AsyncConnection, found: LedgerCheck, entries: Entries) -> None:
    async for row in _batches(connection):
        found.crystals += 1
        name = f"crystal {row.id[:12]}"
        entry = entries.pop(("crystal", row.id), "")
        if not entry:
            found.problems.append(f"{name}: it has no leaf in the ledger.")
            continue
        found.problems.extend(f"{name}: {problem}" for problem in _differences(row, entry))
        proof = await evidence.load(connection, attempt_id=row.attempt_id)
        crystal = crystal_from(row.content)
        if any(
            run_key(one.run, one.place) != one.run_key or result_hash(one.outcome) != one.result_hash for one in proof
        ):
            found.problems.append(f"{name}: a row of its evidence is not what its hashes say.")
        if verification_hash(row.id, crystal.exam, proof, crystal.grade) != row.verification_hash:
            found.problems.append(f"{name}: its evidence does not give its verification hash.")


def _differences(row: Row[Any], entry: str) -> Iterator[str]:
    crystal = crystal_from(row.content)
    if crystal_id(crystal.concept, crystal.lesson, crystal.claims, crystal.exercises) != row.id:
        yield "its content does not give its id."
    if crystal_entry(crystal) != entry:
        yield "its row is not the one that the ledger committed to."
    columns = {
        "id": crystal.id,
        "verification_hash": crystal.verification_hash,
        "domain": crystal.concept.domain,
        "lineage": crystal.concept.lineage,
        "teacher": crystal.teacher,
        "grade": crystal.grade.value,
        "quality": crystal.quality,
    }
    for name, value in columns.items():
        if getattr(row, name) != value:
            yield f"its column {name} differs from its content."


async def _batches(connection: AsyncConnection) -> AsyncIterator[Row[Any]]:
    last = ""
    while rows := (
        await connection.execute(select(crystals).where(crystals.c.id > last).order_by(crystals.c.id).limit(_BATCH))
    ).all():
        for row in rows:
            yield row
        last = rows[-1].id


async def _revocations(connection: AsyncConnection, found: LedgerCheck, entries: Entries) -> None:
    for row in await connection.execute(select(revocations).order_by(revocations.c.crystal_id)):
        found.revocations += 1
        entry = entries.pop(("revocation", row.crystal_id), "")
        if not entry:
            found.problems.append(f"crystal {row.crystal_id[:12]}: its revocation has no leaf in the ledger.")
        elif entry != revocation_entry(row.crystal_id, row.reason):
            found.problems.append(f"crystal {row.crystal_id[:12]}: the reason of its revocation was changed.")


async def _heads(connection: AsyncConnection, found: LedgerCheck) -> None:
    rows = await connection.execute(select(ledger.c.leaf_hash).order_by(ledger.c.leaf_index))
    tree = Tree(bytes(row.leaf_hash) for row in rows)
    size, root = 0, b""
    for row in await connection.execute(select(ledger_heads).order_by(ledger_heads.c.size, ledger_heads.c.created_at)):
        found.heads += 1
        signed = head_from(row)
        head, name = signed.head, f"head over {row.size} leaves"
        if not signed.holds:
            found.problems.append(f"{name}: its signature is not that of its key over its fields.")
        if head.size > tree.size:
            found.problems.append(f"{name}: the ledger has only {tree.size}.")
            continue
        if tree.root(head.size) != head.root:
            found.problems.append(f"{name}: its root is not that of the leaves.")
        if size and not verify_consistency(
            size, head.size, root, head.root, Tree(map(tree.leaf, range(head.size))).consistency_proof(size)
        ):
            found.problems.append(f"{name}: it does not extend the head over {size}.")
        size, root = head.size, head.root
