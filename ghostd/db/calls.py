"""Calls to teachers: reserved under the caps before they are sent, settled afterwards, found again by their key."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import cast, func, insert, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from ghostd.core.budget import Amount, CachedAnswer, Caps, Reservation, Settlement, Spent, refuse, total_of
from ghostd.db.encoding import escape
from ghostd.db.engine import Database
from ghostd.db.models.operations import llm_calls, spending
from ghostd.db.repository import Lock, Repository, take
from ghostd.errors import BudgetExceeded

_NO_CAPS = Caps()
_KEY = ("day", "purpose")  # of a row of spending
_COLUMNS = {
    "id": "bigint",
    "status": "text",
    "answer": "text",
    "prompt_tokens": "bigint",
    "completion_tokens": "bigint",
    "cost": "numeric",
    "measured": "boolean",
    "latency_seconds": "float8",
    "http_status": "int",
    "error": "text",
}
_NEW = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _COLUMNS.items())

# One statement: settle the rows still in state 'sent' and book the difference between figures and estimates.
_SETTLE = text(
    f"""
    WITH new AS (
        SELECT * FROM unnest({_NEW}) AS new({", ".join(_COLUMNS)})
    ), old AS (
        SELECT id, prompt_tokens, completion_tokens, cost, (created_at AT TIME ZONE 'UTC')::date AS day
        FROM llm_calls WHERE id IN (SELECT id FROM new) AND status = 'sent' ORDER BY id FOR UPDATE
    ), settled AS (
        UPDATE llm_calls AS call SET
            {", ".join(f"{name} = new.{name}" for name in _COLUMNS if name != "id")}, settled_at = now()
        FROM new JOIN old ON old.id = new.id
        WHERE call.id = new.id
        RETURNING old.day, new.prompt_tokens - old.prompt_tokens AS prompt,
                  new.completion_tokens - old.completion_tokens AS completion, new.cost - old.cost AS cost
    )
    SELECT day, sum(prompt)::bigint AS prompt_tokens, sum(completion)::bigint AS completion_tokens, sum(cost) AS cost
    FROM settled GROUP BY day ORDER BY day
    """  # noqa: S608 - made of this module's constants
)


class Calls(Repository):
    """Implements the teacher's CallStore."""

    def __init__(self, database: Database, caps: Caps = _NO_CAPS, purpose: str = "learning") -> None:
        super().__init__(database)
        self._caps = caps
        self._purpose = purpose

    def capped(self, caps: Caps) -> "Calls":
        """The same calls under these caps."""
        return Calls(self._database, caps, self._purpose)

    async def find(self, keys: Sequence[str]) -> dict[str, CachedAnswer]:
        """The newest answer with status 'ok' for each key that has one."""
        statement = (
            select(*llm_calls.c["key", "id", "answer", "prompt_tokens", "completion_tokens"])
            .where(llm_calls.c.key.in_(list(keys)), llm_calls.c.status == "ok", llm_calls.c.purpose == self._purpose)
            .ext(distinct_on(llm_calls.c.key))
            .order_by(llm_calls.c.key, llm_calls.c.id.desc())
        )
        async with self._database.transaction() as connection:
            rows = await connection.execute(statement)
            return {row.key: CachedAnswer(row.id, row.answer, row.prompt_tokens, row.completion_tokens) for row in rows}

    async def reserve(self, calls: Sequence[Reservation]) -> list[int]:
        """Record calls in state 'sent' with their estimates; their ids in order.

        Raises BudgetExceeded, and records none of them, when together they could pass a cap.
        """
        if not calls:
            return []
        rows = [
            {
                "key": call.key,
                "kind": call.kind,
                "purpose": self._purpose,
                "model": call.model,
                "base_url": call.base_url,
                "request": call.request_json,
                "prompt_tokens": call.prompt_tokens_estimated,
                "completion_tokens": call.completion_tokens_estimated,
                "cost": call.cost_estimated,
            }
            for call in calls
        ]
        async with self._database.transaction() as connection:
            if self._caps != _NO_CAPS:
                await take(connection, Lock.BUDGET)
                reason = refuse(await _spent(connection, self._purpose), total_of(calls), self._caps)
                if reason:
                    raise BudgetExceeded(reason)
            statement = insert(llm_calls).returning(llm_calls.c.id, sort_by_parameter_order=True)
            numbers = [row.id for row in await connection.execute(statement, rows)]
            await _book(
                connection,
                {
                    "day": (await connection.execute(select(_today()))).scalar_one(),
                    "purpose": self._purpose,
                    "calls": len(calls),
                    "prompt_tokens": sum(call.prompt_tokens_estimated for call in calls),
                    "completion_tokens": sum(call.completion_tokens_estimated for call in calls),
                    "cost": sum(call.cost_estimated for call in calls),
                },
            )
        return numbers

    async def settle(self, results: Sequence[Settlement]) -> None:
        """Record what became of calls; what was settled before stays as it was."""
        if not results:
            return
        columns: dict[str, list[Any]] = {
            name: [getattr(one, "call_id" if name == "id" else name) for one in results] for name in _COLUMNS
        }
        for name in ("answer", "error"):
            columns[name] = [escape(value) for value in columns[name]]
        async with self._database.transaction() as connection:
            for row in (await connection.execute(_SETTLE, columns)).mappings().all():
                await _book(connection, {**row, "purpose": self._purpose, "calls": 0})

    async def spend_by_day(self) -> list[dict[str, Any]]:
        """Calls, tokens and money per UTC day, the oldest first; unsettled calls count with their estimates."""
        async with self._database.transaction() as connection:
            own = select(spending).where(spending.c.purpose == self._purpose)
            rows = await connection.execute(own.order_by(spending.c.day))
            return [{**row, "day": row["day"].isoformat(), "cost": float(row["cost"])} for row in rows.mappings()]

    async def spend(self) -> dict[str, Any]:
        """The same in total: calls, prompt_tokens, completion_tokens, tokens, cost."""
        sums = [
            func.coalesce(func.sum(spending.c[name]), 0)
            for name in ("calls", "prompt_tokens", "completion_tokens", "cost")
        ]
        async with self._database.transaction() as connection:
            calls, prompt, completion, cost = (
                await connection.execute(select(*sums).where(spending.c.purpose == self._purpose))
            ).one()
        return {
            "calls": int(calls),
            "prompt_tokens": int(prompt),
            "completion_tokens": int(completion),
            "tokens": int(prompt + completion),
            "cost": float(cost),
        }


def _today() -> Any:
    return cast(func.timezone("UTC", func.now()), spending.c.day.type)


async def _book(connection: AsyncConnection, figures: dict[str, Any]) -> None:
    statement = upsert(spending).values(figures)
    added = {name: spending.c[name] + statement.excluded[name] for name in figures if name not in _KEY}
    await connection.execute(statement.on_conflict_do_update(index_elements=_KEY, set_=added))


async def _spent(connection: AsyncConnection, purpose: str) -> Spent:
    tokens = spending.c.prompt_tokens + spending.c.completion_tokens
    own = select(spending.c.day, tokens.label("tokens"), spending.c.cost).where(spending.c.purpose == purpose)
    rows = (await connection.execute(own)).all()
    today: dt.date = (await connection.execute(select(_today()))).scalar_one()
    by_day = {row.day: Amount(row.tokens, float(row.cost)) for row in rows}
    return Spent(by_day.get(today, Amount()), sum(by_day.values(), Amount()))
