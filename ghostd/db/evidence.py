"""Evidence in the database: one row per execution, with the texts that executions share stored once."""

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from ghostd.core.evidence import (
    CallOutcome,
    CheckOutcome,
    Evidence,
    ExitClass,
    Limits,
    Outcome,
    Place,
    Run,
    Variation,
)
from ghostd.db.encoding import dumps, escape
from ghostd.db.models.attempts import evidence, places, sources

_UNREACHED, _FAILED, _PASSED = "ufp"  # one letter per check
_ADD_SOURCES = text(
    """
    INSERT INTO sources (hash, text) SELECT * FROM unnest(CAST(:hashes AS bytea[]), CAST(:texts AS text[]))
    ON CONFLICT DO NOTHING
    """
)
_COPY = """
    COPY evidence (attempt_id, crystal_id, rung, purpose, run_key, result_hash, exit_class, supports, code, run,
                   outcome, place_id, cell_id, wall_seconds, cpu_seconds, peak_memory_bytes) FROM STDIN
"""
_TEXTS = ("stdout", "stderr", "exception_type", "exception_message")


async def record(
    connection: AsyncConnection,
    found: Sequence[Evidence],
    *,
    attempt_id: int | None = None,
    crystal_id: str | None = None,
) -> None:
    """Store the evidence in its order, for an attempt or for the re-verification of a crystal."""
    if not found:
        return
    texts: dict[bytes, str] = {}
    place_ids = await _place_ids(
        connection, {(one.place.backend, one.place.image_id, one.place.cell_version) for one in found}
    )
    rows = [
        (
            attempt_id,
            crystal_id,
            one.rung,
            one.purpose,
            one.run_key,
            one.result_hash,
            one.outcome.exit_class.value,
            one.supports,
            _shared(texts, one.run.code),
            _shared(texts, _run_text(one.run)),
            dumps(outcome_document(one.outcome)),
            place_ids[one.place.backend, one.place.image_id, one.place.cell_version],
            one.place.cell_id,
            one.outcome.wall_seconds,
            one.outcome.cpu_seconds,
            one.outcome.peak_memory_bytes,
        )
        for one in found
    ]
    # in the order of the hashes, so that two transactions never wait for each other in a circle
    keys = sorted(texts)
    await connection.execute(_ADD_SOURCES, {"hashes": keys, "texts": [escape(texts[key]) for key in keys]})
    driver = (await connection.get_raw_connection()).driver_connection
    async with driver.cursor() as cursor, cursor.copy(_COPY) as copy:  # type: ignore[union-attr]  # it is psycopg's
        for row in rows:
            await copy.write_row(row)


async def load(
    connection: AsyncConnection, *, attempt_id: int | None = None, crystal_id: str | None = None
) -> list[Evidence]:
    """The evidence of an attempt, or of a crystal's re-verifications, in the order in which it was recorded."""
    code, run = sources.alias("code"), sources.alias("run")
    owner = evidence.c.attempt_id == attempt_id if crystal_id is None else evidence.c.crystal_id == crystal_id
    statement = (
        select(evidence, places.c.backend, places.c.image_id, places.c.cell_version)
        .add_columns(code.c.text.label("code_text"), run.c.text.label("run_text"))
        .join(places, places.c.id == evidence.c.place_id)
        .join(code, code.c.hash == evidence.c.code)
        .join(run, run.c.hash == evidence.c.run)
        .where(owner)
        .order_by(evidence.c.id)
    )
    rows = await connection.execute(statement)
    return [
        Evidence(
            rung=row.rung,
            purpose=row.purpose,
            run=_run_from(row.code_text, row.run_text),
            outcome=_outcome_from(row),
            place=Place(row.backend, row.image_id, row.cell_version, row.cell_id),
            run_key=row.run_key,
            result_hash=row.result_hash,
            supports=row.supports,
        )
        for row in rows
    ]


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """What the columns do not hold of an outcome; whatever has its default is left out, checks are one letter each."""
    document: dict[str, Any] = {name: value for name in _TEXTS if (value := getattr(outcome, name))}
    if outcome.calls:
        document["calls"] = [[one.value, one.exception] if one.exception else [one.value] for one in outcome.calls]
    if outcome.checks:
        document["checks"] = "".join(_letter(one) for one in outcome.checks)
        messages = {str(index): one.message for index, one in enumerate(outcome.checks) if one.message}
        if messages:
            document["messages"] = messages
    if outcome.taints:
        document["taints"] = list(outcome.taints)
    return document


def _letter(check: CheckOutcome) -> str:
    if not check.reached:
        return _UNREACHED
    return _PASSED if check.passed else _FAILED


def _outcome_from(row: Any) -> Outcome:
    document = row.outcome
    messages = document.get("messages", {})
    return Outcome(
        exit_class=ExitClass(row.exit_class),
        calls=tuple(CallOutcome(*one) for one in document.get("calls", ())),
        checks=tuple(
            CheckOutcome(letter != _UNREACHED, letter == _PASSED, messages.get(str(index), ""))
            for index, letter in enumerate(document.get("checks", ""))
        ),
        **{name: document.get(name, "") for name in _TEXTS},
        wall_seconds=row.wall_seconds,
        cpu_seconds=row.cpu_seconds,
        peak_memory_bytes=row.peak_memory_bytes,
        taints=tuple(document.get("taints", ())),
    )


def _run_text(run: Run) -> str:
    """The run without its code, as JSON."""
    limits, variation = run.limits, run.variation
    document = {
        "entry": run.entry,
        "calls": run.calls,
        "checks": run.checks,
        "stop_on_failure": run.stop_on_failure,
        "limits": {name: getattr(limits, name) for name in Limits.__slots__},
        "variation": {name: getattr(variation, name) for name in Variation.__slots__},
    }
    return json.dumps(document, separators=(",", ":"))


def _run_from(code: str, run: str) -> Run:
    document = json.loads(run)
    return Run(
        code,
        document["entry"],
        tuple(document["calls"]),
        tuple(document["checks"]),
        document["stop_on_failure"],
        Limits(**document["limits"]),
        Variation(**document["variation"]),
    )


def _shared(texts: dict[bytes, str], content: str) -> bytes:
    key = sha256(content.encode("utf-8", "surrogatepass")).digest()
    texts[key] = content
    return key


async def _place_ids(
    connection: AsyncConnection, wanted: Iterable[tuple[str, str, str]]
) -> dict[tuple[str, str, str], int]:
    """The row numbers of places, which are few; new ones are added."""
    numbers = {}
    for backend, image_id, cell_version in sorted(wanted):
        columns = {"backend": backend, "image_id": image_id, "cell_version": cell_version}
        find = select(places.c.id).filter_by(**columns)
        number = (await connection.execute(find)).scalar_one_or_none()
        if number is None:
            await connection.execute(upsert(places).values(columns).on_conflict_do_nothing())
            number = (await connection.execute(find)).scalar_one()
        numbers[backend, image_id, cell_version] = number
    return numbers
