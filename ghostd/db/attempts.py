"""Attempts: opened, answered, and finished once. Everything that finishes one is fenced by `finished_at IS NULL`."""

import os
import socket
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ghostd.core.concept import Concept
from ghostd.core.crystal import Crystal, Stage, Verdict, VerdictKind
from ghostd.core.dedup import lesson_sketch
from ghostd.core.evidence import Evidence
from ghostd.core.lesson import Exam, Failure, Lesson
from ghostd.db import evidence, ledger, sketches
from ghostd.db.crystals import insert_crystal
from ghostd.db.documents import concept_from, exam_document, exam_from, lesson_document, lesson_from
from ghostd.db.models.attempts import DUPLICATE, attempts
from ghostd.db.models.concepts import concepts
from ghostd.db.models.crystals import crystals, revocations
from ghostd.db.repository import Lock, Repository, seconds, take
from ghostd.db.reverifications import begin_standing
from ghostd.errors import NotFound
from ghostd.ports import AttemptRecord

_LONGEST_NUMBER = 18  # digits of an attempt's number
_OWNER = f"{socket.gethostname()}:{os.getpid()}"


class Attempts(Repository):
    """The attempts' share of ports.Store."""

    async def open_attempt(
        self, concept: Concept, teacher: str, repair_round: int = 0, parent_id: int | None = None
    ) -> AttemptRecord:
        """A new attempt, or the unfinished one with the same concept, round and parent. Raises NotFound."""
        async with self._database.transaction() as connection:
            # the concept's row lock makes two callers take turns
            locked = select(concepts.c.id, concepts.c.domain).where(concepts.c.slug == concept.slug).with_for_update()
            row = (await connection.execute(locked)).one_or_none()
            if row is None:
                raise NotFound(f"there is no concept {concept.slug}; it has to be admitted first")
            number = await _unfinished(connection, row.id, repair_round, parent_id)
            if number is None:
                number = (
                    await connection.execute(
                        insert(attempts)
                        .values(
                            concept_id=row.id,
                            domain=row.domain,
                            teacher=teacher,
                            repair_round=repair_round,
                            parent_id=parent_id,
                            owner=_OWNER,
                        )
                        .returning(attempts.c.id)
                    )
                ).scalar_one()
                count = {"attempts": concepts.c.attempts + 1, "changed_at": func.now()}
                await connection.execute(update(concepts).where(concepts.c.id == row.id).values(count))
            return _record((await connection.execute(_selection().where(attempts.c.id == number))).one())

    async def load_attempt(self, attempt_id: int) -> AttemptRecord:
        """The attempt as it stands. Raises NotFound."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(_selection().where(attempts.c.id == attempt_id))).one_or_none()
        if row is None:
            raise NotFound(f"there is no attempt {attempt_id}")
        return _record(row)

    async def find_attempt(self, name: str) -> AttemptRecord:
        """The attempt of that number, or the newest one of the concept with that slug. Raises NotFound."""
        if name.isascii() and name.isdigit() and len(name) <= _LONGEST_NUMBER:
            return await self.load_attempt(int(name))
        statement = _selection().where(concepts.c.slug == name).order_by(attempts.c.id.desc()).limit(1)
        async with self._database.transaction() as connection:
            row = (await connection.execute(statement)).one_or_none()
        if row is None:
            raise NotFound(f"there is no attempt {name}; name its number, or a concept as domain/concept")
        return _record(row)

    async def stranded_attempts(self, older_than_seconds: float) -> list[int]:
        """Attempts with a lesson and no verdict whose lesson is that old, the oldest first."""
        statement = (
            select(attempts.c.id)
            .where(
                attempts.c.finished_at.is_(None),
                attempts.c.lesson.is_not(None),
                attempts.c.answered_at <= func.now() - seconds(older_than_seconds),
            )
            .order_by(attempts.c.id)
        )
        async with self._database.transaction() as connection:
            return list((await connection.scalars(statement)).all())

    async def evidence_of_attempt(self, attempt_id: int) -> list[Evidence]:
        """Every execution of the attempt, in order."""
        async with self._database.transaction() as connection:
            return await evidence.load(connection, attempt_id=attempt_id)

    async def record_lesson(self, attempt_id: int, lesson: Lesson, exam: Exam) -> bool:
        """Keep the teacher's answer; False when the attempt is finished or has one already."""
        statement = (
            update(attempts)
            .where(attempts.c.id == attempt_id, attempts.c.finished_at.is_(None), attempts.c.lesson.is_(None))
            .values(
                lesson=lesson_document(lesson),
                exam=exam_document(exam),
                stage=Stage.PARSED.value,
                answered_at=func.clock_timestamp(),
            )
        )
        async with self._database.transaction() as connection:
            return bool((await connection.execute(statement)).rowcount)

    async def reject(
        self, attempt_id: int, stage: Stage, verdict: str, failure: Failure, found: Sequence[Evidence]
    ) -> bool:
        """Finish the attempt with the reason; False when it was finished before."""
        async with self._database.transaction() as connection:
            concept_id = await _lock_open(connection, attempt_id)
            if concept_id is None:
                return False
            await evidence.record(connection, found, attempt_id=attempt_id)
            values = {"rung": failure.rung, "reason": failure.reason, "artifact": failure.artifact}
            await _finish(connection, attempt_id, stage, verdict or VerdictKind.INCONCLUSIVE.value, values)
            await _touch(connection, concept_id)
            return True

    async def crystallise(self, attempt_id: int, crystal: Crystal, verdict: Verdict) -> bool:
        """Store crystal, claims, evidence and ledger leaf and finish the attempt, all or nothing.

        False when the attempt was finished before, and when a crystal that says the same stands already: then the
        attempt is finished as a duplicate. Raises NotFound for an unknown attempt.
        """
        drawn = lesson_sketch(crystal.lesson.explanation, crystal.lesson.code)  # before the lock: it is costly
        mutants = {"mutants_killed": verdict.mutants_killed, "mutants_total": verdict.mutants_total}
        async with self._database.transaction() as connection:
            concept_id = await _lock_open(connection, attempt_id)
            if concept_id is None:
                return False
            await evidence.record(connection, verdict.evidence, attempt_id=attempt_id)
            await take(connection, Lock.CRYSTALS)
            twin = await _standing(connection, crystal.id, concept_id) or await sketches.repeated_lesson(
                connection, drawn
            )
            if twin:
                why = {
                    "rung": Stage.NOVEL.value,
                    "reason": DUPLICATE,
                    "artifact": twin,
                    "duplicate_of": twin,
                    **mutants,
                }
                await _finish(connection, attempt_id, Stage.TESTED, DUPLICATE, why)
                await _touch(connection, concept_id, DUPLICATE, unless="crystal")
                return False
            await insert_crystal(connection, crystal, concept_id, attempt_id)
            await begin_standing(connection, crystal, verdict)
            await sketches.remember_lesson(connection, crystal.id, drawn)
            await _finish(connection, attempt_id, Stage.STORED, verdict.kind.value, mutants)
            await _touch(connection, concept_id, "crystal")
            await ledger.append_crystal(connection, crystal)
            return True


def _selection() -> Select[Any]:
    columns = [concepts.c[name] for name in ("title", "statement", "signature", "parent", "prerequisites")]
    return select(attempts, *columns).join(concepts, concepts.c.id == attempts.c.concept_id)


def _record(row: Row[Any]) -> AttemptRecord:
    failure = Failure(row.rung, row.reason, row.artifact) if row.reason else None
    return AttemptRecord(
        id=row.id,
        concept=concept_from(dict(row._mapping)),  # noqa: SLF001 - SQLAlchemy's public name for it
        teacher=row.teacher,
        repair_round=row.repair_round,
        parent_id=row.parent_id,
        stage=Stage(row.stage),
        verdict=row.verdict,
        lesson=lesson_from(row.lesson) if row.lesson else None,
        exam=exam_from(row.exam) if row.exam else None,
        failure=failure,
    )


async def _unfinished(
    connection: AsyncConnection, concept_id: int, repair_round: int, parent_id: int | None
) -> int | None:
    statement = select(attempts.c.id).where(
        attempts.c.concept_id == concept_id,
        attempts.c.repair_round == repair_round,
        attempts.c.parent_id.is_not_distinct_from(parent_id),
        attempts.c.finished_at.is_(None),
    )
    return (await connection.execute(statement.order_by(attempts.c.id).limit(1))).scalar_one_or_none()


async def _lock_open(connection: AsyncConnection, attempt_id: int) -> int | None:
    """The fence: the attempt's concept if this transaction is the one to finish it, else None. Raises NotFound."""
    statement = select(attempts.c.concept_id, attempts.c.finished_at).where(attempts.c.id == attempt_id)
    row = (await connection.execute(statement.with_for_update())).one_or_none()
    if row is None:
        raise NotFound(f"there is no attempt {attempt_id}")
    return None if row.finished_at is not None else int(row.concept_id)


async def _finish(
    connection: AsyncConnection, attempt_id: int, stage: Stage, verdict: str, values: dict[str, Any]
) -> None:
    statement = update(attempts).where(attempts.c.id == attempt_id)
    finished = {"stage": stage.value, "verdict": verdict, "finished_at": func.clock_timestamp(), **values}
    await connection.execute(statement.values(finished))


async def _touch(connection: AsyncConnection, concept_id: int, state: str = "", unless: str = "") -> None:
    """Note that something happened to the concept, and its new state if there is one."""
    statement = update(concepts).where(concepts.c.id == concept_id, concepts.c.state != unless)
    values = {"changed_at": func.now(), **({"state": state} if state else {})}
    await connection.execute(statement.values(values))


async def _standing(connection: AsyncConnection, crystal_id: str, concept_id: int) -> str:
    """The crystal of this concept that is still believed, or one of the same content even if it was revoked, since
    what was withdrawn does not come back under its old id; '' when there is none.
    """
    statement = (
        select(crystals.c.id, revocations.c.crystal_id.label("revoked"))
        .outerjoin(revocations, revocations.c.crystal_id == crystals.c.id)
        .where((crystals.c.id == crystal_id) | (crystals.c.concept_id == concept_id))
    )
    for row in await connection.execute(statement):
        if row.revoked is None or row.id == crystal_id:
            return str(row.id)
    return ""
