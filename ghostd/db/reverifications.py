"""Re-verification in the database: how each crystal stands, which may be due, and what replays said.

What is due, and what follows from a replay, is decided in `core.reverification`.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ghostd.core.crystal import Crystal, Grade, Verdict, VerdictKind
from ghostd.core.evidence import Evidence
from ghostd.core.reverification import (
    RECORD_FAILURES,
    RECORD_SHARE,
    Decision,
    Due,
    Image,
    Judgement,
    Policy,
    Standing,
    is_weak,
    judge,
)
from ghostd.db import evidence
from ghostd.db.models.attempts import places
from ghostd.db.models.crystals import reverifications, standings
from ghostd.db.repository import Repository
from ghostd.db.revocation import withdraw

REVOKED_BY = "reverification"

# Each branch of `suspects` walks an index and takes the longest unchecked for one reason; the join after it sees a few
# hundred crystals. `failures` are those that failed themselves: there are few, whatever the number of crystals.
_CANDIDATES = text(
    """
    WITH failures AS MATERIALIZED (
        SELECT crystals.lineage, crystals.teacher, crystals.domain, revocations.created_at AS failed_at
        FROM revocations JOIN crystals ON crystals.id = revocations.crystal_id WHERE revocations.origin_id IS NULL
    ),
    records AS MATERIALIZED (
        SELECT teacher, domain, count(*) AS failed,
               (SELECT count(*) FROM crystals AS all_of
                WHERE all_of.teacher = failures.teacher AND all_of.domain = failures.domain) AS crystals
        FROM failures GROUP BY teacher, domain
    ),
    suspects AS (
        (SELECT crystal_id FROM standings WHERE verdict IN ('refuted', 'flaky') ORDER BY checked_at LIMIT :pool)
        UNION
        (SELECT sibling.id
         FROM (SELECT lineage, teacher, max(failed_at) AS failed_at FROM failures GROUP BY lineage, teacher) AS fallen
         JOIN crystals AS sibling ON sibling.lineage = fallen.lineage AND sibling.teacher = fallen.teacher
         JOIN standings ON standings.crystal_id = sibling.id AND standings.checked_at < fallen.failed_at
         ORDER BY standings.checked_at LIMIT :pool)
        UNION
        (SELECT elsewhere.crystal_id
         FROM places CROSS JOIN LATERAL (
             SELECT crystal_id, checked_at FROM standings WHERE place_id = places.id ORDER BY checked_at LIMIT :pool
         ) AS elsewhere
         WHERE (backend, image_id, cell_version) <> (:backend, :image_id, :cell_version)
         ORDER BY elsewhere.checked_at LIMIT :pool)
        UNION
        (SELECT crystal_id FROM standings WHERE checked_at <= now() - make_interval(secs => :after)
         ORDER BY checked_at LIMIT :pool)
        UNION
        (SELECT crystal_id FROM standings WHERE weak AND checked_at <= now() - make_interval(secs => :risky_after)
         ORDER BY checked_at LIMIT :pool)
        UNION
        (SELECT crystals.id FROM records JOIN crystals USING (teacher, domain)
         JOIN standings ON standings.crystal_id = crystals.id
         WHERE records.failed >= :record_failures AND records.failed >= :record_share * records.crystals
           AND standings.checked_at <= now() - make_interval(secs => :risky_after)
         ORDER BY standings.checked_at LIMIT :pool)
    )
    SELECT standings.crystal_id, extract(epoch FROM now() - standings.checked_at) AS unchecked_seconds,
           extract(epoch FROM now() - standings.postponed_at) AS postponed_seconds,
           standings.verdict, crystals.grade, crystals.quality, attempts.mutants_total,
           places.backend, places.image_id, places.cell_version,
           (SELECT count(*) FROM failures WHERE failures.lineage = crystals.lineage
            AND failures.teacher = crystals.teacher AND failures.failed_at > standings.checked_at) AS failed_siblings,
           coalesce(records.failed, 0) AS teacher_failed, coalesce(records.crystals, 0) AS teacher_crystals
    FROM suspects
    JOIN standings USING (crystal_id)
    JOIN crystals ON crystals.id = standings.crystal_id
    JOIN attempts ON attempts.id = crystals.attempt_id
    LEFT JOIN places ON places.id = standings.place_id
    LEFT JOIN records ON records.teacher = crystals.teacher AND records.domain = crystals.domain
    ORDER BY standings.checked_at, standings.crystal_id
    """
)


class Reverifications(Repository):
    """Re-verification's share of ports.Archive."""

    async def standings(self, policy: Policy, pool: int) -> list[Standing]:
        """Believed crystals that may be due, for each possible reason at most `pool`, the longest unchecked first."""
        parameters = {
            **asdict(policy.image),
            "after": policy.after_seconds,
            "risky_after": policy.risky_after_seconds,
            "record_failures": RECORD_FAILURES,
            "record_share": RECORD_SHARE,
            "pool": pool,
        }
        async with self._database.transaction() as connection:
            rows = (await connection.execute(_CANDIDATES, parameters)).all()
        return [
            Standing(
                crystal_id=row.crystal_id,
                unchecked_seconds=float(row.unchecked_seconds),
                grade=Grade(row.grade),
                quality=row.quality,
                mutants_total=row.mutants_total,
                verdict=VerdictKind(row.verdict),
                image=Image(row.backend, row.image_id, row.cell_version) if row.backend is not None else None,
                failed_siblings=row.failed_siblings,
                teacher_failed=row.teacher_failed,
                teacher_crystals=row.teacher_crystals,
                postponed_seconds=None if row.postponed_seconds is None else float(row.postponed_seconds),
            )
            for row in rows
        ]

    async def record_reverification(
        self, crystal_id: str, verdict: Verdict, judgement: Judgement | None = None, due: Due | None = None
    ) -> tuple[str, ...]:
        """Keep what a replay said, its evidence, and what follows from it; the ids that were revoked for it.

        All in one transaction, so that a crystal that was found wrong never goes on standing. Without a judgement
        the verdict is the only replay there was, which revokes nothing.
        """
        judgement = judgement or judge([verdict])
        failure = verdict.failure
        detail = {
            "reason": judgement.reason,
            "due": list(due.reasons) if due else [],
            "failure": asdict(failure) if failure else None,
        }
        row = {
            "crystal_id": crystal_id,
            "verdict": verdict.kind.value,
            "decision": judgement.decision.value,
            "detail": detail,
        }
        async with self._database.transaction() as connection:
            await connection.execute(insert(reverifications).values(row))
            await evidence.record(connection, verdict.evidence, crystal_id=crystal_id)
            if judgement.decision is Decision.REVOKE:
                return await withdraw(connection, crystal_id, judgement.reason, REVOKED_BY)
            checked: dict[str, Any] = {"checked_at": func.now(), "verdict": verdict.kind.value, "postponed_at": None}
            place_id = await _place_id(connection, verdict.evidence)
            if place_id is not None:
                checked["place_id"] = place_id
            await connection.execute(update(standings).where(standings.c.crystal_id == crystal_id).values(checked))
            return ()

    async def postpone(self, crystal_ids: Sequence[str]) -> None:
        """Note that replays of these crystals broke their cells while others did not."""
        statement = update(standings).where(standings.c.crystal_id.in_(crystal_ids)).values(postponed_at=func.now())
        async with self._database.transaction() as connection:
            await connection.execute(statement)

    async def replays_of(self, crystal_id: str) -> list[dict[str, Any]]:
        """What the replays of the crystal said, the newest first: verdict, decision, reason, why it was due, when.

        `replayed_at` is in seconds since the epoch.
        """
        table = reverifications
        statement = (
            select(table.c.verdict, table.c.decision, table.c.detail, func.extract("epoch", table.c.created_at))
            .where(table.c.crystal_id == crystal_id)
            .order_by(table.c.id.desc())
        )
        async with self._database.transaction() as connection:
            return [
                {
                    "verdict": verdict,
                    "decision": decision,
                    "reason": detail["reason"],
                    "due": detail["due"],
                    "replayed_at": float(at),
                }
                for verdict, decision, detail, at in await connection.execute(statement)
            ]


async def begin_standing(connection: AsyncConnection, crystal: Crystal, verdict: Verdict) -> None:
    """Note how a new crystal stands, in the transaction that stores it, after its evidence."""
    row = {
        "crystal_id": crystal.id,
        "checked_at": dt.datetime.fromtimestamp(crystal.created_at, dt.UTC) if crystal.created_at else func.now(),
        "verdict": verdict.kind.value,
        "place_id": await _place_id(connection, verdict.evidence),
        "weak": is_weak(crystal.grade, crystal.quality, verdict.mutants_total),
    }
    await connection.execute(insert(standings).values(row))


async def _place_id(connection: AsyncConnection, found: tuple[Evidence, ...]) -> int | None:
    """The row number of the place of the newest execution, which `evidence.record` has seen to."""
    if not found:
        return None
    place = found[-1].place
    statement = select(places.c.id).filter_by(
        backend=place.backend, image_id=place.image_id, cell_version=place.cell_version
    )
    return await connection.scalar(statement)
