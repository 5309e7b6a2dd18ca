"""Admitting proposed concepts: one proposal at a time across all processes, near-duplicates refused with their twin."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from ghostd.core.concept import Concept, slugify
from ghostd.core.dedup import Known, Sketch, concept_sketch, concept_text, decide_concept
from ghostd.db import sketches
from ghostd.db.models.concepts import concept_edges, concepts, domains
from ghostd.db.repository import Lock, Repository, take
from ghostd.ports import Admission

_RESOLVE = text(
    """
    UPDATE concept_edges AS edge SET target_id = concept.id
    FROM concepts AS concept
    WHERE edge.target_id IS NULL AND concept.name = edge.target AND concept.id <> edge.source_id
      AND (concept.id = ANY(:new) OR edge.source_id = ANY(:new))
    """
)


class Admissions(Repository):
    """The gate that every proposed concept passes."""

    async def admit_concepts(self, concepts: Sequence[Concept], reason: str) -> list[Admission]:
        """Add those that are new, in order; one answer per proposal. Missing domains are added as well."""
        sketched = [
            concept_sketch(concept_text(one.title, one.statement)) for one in concepts
        ]  # before the lock: it is the costly part
        async with self._database.transaction() as connection:
            await take(connection, Lock.ADMISSION)
            taken = await _taken_slugs(connection, concepts)
            near = await sketches.near(connection, "concept", sketched)
            admissions, admitted = _decide(concepts, sketched, near, taken)
            if admitted:
                await _insert(connection, [concept for concept, _ in admitted], reason)
                await sketches.remember(connection, "concept", [(one.slug, drawn) for one, drawn in admitted])
        return admissions


def _decide(
    proposed: Sequence[Concept], sketched: Sequence[Sketch], near: Sequence[list[Known]], taken: set[str]
) -> tuple[list[Admission], list[tuple[Concept, Sketch]]]:
    """Each proposal against what is known and against those admitted before it in the same batch."""
    admissions: list[Admission] = []
    admitted: list[tuple[Concept, Sketch]] = []
    by_band: defaultdict[int, list[int]] = defaultdict(list)  # band -> indices into admitted
    for concept, drawn, known in zip(proposed, sketched, near, strict=True):
        if concept.slug in taken:
            admissions.append(Admission(concept, admitted=False, duplicate_of=concept.slug, similarity=1.0))
            continue
        beside = {index for band in drawn.bands for index in by_band[band]}
        fresh = [Known(admitted[index][0].slug, admitted[index][1].text) for index in sorted(beside)]
        decision = decide_concept(drawn.text, [*known, *fresh])
        if not decision.duplicate_of:
            for band in drawn.bands:
                by_band[band].append(len(admitted))
            admitted.append((concept, drawn))
            taken.add(concept.slug)
        admissions.append(Admission(concept, not decision.duplicate_of, decision.duplicate_of, decision.similarity))
    return admissions, admitted


async def _taken_slugs(connection: AsyncConnection, proposed: Sequence[Concept]) -> set[str]:
    wanted = [one.slug for one in proposed]
    return set((await connection.scalars(select(concepts.c.slug).where(concepts.c.slug.in_(wanted)))).all())


async def _insert(connection: AsyncConnection, admitted: Sequence[Concept], reason: str) -> None:
    found = {one.domain: {"slug": one.domain, "title": one.domain.replace("-", " ").capitalize()} for one in admitted}
    await connection.execute(
        upsert(domains).on_conflict_do_nothing(),
        [{**found[slug], "description": "", "reason": reason} for slug in sorted(found)],
    )
    rows = [
        {
            "slug": one.slug,
            "domain": one.domain,
            "name": slugify(one.title),
            "title": one.title,
            "statement": one.statement,
            "signature": one.signature,
            "parent": one.parent,
            "prerequisites": list(one.prerequisites),
            "lineage": one.lineage,
            "reason": reason,
        }
        for one in admitted
    ]
    inserted = await connection.execute(insert(concepts).returning(concepts.c.id, sort_by_parameter_order=True), rows)
    ids = [row.id for row in inserted]
    edges = [edge for number, one in zip(ids, admitted, strict=True) for edge in _edges(number, one, reason)]
    if edges:
        await connection.execute(upsert(concept_edges).on_conflict_do_nothing(), edges)
    await connection.execute(_RESOLVE, {"new": ids})


def _edges(number: int, concept: Concept, reason: str) -> list[dict[str, Any]]:
    """Edges to what the concept names, known or not."""
    named = [("prerequisite", title) for title in concept.prerequisites]
    if concept.parent:
        named.append(("parent", concept.parent))
    targets = {(kind, slugify(title)): title for kind, title in named}
    return [
        {"source_id": number, "kind": kind, "target": target, "title": title, "reason": reason}
        for (kind, target), title in targets.items()
        if target
    ]
