"""How the knowledge grows and where attempts are lost: counts only, read in one go."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, text

from ghostd.core.crystal import Stage
from ghostd.db.encoding import restore
from ghostd.db.repository import Repository

_COUNTS = text(
    """
    SELECT
        (SELECT count(*) FROM crystals WHERE NOT EXISTS (
            SELECT 1 FROM revocations WHERE revocations.crystal_id = crystals.id)) AS crystals,
        (SELECT count(*) FROM revocations) AS revoked,
        (SELECT count(*) FROM crystals WHERE created_at > now() - interval '5 minutes') AS crystals_last_5_minutes,
        (SELECT count(*) FROM crystals WHERE created_at > now() - interval '1 day') AS crystals_last_day,
        (SELECT count(*) FROM domains) AS domains,
        (SELECT count(*) FROM concepts) AS concepts,
        (SELECT count(*) FROM attempts) AS attempts,
        (SELECT count(*) FROM evidence) AS executions,
        (SELECT count(*) FROM ledger) AS ledger_size,
        pg_database_size(current_database()) AS storage_bytes
    """
)
_STAGES = text(
    """
    SELECT stage, count(*) AS attempts, count(*) FILTER (WHERE verdict = '') AS open
    FROM attempts WHERE created_at >= coalesce(to_timestamp(:since), '-infinity') GROUP BY stage
    """
)
_REJECTIONS = text(
    """
    SELECT stage, reason, count(*) AS lost FROM attempts
    WHERE verdict NOT IN ('', 'verified') AND created_at >= coalesce(to_timestamp(:since), '-infinity')
    GROUP BY stage, reason ORDER BY count(*) DESC, stage, reason LIMIT :most
    """
).bindparams(bindparam("most", 50))
# by id and not by the time of the verdict: the newest ids are at hand without a sort
_RUNG_COSTS = text(
    """
    WITH recent AS (
        SELECT id FROM attempts WHERE finished_at IS NOT NULL AND lesson IS NOT NULL ORDER BY id DESC LIMIT :lessons
    ), costs AS (
        SELECT attempt_id, rung, min(evidence.id) AS place, count(*) AS executions,
               sum(cpu_seconds) AS cpu, sum(wall_seconds) AS wall
        FROM evidence JOIN recent ON recent.id = evidence.attempt_id GROUP BY attempt_id, rung
    )
    SELECT rung, count(*) AS lessons, sum(executions) AS executions,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu) AS cpu_seconds,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY wall) AS wall_seconds
    FROM costs GROUP BY rung ORDER BY min(place)
    """
)


@dataclass(frozen=True, slots=True)
class Rejections:
    """Attempts that were lost at one stage for one reason."""

    stage: Stage  # the last one that was passed
    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class RungCost:
    """What one rung cost over the newest lessons that reached it."""

    rung: str
    lessons: int
    executions: int  # in all
    cpu_seconds: float  # of the median lesson
    wall_seconds: float  # likewise


@dataclass(frozen=True, slots=True)
class Waterfall:
    """How far attempts came: passed[n] = passed[n + 1] + lost after n + open[n]."""

    passed: dict[Stage, int] = field(default_factory=dict)  # cumulative: came at least this far
    open: dict[Stage, int] = field(default_factory=dict)  # stand here and are under way
    rejections: tuple[Rejections, ...] = ()  # the most frequent first


class Growth(Repository):
    """Figures for people."""

    async def counts(self) -> dict[str, Any]:
        """Totals, growth and the size on disk in bytes."""
        async with self._database.transaction() as connection:
            return dict((await connection.execute(_COUNTS)).mappings().one())

    async def rung_costs(self, lessons: int = 200) -> list[RungCost]:
        """Per rung, what the median of the newest finished lessons cost there; [] before the first one."""
        async with self._database.transaction() as connection:
            rows = await connection.execute(_RUNG_COSTS, {"lessons": lessons})
            return [RungCost(*row) for row in rows]

    async def waterfall(self, since: float | None = None) -> Waterfall:
        """The yield waterfall over attempts opened at or after `since`, in seconds since the epoch; None: all."""
        async with self._database.transaction() as connection:
            stages = (await connection.execute(_STAGES, {"since": since})).all()
            rejections = (await connection.execute(_REJECTIONS, {"since": since})).all()
        order = list(Stage)
        at = {Stage(row.stage): row.attempts for row in stages}
        return Waterfall(
            passed={stage: sum(at.get(later, 0) for later in order[place:]) for place, stage in enumerate(order)},
            open={Stage(row.stage): row.open for row in stages if row.open},
            rejections=tuple(Rejections(Stage(row.stage), restore(row.reason), row.lost) for row in rejections),
        )
