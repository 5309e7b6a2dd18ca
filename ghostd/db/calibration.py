"""Calibration in the database: tallies of each run, the calls behind them, and the alarm; it judges nothing."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, insert, select, text, update

from ghostd.core.budget import CachedAnswer
from ghostd.core.calibration import Alarm, Label, Tally
from ghostd.db.calls import Calls
from ghostd.db.engine import Database
from ghostd.db.models.operations import calibration_alarms, calibrations
from ghostd.db.repository import Repository

_WINDOW = text(
    """
    SELECT kind, label, sum(planted) AS planted, sum(accepted) AS accepted,
        sum(mutants_killed) AS mutants_killed, sum(mutants_total) AS mutants_total,
        jsonb_agg(detail ORDER BY id DESC) AS details
    FROM calibrations
    WHERE created_at > now() - make_interval(secs => :window)
        AND (:all OR created_at > coalesce((SELECT max(counts_from) FROM calibration_alarms), '-infinity'))
    GROUP BY kind, label ORDER BY label, kind
    """
)
_TREND = text(
    """
    SELECT cycle_runs.id AS run, extract(epoch FROM cycle_runs.started_at) AS started_at, cycle_runs.reason,
        coalesce(sum(planted) FILTER (WHERE label = 'false'), 0) AS false_planted,
        coalesce(sum(accepted) FILTER (WHERE label = 'false'), 0) AS false_accepted,
        coalesce(sum(planted) FILTER (WHERE label = 'true'), 0) AS true_planted,
        coalesce(sum(accepted) FILTER (WHERE label = 'true'), 0) AS true_accepted
    FROM cycle_runs JOIN calibrations ON calibrations.run_id = cycle_runs.id
    GROUP BY cycle_runs.id ORDER BY cycle_runs.id DESC LIMIT :most
    """
)
_DUE = text(
    """
    SELECT coalesce(
        (SELECT max(created_at) FROM calibrations) < now() - make_interval(secs => :every),
        (SELECT min(started_at) FROM cycle_runs) < now() - make_interval(secs => :first),
        false)
    """
)
_MISJUDGED = 20  # slugs that one row names


class Calibrations(Repository):
    """Implements ports.Calibrations."""

    async def calibration_due(self, every_seconds: float, first_after_seconds: float) -> bool:
        """Whether the newest calibration is that old or, before the first one, the first run of any cycle is."""
        async with self._database.transaction() as connection:
            values = {"every": every_seconds, "first": first_after_seconds}
            return bool((await connection.execute(_DUE, values)).scalar_one())

    async def record_calibration(self, run_id: int, tallies: Sequence[Tally]) -> None:
        """Keep what a run counted, one row for each kind."""
        rows = [
            {
                "run_id": run_id,
                "kind": one.kind,
                "label": one.label.value,
                "planted": one.planted,
                "accepted": one.accepted,
                "mutants_killed": one.mutants_killed,
                "mutants_total": one.mutants_total,
                "detail": {"reasons": dict(one.reasons), "misjudged": list(one.misjudged)},
            }
            for one in tallies
        ]
        if rows:
            async with self._database.transaction() as connection:
                await connection.execute(insert(calibrations), rows)

    async def calibration_window(self, window_seconds: float, *, settled: bool = False) -> tuple[Tally, ...]:
        """The sums of the runs within the window, by kind; `settled` adds those that an alarm has settled."""
        async with self._database.transaction() as connection:
            rows = (await connection.execute(_WINDOW, {"window": window_seconds, "all": settled})).all()
        return tuple(_tally(row) for row in rows)

    async def calibration_trend(self, limit: int) -> list[dict[str, Any]]:
        """The newest runs first, with what they planted and accepted; times in seconds since the epoch."""
        async with self._database.transaction() as connection:
            rows = (await connection.execute(_TREND, {"most": limit})).mappings().all()
        return [{**row, "started_at": float(row["started_at"])} for row in rows]

    async def calibration_alarm(self) -> Alarm | None:
        """The open alarm, None while crystals may be made."""
        statement = select(
            calibration_alarms.c.reason, func.extract("epoch", calibration_alarms.c.raised_at).label("raised_at")
        ).where(calibration_alarms.c.cleared_at.is_(None))
        async with self._database.transaction() as connection:
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else Alarm(row.reason, float(row.raised_at))

    async def raise_calibration_alarm(self, reason: str) -> bool:
        """Open the alarm; False when one is open already. Earlier calibrations count no more."""
        statement = text(
            "INSERT INTO calibration_alarms (reason, counts_from) VALUES (:reason, now()) ON CONFLICT DO NOTHING"
        )
        async with self._database.transaction() as connection:
            return (await connection.execute(statement, {"reason": reason})).rowcount > 0

    async def clear_calibration_alarm(self, cleared_by: str) -> bool:
        """Close the alarm; False when none is open. Only an operator's word makes the bad runs since count no more."""
        values: dict[str, Any] = {"cleared_at": func.now(), "cleared_by": cleared_by}
        if cleared_by == "operator":
            values["counts_from"] = func.now()
        statement = update(calibration_alarms).where(calibration_alarms.c.cleared_at.is_(None)).values(values)
        async with self._database.transaction() as connection:
            return (await connection.execute(statement)).rowcount > 0


class CalibrationCalls(Calls):
    """Calls of calibration: in an account of their own, under no cap, and never answered from what was said before."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, purpose="calibration")

    async def find(self, keys: Sequence[str]) -> dict[str, CachedAnswer]:
        """Nothing: an answer that was kept would skip a part of what is measured."""
        del keys
        return {}


def _tally(row: Any) -> Tally:
    reasons: dict[str, int] = {}
    for detail in row.details:
        for reason, count in detail["reasons"].items():
            reasons[reason] = reasons.get(reason, 0) + count
    frequent = sorted(reasons.items(), key=lambda one: -one[1])[:5]
    misjudged = [slug for detail in row.details for slug in detail["misjudged"]]
    return Tally(
        kind=row.kind,
        label=Label(row.label),
        planted=int(row.planted),
        accepted=int(row.accepted),
        mutants_killed=int(row.mutants_killed),
        mutants_total=int(row.mutants_total),
        reasons=tuple(frequent),
        misjudged=tuple(misjudged[:_MISJUDGED]),
    )
