"""The commands: what they print, and their exit codes."""

import signal
from pathlib import Path

import pytest

from tests.unit.trainer.runs import run_file, start
from trainer.__main__ import main

SHORT = {"steps": 2, "evaluate_every": 2}


def called(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["trainer", *arguments])
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the test's own process keeps its handlers
    return main()


def test_params_counts_what_the_formula_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(monkeypatch, "params", str(run_file(tmp_path))) == 0
    printed = dict(line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert printed["attention"] == "8,192"
    assert printed["all"] == printed["by formula"] == "41,472"


def test_train_then_generate_writes_as_many_bytes_as_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert called(monkeypatch, "train", str(run_file(tmp_path, training=SHORT))) == 0
    assert b"done with step 2 of 2" in capfdbinary.readouterr().err
    arguments = ["generate", str(tmp_path / "out"), "--prompt", "def ", "--bytes", "12", "--seed"]
    texts = []
    for seed in ("1", "1", "2"):
        assert called(monkeypatch, *arguments, seed) == 0
        texts.append(capfdbinary.readouterr().out)
    assert 1 <= len(texts[0]) <= 13
    assert texts[0] == texts[1] != texts[2]


def test_an_error_is_one_sentence_and_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(monkeypatch, "generate", str(tmp_path)) == 1
    assert called(monkeypatch, "train", str(tmp_path / "none.json")) == 1
    assert [line.count(".") > 0 for line in capsys.readouterr().err.splitlines()] == [True, True]


@pytest.mark.slow
def test_a_terminated_run_saves_the_step_that_it_is_in(tmp_path: Path) -> None:
    path = run_file(tmp_path, training={"steps": 3000, "evaluate_every": 3000, "checkpoint_every": 3000})
    process = start(path)
    timing = tmp_path / "out/timing.jsonl"
    assert process.stderr is not None
    for line in process.stderr:
        if b" left" in line:  # it is training
            break
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said.decode()
    assert b"the same command goes on" in said
    assert (tmp_path / "out/checkpoints/last.json").exists()
    assert 0 < len(timing.read_text().splitlines()) < 3000
