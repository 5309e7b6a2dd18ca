"""Crystals: stored once, read in many ways and never changed; `reverifications` and `revocation` judge them."""

import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, insert, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ghostd.core.answering import Source
from ghostd.core.crystal import Crystal, Grade, VerdictKind
from ghostd.core.evidence import Evidence
from ghostd.db import evidence
from ghostd.db.documents import crystal_document, crystal_from
from ghostd.db.models.concepts import concepts
from ghostd.db.models.crystals import claims, crystals, reverifications, revocations
from ghostd.db.models.crystals import ledger as ledger_table
from ghostd.db.repository import Repository
from ghostd.errors import NotFound

_BATCH = 500  # crystals in memory while streaming
_SHORTEST_PREFIX = 4  # of an id
_HEX = frozenset("0123456789abcdef")


_ABOUT = text(
    """
    WITH asked AS (
        SELECT word, quote_literal(word)::tsquery AS query
        FROM unnest(tsvector_to_array(to_tsvector('english', :question))) AS word
    ),
    weighed AS MATERIALIZED (
        SELECT word, query, ln(1 + (SELECT count(*) FROM crystals)::float
            / (1 + (SELECT count(*) FROM crystals WHERE crystals.search @@ asked.query))) AS weight
        FROM asked
    ),
    wanted AS (
        SELECT string_agg(query::text, ' | ')::tsquery AS query, sum(weight) AS weight FROM weighed
    ),
    near AS (
        SELECT crystals.id, crystals.concept_id, ts_rank(crystals.search, wanted.query) AS rank,
            (SELECT sum(weighed.weight) FROM weighed WHERE crystals.search @@ weighed.query) / wanted.weight AS coverage
        FROM crystals, wanted
        WHERE crystals.search @@ wanted.query
        AND NOT EXISTS (SELECT 1 FROM revocations WHERE revocations.crystal_id = crystals.id)
    )
    SELECT near.id, concepts.slug, concepts.title, near.coverage
    FROM near JOIN concepts ON concepts.id = near.concept_id
    ORDER BY near.coverage DESC, near.rank DESC, near.id LIMIT :limit
    """
)


async def insert_crystal(connection: AsyncConnection, crystal: Crystal, concept_id: int, attempt_id: int) -> None:
    """Store the crystal and its claims. The caller holds Lock.CRYSTALS and has made sure that it is new."""
    created = dt.datetime.fromtimestamp(crystal.created_at, dt.UTC) if crystal.created_at else func.now()
    row = {
        "id": crystal.id,
        "verification_hash": crystal.verification_hash,
        "concept_id": concept_id,
        "attempt_id": attempt_id,
        "domain": crystal.concept.domain,
        "lineage": crystal.concept.lineage,
        "teacher": crystal.teacher,
        "grade": crystal.grade.value,
        "quality": crystal.quality,
        "content": crystal_document(crystal),
        "created_at": created,
    }
    await connection.execute(insert(crystals).values(row))
    checked = [
        {
            "crystal_id": crystal.id,
            "position": position,
            "text": one.claim.text,
            "expression": one.claim.check,
            "status": one.status,
            "result": one.result,
        }
        for position, one in enumerate(crystal.claims)
    ]
    if checked:
        await connection.execute(insert(claims), checked)


class Archive(Repository):
    """The crystals' share of ports.Store and ports.Archive."""

    async def crystals(
        self, min_grade: Grade = Grade.TESTED, domain: str = "", include_revoked: bool = False
    ) -> AsyncIterator[Crystal]:
        """All crystals by ascending id, in batches, so that memory is bounded and no transaction stays open.

        AUDITED also selects what was stored with a lower grade and has passed a replay since.
        """
        last = ""
        while True:
            statement = (
                select(crystals.c.id, crystals.c.content)
                .where(crystals.c.id > last, _of_grade(min_grade))
                .order_by(crystals.c.id)
                .limit(_BATCH)
            )
            if domain:
                statement = statement.where(crystals.c.domain == domain)
            if not include_revoked:
                statement = statement.where(_believed())
            async with self._database.transaction() as connection:
                rows = (await connection.execute(statement)).all()
            for row in rows:
                yield crystal_from(row.content)
            if len(rows) < _BATCH:
                return
            last = rows[-1].id

    async def crystal_count(self) -> int:
        """Crystals that are believed."""
        statement = select(func.count()).select_from(crystals).where(_believed())
        async with self._database.transaction() as connection:
            return int((await connection.execute(statement)).scalar_one())

    async def get(self, crystal_id: str) -> Crystal:
        """The crystal of that id, unique beginning of an id, or concept slug; revoked ones too. Raises NotFound."""
        async with self._database.transaction() as connection:
            rows = (await connection.execute(_named(crystal_id).limit(2))).all()
        if not rows:
            raise NotFound(f"there is no crystal {crystal_id}; `ghostd search` finds what there is")
        if len(rows) > 1:
            raise NotFound(f"{crystal_id} is the beginning of more than one crystal id; add a few characters")
        return crystal_from(rows[0].content)

    async def search(self, query: str, domain: str = "", limit: int = 20) -> list[Crystal]:
        """Believed crystals: those named by id or slug first, then by full text, the best match first.

        The query is read as web search engines do: words, "exact phrases", or, -without. An empty one finds the newest.
        """
        query = query.replace("\0", " ").strip()
        words = func.websearch_to_tsquery("english", query)
        matching = (
            select(crystals.c.content)
            .where(crystals.c.search.op("@@")(words))
            .order_by(func.ts_rank_cd(crystals.c.search, words).desc(), crystals.c.quality.desc(), crystals.c.id)
        )
        newest = select(crystals.c.content).order_by(crystals.c.created_at.desc(), crystals.c.id)
        found: dict[str, Crystal] = {}
        async with self._database.transaction() as connection:
            for statement in (_named(query), matching) if query else (newest,):
                narrowed = statement.where(_believed()).limit(limit)
                if domain:
                    narrowed = narrowed.where(crystals.c.domain == domain)
                for row in await connection.execute(narrowed):
                    crystal = crystal_from(row.content)
                    found.setdefault(crystal.id, crystal)
        return list(found.values())[:limit]

    async def about(self, question: str, limit: int) -> list[Source]:
        """Believed crystals that share words with the question, those that contain most of what it asks about first.

        Words are stems without stop words, as full-text search has them; numbers count like any other word. A word
        weighs the more, the fewer crystals contain it (inverse document frequency, Spärck Jones 1972), so that a
        question is not about a crystal because both say "how many". Among equals the rank of full-text search decides,
        for which a word in the title counts most.
        """
        async with self._database.transaction() as connection:
            rows = await connection.execute(_ABOUT, {"question": question.replace("\0", " "), "limit": limit})
            return [Source(row.id, row.slug, row.title, float(row.coverage)) for row in rows]

    async def evidence_of(self, crystal_id: str) -> list[Evidence]:
        """Every execution that the crystal rests on, in the order that its verification hash covers."""
        async with self._database.transaction() as connection:
            attempt_id = await connection.scalar(select(crystals.c.attempt_id).where(crystals.c.id == crystal_id))
            return await evidence.load(connection, attempt_id=attempt_id) if attempt_id is not None else []

    async def ledger_place(self, crystal_id: str) -> dict[str, int]:
        """Where the crystal stands in the append-only log: its `leaf`, from 0, and the log's `size`."""
        leaf = select(ledger_table.c.leaf_index).where(
            ledger_table.c.kind == "crystal", ledger_table.c.subject == crystal_id
        )
        size = select(func.count()).select_from(ledger_table)
        async with self._database.transaction() as connection:
            place = (await connection.execute(select(leaf.scalar_subquery(), size.scalar_subquery()))).one()
        return {"leaf": int(place[0]), "size": int(place[1])}

    async def refuted_claims(self, crystal_id: str) -> list[tuple[str, str, str]]:
        """(text, check, result) of the claims that execution refuted: labelled negatives, never knowledge."""
        statement = (
            select(claims.c.text, claims.c.expression, claims.c.result)
            .where(claims.c.crystal_id == crystal_id, claims.c.status == "refuted")
            .order_by(claims.c.position)
        )
        async with self._database.transaction() as connection:
            return [(row.text, row.expression, row.result) for row in await connection.execute(statement)]


def _named(name: str) -> Select[Any]:
    """Crystals whose id begins with `name`, or the newest believed one of the concept with that slug."""
    if len(name) >= _SHORTEST_PREFIX and _HEX.issuperset(name):
        following = name + "g"  # no id of hexadecimal digits that begins with `name` sorts behind it
        prefix = and_(crystals.c.id >= name, crystals.c.id < following)
        return select(crystals.c.content).where(prefix).order_by(crystals.c.id)
    newest = (
        select(crystals.c.id)
        .join(concepts, concepts.c.id == crystals.c.concept_id)
        .where(concepts.c.slug == name)
        .order_by(_believed().desc(), crystals.c.created_at.desc())
        .limit(1)
    )
    return select(crystals.c.content).where(crystals.c.id == newest.scalar_subquery())


def _believed() -> ColumnElement[bool]:
    return ~select(revocations.c.crystal_id).where(revocations.c.crystal_id == crystals.c.id).exists()


def _of_grade(grade: Grade) -> ColumnElement[bool]:
    if grade is not Grade.AUDITED:
        return crystals.c.grade >= grade.value
    verdict = (
        select(reverifications.c.verdict)
        .where(reverifications.c.crystal_id == crystals.c.id)
        .order_by(reverifications.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return or_(crystals.c.grade >= grade.value, verdict == VerdictKind.VERIFIED.value)
