"""What is asked of a real export, and what of it a student's lessons leave out."""

import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from tests.unit.trainer.evaluation.datasets import exported
from trainer.config import DataConfig
from trainer.documents import find_documents
from trainer.errors import DataError
from trainer.evaluation.evaluate import some
from trainer.evaluation.matching import matches
from trainer.evaluation.questions import Question, Suite, read_questions, rows_of, suite_of
from trainer.evaluation.withhold import root_of, withhold


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("export"), 200)


@pytest.fixture(scope="module")
def questions(dataset: Path) -> list[Question]:
    return read_questions(dataset)


def test_every_suite_has_questions_and_the_datasets_own_answers_are_right(questions: list[Question]) -> None:
    counts = Counter(question.suite for question in questions)
    assert set(counts) == set(Suite)
    assert all(count >= 10 for count in counts.values()), counts
    assert all(matches(question.completion, question.answer) for question in questions if question.answer)


def test_code_is_asked_with_the_exam_of_its_crystal(questions: list[Question]) -> None:
    code = [question for question in questions if question.kind == "write_code"]
    assert len(code) == 200
    assert all(question.tests and all(test.startswith("assert ") for test in question.tests) for question in code)
    assert not any(question.tests for question in questions if question.kind != "write_code")


def test_a_withheld_exercise_is_in_no_lesson_and_a_withheld_form_in_one(dataset: Path) -> None:
    suites: dict[str, set[Suite]] = defaultdict(set)
    forms: Counter[str] = Counter()
    for row in rows_of(dataset, "train"):
        exercise = f"{row['crystal']}/{row['id'].rsplit('/', 1)[1]}"
        if row["kind"] in {"compute", "predict_output"}:
            suites[exercise].add(suite_of(row))
            forms[exercise] += 1
        else:
            assert suite_of(row) is Suite.SEEN
    assert set(forms.values()) == {2}
    kinds = Counter(frozenset(each) for each in suites.values())
    whole, parted = frozenset({Suite.PARAMETERS}), frozenset({Suite.SEEN, Suite.PARAPHRASES})
    assert set(kinds) == {whole, parted, frozenset({Suite.SEEN})}
    for withheld in (whole, parted):
        assert 0.05 < kinds[withheld] / len(suites) < 0.16


def test_the_lessons_hold_what_is_seen_and_can_be_trained_on(dataset: Path, tmp_path: Path) -> None:
    counts = withhold(dataset, tmp_path / "lessons")
    lines = (tmp_path / "lessons/lessons.jsonl").read_text().splitlines()
    kept = [json.loads(line)["messages"] for line in lines]
    seen = [row["messages"] for row in rows_of(dataset, "train") if suite_of(row) is Suite.SEEN]
    assert kept == seen and len(kept) == counts["seen"]
    assert counts["parameters"] > 0 < counts["paraphrases"]
    assert root_of(tmp_path / "lessons") == json.loads((dataset / "manifest.json").read_text())["root"]
    assert root_of(dataset) == ""
    splits = find_documents(DataConfig(str(tmp_path / "lessons")))
    assert len(splits.train) + len(splits.validation) == len(kept)


def test_lessons_are_never_written_over_something(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(DataError, match="is there already"):
        withhold(dataset, tmp_path / "mine")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_sample_keeps_the_forms_of_an_exercise_together(questions: list[Question]) -> None:
    sample = some(questions, 8)
    kept = {question.id for question in sample}
    exercises = {question.exercise for question in sample if question.exercise}
    assert kept >= {question.id for question in questions if question.exercise in exercises}
    assert all(8 <= count <= 30 for count in Counter(question.suite for question in sample).values())
    assert some(questions, 0) == questions


def test_what_is_no_dataset_is_refused(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="ghostd export"):
        read_questions(tmp_path)
    broken = exported(tmp_path, 12)
    path = broken / "jsonl/train.jsonl"
    path.write_text(path.read_text().replace("true", "false", 1))
    with pytest.raises(DataError, match="not what the manifest says"):
        read_questions(broken)
