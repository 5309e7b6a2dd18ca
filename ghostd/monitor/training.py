"""The student's part of the status: the champion, the run under way, the last verdict; it trains nothing."""

from pathlib import Path
from typing import Any

from ghostd.core.training import Pace, RunStatus, TrainingRun
from ghostd.db.store import PostgresStore
from ghostd.errors import TrainingFailed
from ghostd.student.workshop import pace_of, read_plan


async def training_status(store: PostgresStore) -> dict[str, Any]:
    """Plain data; None for what there is not."""
    champion = await store.champion()
    unfinished = await store.unfinished_training()
    finished = [run for run in await store.training_runs(2) if run.status.finished]
    return {
        "crystals_since": await store.crystals_since_training(),
        "champion": _student(champion) if champion else None,
        "last": _student(finished[0]) if finished else None,
        "running": _running(unfinished) if unfinished else None,
    }


def pace_of_run(run: TrainingRun) -> Pace:
    """How far the run is; nothing where it has not begun, or its folder is on another machine."""
    try:
        return pace_of(Path(run.folder), read_plan(Path(run.folder))) if run.folder else Pace()
    except TrainingFailed:
        return Pace()


def _running(run: TrainingRun) -> dict[str, Any]:
    pace = pace_of_run(run)
    return {
        "student": run.id,
        "recipe": run.recipe,
        "status": run.status.value,
        "step": pace.step,
        "steps": pace.steps,
        "left_seconds": pace.left_seconds if run.status is RunStatus.RUNNING else None,
    }


def _student(run: TrainingRun) -> dict[str, Any]:
    score = run.metrics.get("score") or {}
    return {
        "student": run.id,
        "recipe": run.recipe,
        "status": run.status.value,
        "promoted": run.promoted,
        "verdict": run.metrics.get("verdict", ""),
        "bits_per_byte": score.get("bits_per_byte"),
        "right": score.get("right"),
        "asked": score.get("asked"),
        "folder": run.folder,
        "root": run.root,
        "crystals": run.crystals,
        "revoked": run.revoked,  # of its crystals, since
        "finished_at": run.finished_at,
    }
