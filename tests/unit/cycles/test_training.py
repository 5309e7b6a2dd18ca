"""The training cycle: when it trains, what becomes of the student, and what an interruption leaves."""

from dataclasses import replace
from pathlib import Path

import pytest

from ghostd.core.promotion import Score
from ghostd.core.training import RunStatus
from ghostd.cycles.config import TrainingConfig
from ghostd.cycles.training import Training
from ghostd.errors import AlreadyRunning, NotFound, TrainerMissing, TrainingError, TrainingFailed
from ghostd.testing.journal import MemoryJournal
from ghostd.testing.student import MemoryFolders, MemoryStudents, ScriptedTrainer

EXAM = "e" * 64
CONFIG = TrainingConfig(every_crystals=100, keep=1)


def score(bits: float) -> Score:
    return Score(EXAM, bits, 10, 5)


def training(trainer: ScriptedTrainer, fresh: int = 100, config: TrainingConfig = CONFIG) -> Training:
    students = MemoryStudents(fresh)
    return Training(students, students, trainer, MemoryFolders(Path("/nowhere")), MemoryJournal(), config)


@pytest.mark.parametrize(("fresh", "lacks", "every"), [(99, "", 100), (100, "torch is missing", 100), (100, "", 0)])
async def test_nothing_is_trained_before_it_is_due_or_without_torch(fresh: int, lacks: str, every: int) -> None:
    cycle = training(ScriptedTrainer(lacks=lacks), fresh, CONFIG.model_copy(update={"every_crystals": every}))
    assert await cycle.train_if_due() == {}
    assert (cycle.students.runs, cycle.journal.runs) == ({}, {})


async def test_asking_for_a_student_without_torch_names_what_mends_it() -> None:
    with pytest.raises(TrainerMissing, match="torch is missing"):
        await training(ScriptedTrainer(lacks="torch is missing")).train_now()


async def test_students_follow_one_another_and_the_better_one_stays_champion() -> None:
    cycle = training(ScriptedTrainer(scores=[score(3.0), score(2.0), score(2.5)]))
    for promoted in (1, 1, 0):
        cycle.students.fresh = 100
        assert (await cycle.train_if_due())["promoted"] == promoted
    champion = await cycle.students.champion()
    assert champion is not None and champion.id == 2
    assert [run.metrics["against"] for run in cycle.students.runs.values()] == [None, 1, 2]
    assert [(one.subject, one.choice) for one in cycle.journal.decisions] == [
        ("student 1", "promoted"),
        ("student 2", "promoted"),
        ("student 3", "not promoted"),
    ]
    assert cycle.folders.kept == {2, 3}
    assert [run.promoted for run in cycle.folders.concluded] == [True, True, False]
    assert cycle.trainer.examined == [1, 2, 3], "a score that is known is not asked for again"


async def test_a_champion_of_another_exam_is_examined_anew() -> None:
    cycle = training(ScriptedTrainer(scores=[replace(score(1.0), exam="f" * 64), score(2.0), score(1.0)]))
    await cycle.train_now()
    await cycle.train_now()
    assert cycle.trainer.examined == [1, 2, 1]
    assert cycle.students.runs[2].promoted is False


async def test_a_champion_whose_folder_is_lost_is_no_champion() -> None:
    cycle = training(ScriptedTrainer(scores=[score(1.0), score(9.0)]))
    await cycle.train_now()
    cycle.folders.lost.add(1)
    await cycle.train_now()
    assert (cycle.students.runs[2].promoted, cycle.students.runs[2].metrics["against"]) == (True, None)


@pytest.mark.parametrize("trainings", [[False, True], [True, True]])
async def test_an_interrupted_run_is_resumed_with_its_dataset_and_its_plan(trainings: list[bool]) -> None:
    first, second = ScriptedTrainer(trainings=trainings, scores=[score(2.0)]), ScriptedTrainer(scores=[score(2.0)])
    cycle = training(first)
    if trainings[0]:
        first.interrupt()
    assert await cycle.train_if_due() == {}
    assert [run.status for run in cycle.students.runs.values()] == [RunStatus.INTERRUPTED]
    assert [run.status for run in cycle.journal.runs.values()] == ["interrupted"]
    later = replace(cycle, trainer=second, config=CONFIG.model_copy(update={"steps": 7}))
    assert await later.train_if_due() == {"student": 1, "promoted": 1}
    assert len(cycle.students.written) == 1
    assert cycle.students.runs[1].metrics["plan"]["steps"] == CONFIG.steps


async def test_a_run_left_by_a_killed_process_goes_on_though_nothing_is_new() -> None:
    cycle = training(ScriptedTrainer(scores=[score(2.0)]), fresh=0)
    run = await cycle.students.request_training("transformer")
    await cycle.students.begin_training(run.id, "/nowhere/1", None)
    assert await cycle.train_if_due() == {"student": 1, "promoted": 1}


async def test_a_failure_ends_the_run_and_is_recorded_with_its_reason() -> None:
    cycle = training(ScriptedTrainer(trainings=[TrainingFailed("the loss is nan"), True], scores=[score(2.0)]))
    with pytest.raises(TrainingFailed, match="the loss is nan"):
        await cycle.train_if_due()
    run = cycle.students.runs[1]
    assert (run.status, run.metrics["verdict"]) == (RunStatus.FAILED, "the loss is nan")
    assert [one.status for one in cycle.journal.runs.values()] == ["failed"]
    assert await cycle.train_if_due() == {}, "not again before enough is new"
    assert await cycle.train_now() == {"student": 2, "promoted": 1}


async def test_a_student_whose_exam_failed_is_examined_again_and_not_trained_anew() -> None:
    cycle = training(ScriptedTrainer(trainings=[True, True], scores=[TrainingFailed("no sandbox"), score(2.0)]))
    with pytest.raises(TrainingFailed, match="no sandbox"):
        await cycle.train_now()
    plan = cycle.folders.plans[1]
    later = replace(cycle, config=CONFIG.model_copy(update={"steps": 7}))
    assert await later.carry_out(await later.reopen(1)) == {"student": 1, "promoted": 1}
    assert len(cycle.students.written) == 1 and cycle.folders.plans == {1: plan}
    assert cycle.students.runs[1].metrics["verdict"].startswith("it is the first student")


async def test_only_a_failed_student_that_is_still_there_is_taken_up_again() -> None:
    cycle = training(ScriptedTrainer(trainings=[True, TrainingFailed("nan")], scores=[score(2.0)]))
    with pytest.raises(NotFound):
        await cycle.reopen(1)
    await cycle.train_now()
    with pytest.raises(TrainingError, match="did not fail"):
        await cycle.reopen(1)
    with pytest.raises(TrainingFailed, match="nan"):
        await cycle.train_now()
    await cycle.students.request_training("transformer")
    with pytest.raises(AlreadyRunning):
        await cycle.reopen(2)
    cycle.folders.lost.add(2)
    with pytest.raises(NotFound, match="train --now"):
        await cycle.reopen(2)


async def test_a_run_that_another_process_works_on_is_left_to_it() -> None:
    cycle = training(ScriptedTrainer(scores=[score(2.0)]))
    run = await cycle.students.request_training("transformer")
    with cycle.folders.bench(run.id):
        assert await cycle.train_if_due() == {}
        with pytest.raises(AlreadyRunning):
            await cycle.train_now()
    assert await cycle.train_if_due() == {"student": 1, "promoted": 1}
