"""A small model learns a small task for real, and the table tells how well; long rows are read in pieces."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from trainer.__main__ import main
from trainer.config import ModelConfig, OptimizerConfig
from trainer.probes import learner, lessons
from trainer.probes.learner import build, learn, score
from trainer.probes.table import Line, table
from trainer.probes.task import NOT_ASKED, Learning, names
from trainer.probes.tasks.forgetting import Forgetting
from trainer.probes.tasks.mqar import Mqar

SMALL = Mqar(vocabulary=32, pairs=4)
QUICK = Learning(
    ModelConfig(mixers=("mamba", "attention"), width=32, layers=2, head_width=32, mlp_width=0, states=4),
    OptimizerConfig(floor=0.0),
    length=24,
    test_lengths=(24, 32),
    steps=250,
    batch=32,
    test_rows=64,
)


def test_the_hybrid_learns_to_recall() -> None:
    news: list[str] = []
    model, learnt = learn(SMALL, QUICK, 0, news.append)
    assert learnt.reached >= 0.99
    assert learnt.tested[0].right == pytest.approx(learnt.reached)
    assert learnt.tested[0].chance == 1 / 16
    assert learnt.steps % QUICK.look_every == 0 and len(news) == learnt.steps // QUICK.look_every
    assert learnt.parameters == sum(weight.numel() for weight in model.parameters())
    assert f"| {learnt.parameters:,} | 0 | {learnt.steps} |" in table([Line("mqar", model.shape.mixers, learnt)])


def test_an_equal_seed_learns_equally_and_steps_end_it() -> None:
    short = replace(QUICK, steps=6, look_every=4)
    first, again, other = (learn(SMALL, short, seed, lambda _: None)[1] for seed in (5, 5, 6))
    assert first.loss == again.loss != other.loss
    assert first.steps == 6 and first.reached < 0.99


def test_what_is_read_in_pieces_is_answered_as_the_whole_is(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(SMALL, QUICK, seed=1)
    torch.nn.init.normal_(model.head.weight)
    rows = SMALL.draw(torch.Generator().manual_seed(0), 8, 32)
    with torch.inference_mode():
        whole = learner._said(model, rows)
        monkeypatch.setattr(learner, "_PIECE", 5)
        assert torch.equal(learner._said(model, rows), whole)
        expected = model(rows.ids)[0].argmax(-1)
    there = rows.targets != NOT_ASKED
    assert torch.equal(whole[there], expected[there])


def test_shorter_lessons_hold_as_many_ids() -> None:
    generator = torch.Generator().manual_seed(0)
    shortest = replace(QUICK, length=96, shortest=24, batch=10)
    sizes = [lessons.drawn(SMALL, shortest, generator, long=True).rows.ids.shape for _ in range(60)]
    lengths = {length for _, length in sizes}
    assert min(lengths) >= 24 and max(lengths) <= 96 and len(lengths) > 20
    assert all(960 - length < rows * length <= 960 for rows, length in sizes)


def test_lures_are_counted() -> None:
    """A model that always says the same letter is lured as often as that letter is the older value."""
    task = Forgetting(names=2, values=3)
    model = build(task, replace(QUICK, length=60), seed=0)
    torch.nn.init.zeros_(model.head.weight)
    with torch.no_grad():
        model.head.weight[ord("a")] = 1.0
        model.embedding.weight.fill_(1.0)
    found = score(model, task, 60, rows=200)
    assert found.lured == pytest.approx(1 / 3, abs=0.1)
    assert found.right == pytest.approx(1 / 3, abs=0.1)


def test_the_command_prints_a_table_and_says_whether_it_was_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--width", "16", "--layers", "2", "--steps", "2", "--test-rows", "4", "--batch", "2", "--seeds", "2"]
    file = tmp_path / "figures.json"
    arguments = ["probe", "copy", "--length", "32", "--test-lengths", "32,64", "--json", str(file), *options]
    monkeypatch.setattr("sys.argv", ["trainer", *arguments])
    assert main() == 1  # two steps are not enough
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].endswith("| seconds | CPU s | 32 ids | 64 ids |") and len(printed) == 4
    figures = json.loads(file.read_text())
    assert [each["learnt"]["seed"] for each in figures] == [0, 1]
    assert [tested["length"] for tested in figures[0]["learnt"]["tested"]] == [32, 64]


def test_one_task_of_a_probe_is_trained_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [
        "--width",
        "16",
        "--steps",
        "1",
        "--test-rows",
        "4",
        "--batch",
        "2",
        "--test-lengths",
        "8",
        "--past",
        "0",
    ]
    monkeypatch.setattr("sys.argv", ["trainer", "probe", "state-tracking", "--variant", "modulo five", *options])
    assert main() == 1  # one step is not enough
    assert [line.split(" | ")[0] for line in capsys.readouterr().out.splitlines()[2:]] == ["| modulo five"]
    monkeypatch.setattr("sys.argv", ["trainer", "probe", "state-tracking", "--variant", "modulo nothing"])
    assert main() == 1
    assert "'parity', 'modulo five', 'three things'" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["nothing"], ["copy", "--mixers", "nothing"], ["copy", "--model", "nothing"]])
def test_an_unknown_name_is_answered_with_the_known_ones(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["trainer", "probe", *options])
    assert main() == 1
    said = capsys.readouterr().err
    assert "'nothing'" in said
    assert set(names()) == {"copy", "forgetting", "mqar", "passkey", "persistence", "state-tracking"}
