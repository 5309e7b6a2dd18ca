"""The student's part of the status: the champion, the run under way, the last verdict; it trains nothing."""

import contextlib
from pathlib import Path
from typing import Any

from ghostd.core.training import Pace, RunStatus, TrainingRun
from ghostd.db.store import PostgresStore
from ghostd.errors import TrainingFailed
from ghostd.student.workshop import answers_given, bits_per_byte_of, pace_of, read_plan


async def training_status(store: PostgresStore) -> dict[str, Any]:
    """Plain data; None for what there is not."""
    champion = await store.champion()
    unfinished = await store.unfinished_training()
    finished = [run for run in await store.training_runs(2) if run.status.finished]
    return {
        "crystals_since": await store.crystals_since_training(),
        "champion": _student(champion) if champion else None,
        "last": _student(finished[0]) if finished else None,
        "running": progress_of(unfinished) if unfinished else None,
    }


def progress_of(run: TrainingRun) -> dict[str, Any]:
    """How far an unfinished run is; nothing where it has not begun, or its folder is on another machine."""
    folder = Path(run.folder) if run.folder else None
    pace = Pace()
    if folder is not None:
        with contextlib.suppress(TrainingFailed):
            pace = pace_of(folder, read_plan(folder))
    return {
        "student": run.id,
        "recipe": run.recipe,
        "status": run.status.value,
        "step": pace.step,
        "steps": pace.steps,
        "left_seconds": pace.left_seconds if run.status is RunStatus.RUNNING else None,
        "bits_per_byte": bits_per_byte_of(folder) if folder else None,  # of what it holds back, when it looked last
        "answers": answers_given(folder) if folder else None,  # in its exam, once that began
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
