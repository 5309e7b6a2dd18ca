"""The folders of the students: locks that outlive their owner, plans that stay, room that is made."""

import subprocess
import sys
from pathlib import Path

import pytest

from ghostd.core.training import TrainingPlan
from ghostd.errors import AlreadyRunning, TrainingFailed
from ghostd.student.workshop import Workshop, answers_given, bits_per_byte_of, journal, keep_plan, pace_of, read_plan


def test_a_bench_is_one_process_at_a_time(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    with workshop.bench(7) as bench, pytest.raises(AlreadyRunning, match="run 7"), workshop.bench(7):
        pass
    assert bench.folder == tmp_path / "000007"
    with workshop.bench(7):
        pass


def test_a_child_that_outlives_its_parent_keeps_the_bench(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    with workshop.bench(7) as bench:
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(bench.lock,))
    with pytest.raises(AlreadyRunning), workshop.bench(7):
        pass
    child.communicate(b"\n", timeout=20)
    with workshop.bench(7):
        pass


def test_old_folders_go_with_their_datasets(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    for number in (1, 2, 3):
        with workshop.bench(number) as bench:
            bench.dataset.mkdir()
    (tmp_path / "exams").mkdir()
    assert workshop.prune({2}) == [str(tmp_path / "000001/dataset"), str(tmp_path / "000003/dataset")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000002", "exams"]


def test_the_pace_is_read_from_a_journal_that_is_being_written(tmp_path: Path) -> None:
    plan = keep_plan(tmp_path, TrainingPlan(steps=10))
    assert (read_plan(tmp_path), journal(tmp_path, "timing")) == (plan, [])
    (tmp_path / "timing.jsonl").write_text('{"step": 1, "seconds": 1}\n{"step": 3, "seconds": 3}\n{"step": 4, "sec')
    assert (pace_of(tmp_path, plan).step, pace_of(tmp_path, plan).left_seconds) == (3, 7.0)


def test_what_a_run_has_come_to_is_read_from_its_journals(tmp_path: Path) -> None:
    assert (bits_per_byte_of(tmp_path), answers_given(tmp_path)) == (None, None)
    lines = ['{"step": 1, "loss": 5}', '{"step": 2, "bits_per_byte": 2.5}', '{"step": 4, "bits_per_byte": 2.25}']
    (tmp_path / "metrics.jsonl").write_text("\n".join([*lines, '{"step": 5, "loss": 4}', ""]))
    (tmp_path / "evaluation").mkdir()
    assert answers_given(tmp_path) == 0
    (tmp_path / "evaluation/answers-0.jsonl").write_text('{"about": {}}\n{"question": 1}\n{"question": 2}\n{"que')
    assert (bits_per_byte_of(tmp_path), answers_given(tmp_path)) == (2.25, 2)


def test_a_folder_without_a_plan_names_what_mends_it(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="ghostd train"):
        read_plan(tmp_path)
