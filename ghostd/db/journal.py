"""What the cycles did and why: runs and decisions. Append, close, list."""

import socket
from typing import Any

from sqlalchemy import func, insert, select, update

from ghostd.db.models.operations import cycle_runs, decisions
from ghostd.db.repository import Repository


class Journal(Repository):
    """Implements ports.Journal."""

    async def start_run(self, cycle: str, reason: str) -> int:
        """Note that a cycle begins; the number of its run."""
        statement = insert(cycle_runs).values(cycle=cycle, reason=reason, host=socket.gethostname())
        async with self._database.transaction() as connection:
            return int((await connection.execute(statement.returning(cycle_runs.c.id))).scalar_one())

    async def finish_run(self, run_id: int, status: str, counts: dict[str, int], reason: str) -> None:
        """Note how it ended: ok, failed or interrupted. A run that is closed already stays as it is."""
        statement = (
            update(cycle_runs)
            .where(cycle_runs.c.id == run_id, cycle_runs.c.status == "running")
            .values(status=status, counts=counts, reason=reason, finished_at=func.clock_timestamp())
        )
        async with self._database.transaction() as connection:
            await connection.execute(statement)

    async def interrupted_runs_close(self) -> int:
        """Close the runs of this host that a crash left running; how many. Only for a host's only daemon."""
        statement = (
            update(cycle_runs)
            .where(cycle_runs.c.status == "running", cycle_runs.c.host == socket.gethostname())
            .values(status="interrupted", finished_at=func.now())
        )
        async with self._database.transaction() as connection:
            return (await connection.execute(statement)).rowcount

    async def recent_runs(self, limit: int) -> list[dict[str, Any]]:
        """The newest runs first, times in seconds since the epoch."""
        statement = select(
            *cycle_runs.c["id", "cycle", "status", "reason", "counts"],
            func.extract("epoch", cycle_runs.c.started_at).label("started_at"),
            func.extract("epoch", cycle_runs.c.finished_at).label("finished_at"),
        )
        async with self._database.transaction() as connection:
            rows = await connection.execute(statement.order_by(cycle_runs.c.id.desc()).limit(limit))
            return [_plain(dict(row)) for row in rows.mappings()]

    async def record_decision(self, cycle: str, kind: str, subject: str, choice: str, reason: dict[str, Any]) -> None:
        """Note what a cycle decided, with the figures behind it."""
        statement = insert(decisions).values(cycle=cycle, kind=kind, subject=subject, choice=choice, reason=reason)
        async with self._database.transaction() as connection:
            await connection.execute(statement)

    async def recent_decisions(self, limit: int) -> list[dict[str, Any]]:
        """The newest decisions first, times in seconds since the epoch."""
        statement = select(
            *decisions.c["id", "cycle", "kind", "subject", "choice", "reason"],
            func.extract("epoch", decisions.c.created_at).label("created_at"),
        )
        async with self._database.transaction() as connection:
            rows = await connection.execute(statement.order_by(decisions.c.id.desc()).limit(limit))
            return [_plain(dict(row)) for row in rows.mappings()]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Times as floats, for JSON."""
    return {name: float(value) if name.endswith("_at") and value is not None else value for name, value in row.items()}
