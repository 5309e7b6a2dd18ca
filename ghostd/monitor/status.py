"""The status document: what the daemon does, how the knowledge grows, where attempts are lost, what it costs."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ghostd.core.calibration import Label, total
from ghostd.core.crystal import Stage
from ghostd.daemon.health import is_running, read_state
from ghostd.db.store import PostgresStore
from ghostd.monitor.training import training_status

_DAY_SECONDS = 86_400.0


def daemon_status(data_dir: Path) -> dict[str, Any]:
    """What the process on this data directory says of itself; also right when there is none."""
    state = read_state(data_dir)
    running = is_running(data_dir)
    if state is None:
        return {"running": running}
    return {
        "running": running,
        "pid": state.pid if running else None,
        "phase": state.phase if running else "stopped",
        "started_at": state.started_at,
        "heartbeat_age_seconds": round(time.time() - state.heartbeat_at, 1),
        "teacher": state.teacher,
        "sandbox": state.sandbox,
        "store": state.store,
        "choices": state.choices,
        "alarm": state.alarm if running else "",
    }


async def knowledge_status(store: PostgresStore, calibration_days: float) -> dict[str, Any]:
    """Everything that the database knows, read in one go; calibration over the days that its alarm is judged by."""
    waterfall = await store.waterfall()
    domains = await store.domains()
    return {
        **await store.counts(),
        "waterfall": waterfall_rows(waterfall.passed, waterfall.open),
        "rejections": [{"stage": one.stage, "reason": one.reason, "count": one.count} for one in waterfall.rejections],
        "domains": [
            {
                "domain": view.domain.slug,
                "concepts": view.concepts,
                "open": view.open_concepts,
                "crystals": view.crystals,
                "attempts": view.attempts,
                "verified": view.verified,
            }
            for view in domains
        ],
        "spend": await store.spend(),
        "rungs": [asdict(one) for one in await store.rung_costs()],
        "runs": await store.recent_runs(8),
        "calibration": await calibration_status(store, calibration_days),
        "training": await training_status(store),
    }


async def calibration_status(store: PostgresStore, days: float) -> dict[str, Any]:
    """How often the verifier was fooled in as many last days, bounds at 95 %, and whether crystallisation pauses."""
    tallies = await store.calibration_window(days * _DAY_SECONDS)
    alarm = await store.calibration_alarm()
    false, true = total(tallies, Label.FALSE), total(tallies, Label.TRUE)
    return {
        "false_planted": false.planted,
        "false_accepted": false.accepted,
        "false_accept_bound": false.accepts.high,
        "true_planted": true.planted,
        "true_accepted": true.accepted,
        "true_accept_bound": true.accepts.low,
        "paused": alarm.reason if alarm else "",
        "paused_at": alarm.raised_at if alarm else None,
    }


def waterfall_rows(passed: dict[Stage, int], open_at: dict[Stage, int]) -> list[dict[str, Any]]:
    """Per stage: how many attempts passed it, how many were lost before the next one, how many are under way there.

    Adds up by construction of the counts: passed[n] = passed[n + 1] + lost[n] + open[n], and asked = all attempts.
    """
    stages = list(Stage)
    rows: list[dict[str, Any]] = []
    for stage, following in zip(stages, [*stages[1:], None], strict=True):
        here, under_way = passed.get(stage, 0), open_at.get(stage, 0)
        onward = passed.get(following, 0) if following else here - under_way
        rows.append({"stage": stage.value, "passed": here, "open": under_way, "lost": here - onward - under_way})
    return rows
