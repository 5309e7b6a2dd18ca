"""What there is to learn: domains, concepts and their states. `core.frontier` decides what comes next."""

from collections.abc import Sequence

from sqlalchemy import bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from ghostd.core.concept import Concept, Domain
from ghostd.core.frontier import Candidate, Choice
from ghostd.db.documents import concept_from
from ghostd.db.encoding import restore
from ghostd.db.models.concepts import STATES, concepts, domains
from ghostd.db.repository import Repository, seconds
from ghostd.errors import NotFound
from ghostd.ports import DomainView

_DOMAINS = text(
    """
    SELECT domain.slug, domain.title, domain.description,
           coalesce(known.total, 0) AS concepts, coalesce(known.open, 0) AS open_concepts,
           coalesce(known.crystals, 0) AS crystals,
           coalesce(tried.finished, 0) AS attempts, coalesce(tried.verified, 0) AS verified
    FROM domains AS domain
    LEFT JOIN (
        SELECT domain, count(*) AS total, count(*) FILTER (WHERE state = 'open') AS open,
               count(*) FILTER (WHERE state = 'crystal') AS crystals
        FROM concepts GROUP BY domain
    ) AS known ON known.domain = domain.slug
    LEFT JOIN (
        SELECT domain, count(*) FILTER (WHERE verdict <> '') AS finished,
               count(*) FILTER (WHERE verdict = 'verified') AS verified
        FROM attempts GROUP BY domain
    ) AS tried ON tried.domain = domain.slug
    ORDER BY domain.id
    """
)

# A prerequisite is met by a crystal of that name, or by any crystal of the lineage of that name.
_FRONTIER = text(
    """
    WITH pool AS (
        SELECT id, slug, domain, lineage, place FROM (
            SELECT id, slug, domain, lineage, row_number() OVER (PARTITION BY domain ORDER BY id) AS place
            FROM concepts WHERE state = 'open'
        ) AS queue
        ORDER BY place, domain LIMIT :limit
    ), learnt AS MATERIALIZED (
        SELECT name FROM concepts WHERE state = 'crystal'
        UNION SELECT split_part(lineage, '/', 2) FROM concepts WHERE state = 'crystal'
    ), needs AS (
        SELECT edge.source_id, avg((learnt.name IS NOT NULL)::int) AS met
        FROM concept_edges AS edge
        JOIN pool ON pool.id = edge.source_id
        LEFT JOIN learnt ON learnt.name = edge.target
        WHERE edge.kind = 'prerequisite'
        GROUP BY edge.source_id
    ), kin AS (
        SELECT lineage, count(*) AS crystals FROM concepts
        WHERE state = 'crystal' AND lineage IN (SELECT lineage FROM pool) GROUP BY lineage
    )
    SELECT pool.slug, pool.domain, pool.lineage, coalesce(needs.met, 1)::float8 AS met, coalesce(kin.crystals, 0) AS kin
    FROM pool
    LEFT JOIN needs ON needs.source_id = pool.id
    LEFT JOIN kin ON kin.lineage = pool.lineage
    ORDER BY pool.place, pool.domain
    """
)

_MISSING = text(
    """
    SELECT min(edge.title) AS title
    FROM concept_edges AS edge
    JOIN concepts AS source ON source.id = edge.source_id AND source.domain = :domain
    WHERE edge.kind = 'prerequisite' AND edge.target_id IS NULL
      AND NOT EXISTS (SELECT 1 FROM concepts AS known WHERE split_part(known.lineage, '/', 2) = edge.target)
    GROUP BY edge.target
    ORDER BY count(*) DESC, edge.target
    LIMIT :limit
    """
)

_REOPEN = text(
    """
    UPDATE concepts SET state = 'open', changed_at = now()
    WHERE state = 'scheduled' AND changed_at < now() - :age
      AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.concept_id = concepts.id AND attempts.finished_at IS NULL)
    """
)


class Agenda(Repository):
    """Implements ports.Agenda."""

    async def add_domains(self, new: Sequence[Domain], reason: str) -> int:
        """Add those whose slug is new; how many were."""
        if not new:
            return 0
        rows = [{"slug": one.slug, "title": one.title, "description": one.description, "reason": reason} for one in new]
        async with self._database.transaction() as connection:
            statement = upsert(domains).values(rows).on_conflict_do_nothing().returning(domains.c.id)
            return len((await connection.scalars(statement)).all())

    async def domains(self) -> list[DomainView]:
        """Every domain with its figures, the oldest first."""
        async with self._database.transaction() as connection:
            rows = await connection.execute(_DOMAINS)
            return [
                DomainView(
                    Domain(row.slug, restore(row.title), restore(row.description)),
                    row.concepts,
                    row.open_concepts,
                    row.crystals,
                    row.attempts,
                    row.verified,
                )
                for row in rows
            ]

    async def frontier(self, limit: int) -> list[Candidate]:
        """Open concepts, oldest first within each domain, at most `limit` in all, domains in turn."""
        views = {view.domain.slug: view for view in await self.domains()}
        async with self._database.transaction() as connection:
            rows = (await connection.execute(_FRONTIER, {"limit": limit})).all()
        return [
            Candidate(
                slug=row.slug,
                domain=row.domain,
                lineage=row.lineage,
                prerequisites_met=row.met,
                domain_crystals=views[row.domain].crystals,
                domain_attempts=views[row.domain].attempts,
                domain_verified=views[row.domain].verified,
                lineage_crystals=row.kin,
            )
            for row in rows
            if row.domain in views  # a domain may have been added between the two questions
        ]

    async def schedule(self, choices: Sequence[Choice]) -> list[str]:
        """Move the chosen concepts from open to scheduled, with the reason; the slugs that moved, in order."""
        moved = []
        statement = (
            update(concepts)
            .where(concepts.c.slug == bindparam("chosen"), concepts.c.state == "open")
            .values(state="scheduled", choice=bindparam("why", type_=concepts.c.choice.type), changed_at=func.now())
        )
        async with self._database.transaction() as connection:
            for one in choices:
                why = {"score": one.score, **one.reason}
                if (await connection.execute(statement, {"chosen": one.slug, "why": why})).rowcount:
                    moved.append(one.slug)
        return moved

    async def concept(self, slug: str) -> Concept:
        """The concept of that slug. Raises NotFound."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(select(concepts).where(concepts.c.slug == slug))).mappings().one_or_none()
        if row is None:
            raise NotFound(f"there is no concept {slug}; `ghostd search` finds what there is")
        return concept_from(dict(row))

    async def mark(self, slug: str, state: str) -> None:
        """Set the concept's state. Raises NotFound for an unknown concept."""
        if state not in STATES:
            raise ValueError(f"{state!r} is none of {STATES}")
        statement = update(concepts).where(concepts.c.slug == slug).values(state=state, changed_at=func.now())
        async with self._database.transaction() as connection:
            if not (await connection.execute(statement)).rowcount:
                raise NotFound(f"there is no concept {slug}; `ghostd search` finds what there is")

    async def reopen_stalled(self, older_than_seconds: float) -> int:
        """Scheduled concepts without an unfinished attempt, unchanged for that long, become open again; how many."""
        async with self._database.transaction() as connection:
            return (await connection.execute(_REOPEN, {"age": seconds(older_than_seconds)})).rowcount

    async def in_flight(self) -> int:
        """Concepts that are scheduled and not yet crystal or failed."""
        statement = select(func.count()).select_from(concepts).where(concepts.c.state == "scheduled")
        async with self._database.transaction() as connection:
            return int((await connection.execute(statement)).scalar_one())

    async def known_titles(self, domain: str, limit: int) -> list[str]:
        """The titles learnt of most recently, the newest first."""
        statement = (
            select(concepts.c.title).where(concepts.c.domain == domain).order_by(concepts.c.id.desc()).limit(limit)
        )
        async with self._database.transaction() as connection:
            return list((await connection.scalars(statement)).all())

    async def missing_prerequisites(self, domain: str, limit: int) -> list[str]:
        """Titles that concepts of the domain build on and that no concept or parent bears, the most wanted first."""
        async with self._database.transaction() as connection:
            return [restore(title) for title in await connection.scalars(_MISSING, {"domain": domain, "limit": limit})]
