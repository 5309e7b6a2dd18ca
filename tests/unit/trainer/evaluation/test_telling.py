"""A student with a memory is told answers, asked with its memory on and off, and both stand in one table."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from tests.unit.trainer.evaluation.datasets import exported
from tests.unit.trainer.evaluation.test_evaluate import called
from tests.unit.trainer.runs import tiny_run
from trainer.config import ModelConfig
from trainer.evaluation.candidate import Asking
from trainer.evaluation.questions import Question, Suite, read_questions
from trainer.evaluation.student import student, untrained
from trainer.evaluation.telling import Told, tell, worth_telling
from trainer.loop import train
from trainer.model import LanguageModel
from trainer.shape import shape_of


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("export"), 120)


@pytest.fixture(scope="module")
def questions(dataset: Path) -> list[Question]:
    return read_questions(dataset)


def random_model() -> LanguageModel:
    torch.manual_seed(0)
    config = ModelConfig(recipe="ghost_memory", width=64, layers=3, head_width=32, states=4, stride=16)
    return LanguageModel(shape_of(config, context=128)).eval()


def test_one_form_of_exercises_that_no_lesson_holds_is_told(questions: list[Question]) -> None:
    chosen = worth_telling(questions, 10)
    assert 3 <= len(chosen) <= 10
    assert {one.suite for one in chosen} == {Suite.PARAMETERS}
    assert len({one.exercise for one in chosen}) == len(chosen)
    everything = worth_telling(questions, 10_000)
    assert {one.exercise for one in everything} == {one.exercise for one in questions if one.suite is Suite.PARAMETERS}
    assert {one.kind for one in everything} == {"compute", "predict_output"}, "neither form is always the told one"
    assert worth_telling(questions, 0) == []


def test_what_is_told_is_said_and_its_other_form_is_grouped_apart(questions: list[Question]) -> None:
    chosen = worth_telling(questions, 4)
    model = random_model()
    telling = tell(model, chosen, [])
    assert telling.refused + len(telling.questions) == len(chosen) and telling.questions
    by_group = {group: [one for one in questions if telling.of(one) is group] for group in Told}
    assert {one.id for one in by_group[Told.ITSELF]} == telling.questions
    assert {one.exercise for one in by_group[Told.OTHER_FORM]} <= telling.exercises
    assert len(by_group[Told.NOTHING]) > len(chosen)
    on = student("on", model, "eager")
    plain = random_model()
    off = student("off", plain, "eager")
    assert on.fingerprint != off.fingerprint, "answers with and without a memory are not mistaken for one another"
    for one in by_group[Told.ITSELF]:
        assert on.answer(one.prompt, Asking(most=300)).text == one.completion
        assert off.answer(one.prompt, Asking(most=30)).text != one.completion


def test_an_untrained_model_is_cut_short() -> None:
    before = untrained(student("run, memory off", random_model(), "eager"))
    assert before.name == "run, untrained"
    said = before.answer("How many?", Asking(most=300))
    assert len(said.text.encode(errors="replace")) <= 3 * 32 and (said.complete or said.text)
    longer = dataclasses.replace(before, longest=None).answer("How many?", Asking(most=60))
    assert longer.text.startswith(said.text[:20])


def test_memory_on_and_off_stand_in_one_table(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(monkeypatch, "withhold", str(dataset), "--out", str(tmp_path / "lessons")) == 0
    data = {"path": "lessons", "form": "messages"}
    model = {"recipe": "ghost_memory", "width": 64, "layers": 3, "head_width": 32, "states": 4, "stride": 16}
    train(tiny_run(tmp_path, data=data, model=model, training={"steps": 1, "evaluate_every": 1}), lambda _: None)
    capsys.readouterr()
    options = ["--dataset", str(dataset), "--out", str(tmp_path / "report"), "--limit", "2", "--tell", "2"]
    assert called(monkeypatch, "eval", str(tmp_path / "out"), *options, "--decoder", "eager") == 0
    printed = capsys.readouterr().out
    found = json.loads((tmp_path / "report/report.json").read_text())
    off, on = found["candidates"]
    assert (off["name"], on["name"]) == ("out, memory off", "out, memory on")
    told = found["told"]["answers"]
    assert told + found["told"]["refused"] == 2
    assert on["memory"]["told"]["exact_match"]["count"] == told > 0
    assert (off["memory"]["told"]["exact_match"]["count"], off["memory"]["told"]["exact_match"]["of"]) == (0, told)
    assert on["memory"]["told"]["hallucination_at_coverage"] == 0
    assert set(on["memory"]["told"]["hallucination_by_domain"]) == set(on["memory"]["told"]["by_domain"])
    assert "## With and without memory" in printed and "**told**" in printed
    assert (tmp_path / "report/report.png").read_bytes().startswith(b"\x89PNG")


def test_telling_needs_a_memory(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(monkeypatch, "withhold", str(dataset), "--out", str(tmp_path / "lessons")) == 0
    data = {"path": "lessons", "form": "messages"}
    train(tiny_run(tmp_path, data=data, training={"steps": 1, "evaluate_every": 1}), lambda _: None)
    options = ["--dataset", str(dataset), "--out", str(tmp_path / "report"), "--limit", "2", "--tell", "2"]
    assert called(monkeypatch, "eval", str(tmp_path / "out"), *options) == 1
    assert "no fact memory" in capsys.readouterr().err
