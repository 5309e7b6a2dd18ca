"""A trained run is told a fact from the command line, says it, lists it and forgets it."""

import json
import signal
from pathlib import Path

import pytest

from tests.unit.trainer.runs import conversation, dataset, run_file
from trainer.__main__ import main
from trainer.bench import ten_questions
from trainer.config import read_run
from trainer.memory.known import questions_of

PAIRS = (("1+1?", "2"), ("2+1?", "3"), ("3+1?", "4"), ("the sky?", "blue"))


def called(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["trainer", *arguments])
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the test's own process keeps its handlers
    return main()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rows = [conversation(question, answer) for question, answer in PAIRS]
    dataset(tmp_path / "dataset", rows, rows[:1])
    path = run_file(
        tmp_path,
        data={"path": "dataset", "form": "messages", "batch": 4},
        model={"recipe": "ghost_memory", "layers": 3, "states": 4},
        training={"steps": 20, "evaluate_every": 20},
    )
    assert called(monkeypatch, "train", str(path)) == 0
    return path


def test_a_fact_is_said_listed_and_forgotten(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(run.parent / "out")
    assert questions_of(read_run(run).data, 2)[0].question == "1+1?"
    assert called(monkeypatch, "memory", "add", out, "the sea?", "green, rarely", "--topic", "colours") == 0
    capsys.readouterr()
    assert called(monkeypatch, "memory", "list", out) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed == {"question": "the sea?", "answer": "green, rarely", "topic": "colours", "uses": 0}
    said = Path(out) / "said"
    with said.open("wb") as file:
        monkeypatch.setattr("sys.stdout", type("Out", (), {"buffer": file, "write": lambda *_: None})())
        assert called(monkeypatch, "generate", out, "--prompt", "the sea?", "--chat", "--temperature", "0") == 0
    assert said.read_bytes() == b"green, rarely\n"
    monkeypatch.undo()
    assert called(monkeypatch, "memory", "forget", out, "the sea?") == 0
    capsys.readouterr()
    assert called(monkeypatch, "memory", "list", out) == 0
    assert capsys.readouterr().out == ""


def test_a_run_without_a_memory_says_which_recipe_has_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run_file(tmp_path, training={"steps": 1, "evaluate_every": 1})
    assert called(monkeypatch, "train", str(path)) == 0
    capsys.readouterr()
    assert called(monkeypatch, "memory", "add", str(tmp_path / "out"), "a?", "b") == 1
    assert "ghost_memory" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["ghost", "ghost_memory"])
def test_a_million_parameters_answer_the_ten_questions_too(recipe: str) -> None:
    outcome = ten_questions.measure(recipe, size="1M")
    assert outcome.exact == len(ten_questions.QUESTIONS) == 10
    assert 1 < outcome.steps < 200
