"""The frozen exam: what is chosen, that it stays, and that nothing of it is ever trained on."""

import json
from pathlib import Path

import pytest

from ghostd.core.split import Split, home
from ghostd.errors import TrainingFailed
from ghostd.export.config import ExportConfig
from ghostd.export.dataset import ExportRequest, write_dataset
from ghostd.student.exam import fix_exam, frozen_exam, require_unseen
from tests.crystals import crystals, stream


async def written(out: Path, count: int, seed: int = ExportConfig().seed) -> Path:
    """A real dataset of so many crystals."""
    await write_dataset(stream(crystals(count)), ExportRequest(out, formats=("jsonl",), seed=seed))
    return out


async def test_only_lineages_that_are_tested_for_good_are_asked(tmp_path: Path) -> None:
    exam = fix_exam(tmp_path / "exams", await written(tmp_path / "dataset", 150), 40, 0)
    rows = [json.loads(line) for line in (exam.folder / "jsonl/test.jsonl").read_text().splitlines()]
    assert len(rows) == exam.rows == 40
    assert {home(row["lineage"], 0) for row in rows} == {Split.TEST}
    assert all(row["answer"] or row["kind"] == "write_code" for row in rows)
    records = {json.loads(line)["id"] for line in (exam.folder / "records.jsonl").read_text().splitlines()}
    assert {row["crystal"] for row in rows} <= records
    assert (exam.folder / "jsonl/train.jsonl").read_bytes() == b""


async def test_the_exam_stays_while_the_dataset_grows(tmp_path: Path) -> None:
    first = fix_exam(tmp_path / "exams", await written(tmp_path / "dataset", 150), 40, 0)
    assert frozen_exam(tmp_path / "exams") == first
    grown = await written(tmp_path / "grown", 300)
    require_unseen(first, grown)
    with pytest.raises(TrainingFailed, match=r"export\.seed"):
        require_unseen(first, await written(tmp_path / "shuffled", 300, seed=1))


@pytest.mark.parametrize("file", ["jsonl/test.jsonl", "jsonl/validation.jsonl", "records.jsonl", "manifest.json"])
async def test_an_altered_exam_is_none(tmp_path: Path, file: str) -> None:
    exam = fix_exam(tmp_path / "exams", await written(tmp_path / "dataset", 150), 40, 0)
    path = exam.folder / file
    path.write_bytes(path.read_bytes().replace(b'"', b"'", 1))
    assert frozen_exam(tmp_path / "exams") is None
    assert fix_exam(tmp_path / "exams", tmp_path / "dataset", 40, 0) == exam, "and is written anew"


async def test_a_dataset_that_holds_nothing_out_for_good_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="learn more first"):
        fix_exam(tmp_path / "exams", await written(tmp_path / "dataset", 3), 40, 0)


def test_there_is_no_exam_before_the_first_training(tmp_path: Path) -> None:
    assert frozen_exam(tmp_path / "exams") is None
