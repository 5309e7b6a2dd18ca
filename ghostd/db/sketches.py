"""Sketches in the database: known texts that may be near-duplicates, and new ones remembered. `core.dedup` decides."""

from array import array
from collections.abc import Sequence

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ghostd.core.dedup import Known, LessonSketch, Sketch, decide_lesson
from ghostd.db.encoding import restore
from ghostd.db.models.concepts import sketches
from ghostd.db.revocation import still_barring

_MOST_PROPOSED = 50  # per candidate, those that share most bands first

_NEAR = text(
    """
    SELECT number, owner, text FROM (
        SELECT shared.*, row_number() OVER (PARTITION BY number ORDER BY bands DESC, sketch_id) AS place
        FROM (
            SELECT candidate.number, known.sketch_id, count(*) AS bands
            FROM unnest(CAST(:numbers AS int[]), CAST(:hashes AS bigint[])) AS candidate(number, hash)
            JOIN sketch_bands AS known ON known.kind = :kind AND known.hash = candidate.hash
            GROUP BY candidate.number, known.sketch_id
        ) AS shared
    ) AS ranked
    JOIN sketches ON sketches.id = ranked.sketch_id
    WHERE place <= :most
    ORDER BY number, place
    """
)


_ADD_BANDS = text(
    """
    INSERT INTO sketch_bands (kind, hash, sketch_id)
    SELECT :kind, * FROM unnest(CAST(:hashes AS bigint[]), CAST(:ids AS bigint[]))
    """
)


async def near(connection: AsyncConnection, kind: str, candidates: Sequence[Sketch]) -> list[list[Known]]:
    """For each candidate the known texts that share a band with it, the likeliest first."""
    numbers = [number for number, sketch in enumerate(candidates) for _ in sketch.bands]
    hashes = [band for sketch in candidates for band in sketch.bands]
    found: list[list[Known]] = [[] for _ in candidates]
    rows = await connection.execute(_NEAR, {"numbers": numbers, "hashes": hashes, "kind": kind, "most": _MOST_PROPOSED})
    for number, owner, known in rows:
        found[number].append(Known(owner, restore(known)))
    return found


async def remember(connection: AsyncConnection, kind: str, owned: Sequence[tuple[str, Sketch]]) -> None:
    """Store the sketches of new texts, each with its owner."""
    if not owned:
        return
    rows = [
        {"kind": kind, "owner": owner, "text": sketch.text, "signature": array("I", sketch.signature).tobytes()}
        for owner, sketch in owned
    ]
    inserted = await connection.execute(insert(sketches).returning(sketches.c.id, sort_by_parameter_order=True), rows)
    bands = [
        (band, number) for (number,), (_, sketch) in zip(inserted, owned, strict=True) for band in set(sketch.bands)
    ]
    columns = {"hashes": [band for band, _ in bands], "ids": [number for _, number in bands]}
    await connection.execute(_ADD_BANDS, {"kind": kind, **columns})


async def repeated_lesson(connection: AsyncConnection, drawn: LessonSketch) -> str:
    """The crystal of any concept that says the same in the same code; '' when there is none.

    Most code is new, so one look at its hash answers. Of more than 50 crystals with the same code, the first 50 count.
    """
    codes = await near(connection, "code", [drawn.code])
    if not codes[0]:
        return ""
    explanations = await near(connection, "explanation", [drawn.explanation])
    barring = await still_barring(connection, drawn.explanation.text, explanations[0])
    return decide_lesson(drawn, codes[0], barring).duplicate_of


async def remember_lesson(connection: AsyncConnection, crystal_id: str, drawn: LessonSketch) -> None:
    """Store the sketches of a new crystal's lesson."""
    await remember(connection, "code", [(crystal_id, drawn.code)])
    await remember(connection, "explanation", [(crystal_id, drawn.explanation)])
