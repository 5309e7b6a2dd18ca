"""A whole evaluation from the command line: student, untrained, n-gram and endpoint in one table."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from ghostd.textbook.app import create_app
from tests.unit.trainer.evaluation.datasets import exported, served
from tests.unit.trainer.evaluation.test_execution import RUNNER
from tests.unit.trainer.runs import tiny_run
from trainer.__main__ import main
from trainer.errors import EndpointError
from trainer.evaluation.candidate import Answer, Asking
from trainer.evaluation.evaluate import Plan, evaluate
from trainer.evaluation.questions import Question, Suite, read_questions
from trainer.loop import train

SUITES = [suite.value for suite in Suite]


def called(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["trainer", *arguments])
    return main()


class Knowing:
    """A candidate that knows some answers, is unsure of the others, and fails after so many questions."""

    name, fingerprint, parallel = "knowing", "1", 2
    studied = frozenset({Suite.SEEN})

    def __init__(self, questions: list[Question], patience: int = 10**9) -> None:
        self.by_prompt = {question.prompt: question for question in questions}
        self.patience = patience
        self.asked: list[str] = []

    def answer(self, question: str, asking: Asking) -> Answer:
        self.patience -= 1
        if self.patience < 0:
            raise EndpointError("gone; ask later.")
        self.asked.append(question)
        known = self.by_prompt[question]
        sure = known.suite is not Suite.LINEAGES
        text = known.completion if sure and not asking.temperature else "I guess 77"
        return Answer(text, -0.1 if sure else -3.0, 0.25, 1.25)

    def nats(self, question: str, answer: str) -> float:
        return 8 * 0.6931471805599453 * len(answer.encode())


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("export"), 120)


def report(out: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((out / "report.json").read_text())["candidates"]
    return found


def test_one_table_holds_students_baselines_and_endpoints(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(monkeypatch, "withhold", str(dataset), "--out", str(tmp_path / "lessons")) == 0
    assert "rows withheld" in capsys.readouterr().out
    data = {"path": "lessons", "form": "messages"}
    train(tiny_run(tmp_path, data=data, training={"steps": 2, "evaluate_every": 2}), lambda _: None)
    with served(create_app()) as url:
        options = ["--dataset", str(dataset), "--out", str(tmp_path / "report"), "--limit", "1", "--baselines"]
        options += ["--decoder", "eager"]
        endpoint = ["--endpoint", url, "--model", "textbook", "--parallel", "2"]
        assert called(monkeypatch, "eval", str(tmp_path / "out"), *options, *endpoint) == 0
    printed = capsys.readouterr().out
    assert (tmp_path / "report/report.md").read_text() == printed
    found = {each["name"]: each for each in report(tmp_path / "report")}
    assert list(found) == ["out", "out, untrained", "8-gram", "textbook"]
    for name, each in found.items():
        assert f"| {name} |" in printed
        assert list(each["suites"]) == SUITES
    assert found["out"]["suites"]["seen"]["studied"] and not found["out"]["suites"]["lineages"]["studied"]
    assert 7 < found["out, untrained"]["suites"]["lineages"]["bits_per_byte"] < 10
    assert found["8-gram"]["suites"]["seen"]["bits_per_byte"] < 1
    assert found["textbook"]["suites"]["seen"]["bits_per_byte"] is None
    assert found["textbook"]["speed"]["first_byte_ms_p50"] > 0
    assert (tmp_path / "report/report.png").read_bytes().startswith(b"\x89PNG")


def test_the_figures_are_those_of_a_candidate_made_by_hand(dataset: Path, tmp_path: Path) -> None:
    questions = read_questions(dataset)
    runner = tmp_path / "execute.py"
    runner.write_text(RUNNER)
    from trainer.evaluation.execution import Program

    plan = Plan(dataset, tmp_path / "out", limit=3, samples=5, execute=Program((sys.executable, str(runner))))
    text = evaluate(plan, [Knowing(questions)], lambda _: None)
    [found] = report(tmp_path / "out")
    seen, lineages = found["suites"]["seen"], found["suites"]["lineages"]
    assert seen["exact_match"]["value"] == 1 and seen["studied"]
    assert lineages["exact_match"]["count"] == 0 < lineages["exact_match"]["of"]
    assert seen["bits_per_byte"] == pytest.approx(8)
    assert found["threshold"] == -0.1
    assert lineages["confidence"]["abstention"] == {
        "abstained": lineages["exact_match"]["of"], "hallucinated": 0, "right": 0
    }  # fmt: skip
    assert seen["confidence"]["hallucination_at_coverage"] == 0
    assert lineages["confidence"]["hallucination_at_coverage"] == 1
    assert seen["consistency"]["all_right"]["value"] == 1
    parts = [suite["code"] for suite in found["suites"].values() if suite["code"]["problems"]]
    assert parts and all(part["pass@10"] is None for part in parts)
    known = [found["suites"][name]["code"] for name in ("seen", "validation")]
    for part in known:  # the first of five samples is right, the others are guesses
        if part["problems"]:
            assert part["pass@1"] == pytest.approx(0.2) and part["pass@5"] == pytest.approx(1.0)
    assert "100.0% (" in text and found["speed"]["first_byte_ms_p50"] == 250


def test_an_interrupted_examination_pays_for_no_answer_twice(dataset: Path, tmp_path: Path) -> None:
    questions = read_questions(dataset)
    plan = Plan(dataset, tmp_path / "out", limit=4)
    with pytest.raises(EndpointError):
        evaluate(plan, [Knowing(questions, patience=10)], lambda _: None)
    journal = tmp_path / "out/answers-0.jsonl"
    with journal.open("a") as file:
        file.write('{"question": "half a li')
    second = Knowing(questions)
    evaluate(plan, [second], lambda _: None)
    third = Knowing(questions)
    evaluate(plan, [third], lambda _: None)
    asked = sum(suite["exact_match"]["of"] for suite in report(tmp_path / "out")[0]["suites"].values())
    assert len(second.asked) == asked - 10 and third.asked == []
    fourth = Knowing(questions)
    fourth.fingerprint = "2"
    evaluate(plan, [fourth], lambda _: None)
    assert len(fourth.asked) == asked


def test_without_a_program_code_is_not_graded(dataset: Path, tmp_path: Path) -> None:
    evaluate(Plan(dataset, tmp_path / "out", limit=2), [Knowing(read_questions(dataset))], lambda _: None)
    assert all(suite["code"]["problems"] == 0 for suite in report(tmp_path / "out")[0]["suites"].values())


@pytest.mark.parametrize(
    "called_with",
    [
        ([], "nobody to ask"),
        (["--endpoint", "http://127.0.0.1:9/v1"], "needs a --model"),
        (["nowhere"], "is not there"),
    ],
)
def test_a_call_that_cannot_be_meant_is_one_sentence(
    dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    called_with: tuple[list[str], str],
) -> None:
    arguments, reason = called_with
    options = ["--dataset", str(dataset), "--out", str(tmp_path / "report")]
    assert called(monkeypatch, "eval", *arguments, *options) == 1
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "report/report.md").exists()
