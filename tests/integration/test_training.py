"""Training with the real trainer on a real store: from crystals to a judged student, through kills."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ghostd.core.crystal import Crystal, Stage, Verdict, VerdictKind
from ghostd.core.training import RunStatus, TrainingPlan
from ghostd.cycles.config import TrainingConfig
from ghostd.cycles.training import Training, score_from
from ghostd.db.store import PostgresStore
from ghostd.errors import TrainingFailed
from ghostd.export.config import ExportConfig
from ghostd.export.versions import DatasetVersions
from ghostd.student.trainer import ChildFolders, ChildTrainer
from ghostd.student.workshop import Workshop, journal, keep_plan, run_document
from tests.crystals import crystal

pytest.importorskip("torch", reason="needs the train extra: pip install 'ghostd[train]'")
pytest_plugins = ["tests.postgres"]
CRYSTALS = 60
TINY = TrainingConfig(every_crystals=20, width=32, layers=1, steps=20, batch=4, context=64, exam_rows=12, threads=1)


async def populate(store: PostgresStore, numbers: range) -> None:
    """Crystals, stored as verification stores them."""
    for number in numbers:
        one = replace(crystal(number), created_at=0.0)  # now
        await store.admit_concepts([one.concept], "for the test")
        attempt = await store.open_attempt(one.concept, one.teacher)
        await store.record_lesson(attempt.id, one.lesson, one.exam)
        await store.crystallise(attempt.id, one, verdict_of(one))


def verdict_of(one: Crystal) -> Verdict:
    """The verdict that makes the crystal."""
    return Verdict(VerdictKind.VERIFIED, one.grade, Stage.TESTED, None, (), one.claims, one.exercises, one.quality)


def training_on(store: PostgresStore, folder: Path, config: TrainingConfig = TINY) -> Training:
    """The cycle as the daemon puts it together."""
    datasets = DatasetVersions(store, store, folder / "datasets", ExportConfig())
    folders = ChildFolders(Workshop(folder / "students"), seed=0)
    return Training(datasets, store, ChildTrainer(config.threads, 0), folders, store, config)


def trainers_in(folder: Path) -> list[int]:
    """Pids of the trainers that work in the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink() == folder:
                found.append(int(entry.name))
        except OSError:  # it ended meanwhile, or is somebody else's
            continue
    return found


async def seen(what: Callable[[], object]) -> None:
    """Look until it is true, for a minute at most."""
    async with asyncio.timeout(60):
        while not what():  # noqa: ASYNC110 - another process does it, and tells nobody
            await asyncio.sleep(0.05)


@asynccontextmanager
async def during(training: Training, begun: Callable[[], bool]) -> AsyncIterator["asyncio.Task[dict[str, int]]"]:
    """The cycle at work, once `begun` is seen."""
    task = asyncio.create_task(training.train_if_due())
    try:
        await seen(lambda: begun() or task.done())
        assert not task.done(), f"it ended early: {task.result()}"
        yield task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_student_is_trained_examined_and_promoted_and_the_next_must_beat_it(
    store: PostgresStore, tmp_path: Path
) -> None:
    await populate(store, range(CRYSTALS))
    training = training_on(store, tmp_path)
    assert await training.train_if_due() == {"student": 1, "promoted": 1}
    assert await training.train_if_due() == {}, "nothing is new"
    first = await store.champion()
    assert first is not None
    score = score_from(first.metrics)
    assert score is not None
    assert score.bits_per_byte > 0 and score.asked > 0 and score.exam == first.metrics["exam"]["sha256"]
    card = json.loads((Path(first.folder) / "card.json").read_text())
    manifest = json.loads((Path(first.folder) / "dataset/manifest.json").read_text())
    assert card["dataset"]["root"] == first.root == manifest["root"]
    assert (card["seed"], card["score"]["bits_per_byte"]) == (1, score.bits_per_byte)
    assert first.root in (Path(first.folder) / "README.md").read_text()

    await populate(store, range(CRYSTALS, CRYSTALS + 20))
    worse = replace(training, config=TINY.model_copy(update={"steps": 1}))
    assert await worse.train_if_due() == {"student": 2, "promoted": 0}
    second = (await store.training_runs())[0]
    assert (second.status, second.promoted, second.metrics["against"]) == (RunStatus.OK, False, 1)
    assert second.metrics["exam"] == first.metrics["exam"], "the exam stays what it was"
    assert (await store.champion()) == first
    choices = [(one["subject"], one["choice"]) for one in await store.recent_decisions(2)]
    assert choices == [("student 2", "not promoted"), ("student 1", "promoted")]


async def test_a_trainer_that_is_killed_is_started_again_and_goes_on(store: PostgresStore, tmp_path: Path) -> None:
    await populate(store, range(CRYSTALS))
    long = TINY.model_copy(update={"steps": 2000})
    folder = tmp_path / "students/000001"
    training = training_on(store, tmp_path, long)

    def saved() -> bool:
        return (folder / "checkpoints/last.json").exists()

    async with during(training, saved) as task:
        (pid,) = trainers_in(folder)
        os.kill(pid, signal.SIGKILL)
        await seen(lambda: set(trainers_in(folder)) - {pid})
        training.trainer.interrupt()
        assert await task == {}
    steps = [one["step"] for one in journal(folder, "timing")]
    assert steps == list(range(1, len(steps) + 1)), "no step is missing or told twice"
    assert len(steps) >= 50
    (run,) = await store.training_runs()
    assert run.status is RunStatus.INTERRUPTED

    ended = replace(training_on(store, tmp_path, long), config=long.model_copy(update={"hours": 1e-4}))
    (folder / "plan.json").write_text((folder / "plan.json").read_text().replace("3600.0", "0.1"))
    assert await ended.train_if_due() == {"student": 1, "promoted": 1}, "what was saved counts when the time is over"


async def test_a_run_that_the_trainer_refuses_fails_with_its_own_words(store: PostgresStore, tmp_path: Path) -> None:
    await populate(store, range(CRYSTALS))
    unknown = training_on(store, tmp_path, TINY.model_copy(update={"recipe": "no_such_recipe"}))
    with pytest.raises(TrainingFailed, match="no_such_recipe"):
        await unknown.train_if_due()
    (run,) = await store.training_runs()
    assert run.status is RunStatus.FAILED and "no_such_recipe" in run.metrics["verdict"]
    assert await unknown.train_if_due() == {}, "it is not tried again before enough is new"


def test_a_run_that_began_keeps_its_plan(tmp_path: Path) -> None:
    first, later = TrainingPlan(steps=7), TrainingPlan(steps=9)
    assert keep_plan(tmp_path, first) == first
    assert keep_plan(tmp_path, later) == first
    assert json.loads((tmp_path / "run.json").read_text()) == run_document(first)
