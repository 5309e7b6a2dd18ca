"""A comparison is fair or is not printed: equal sizes, equal bytes, seconds that survive an interruption."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.trainer.runs import tiny_run
from trainer import checkpoint
from trainer.bench import compare
from trainer.bench import contest as contest_module
from trainer.bench.compare import Plan, gate, table
from trainer.bench.contest import Contest, Result, compete, held_out
from trainer.errors import TrainerError
from trainer.processes import Processes
from trainer.records import plain
from trainer.training import prepare

CONTROL = Result("transformer", 0, 1000, 10, 5000, 5.0, {"256": 2.0, "1024": 1.9}, {"256": "x", "1024": "x"}, 1.0)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({}, ""),
        ({"parameters": 1050}, ""),
        ({"parameters": 1051}, "mamba has 1,051 parameters, transformer 1,000"),
        ({"parameters": 949}, "949 parameters"),
        ({"held_out": {"256": "x", "1024": "y"}}, "paid for other bytes"),
    ],
)
def test_the_gate_is_shut_for_other_sizes_and_other_bytes(other: dict[str, Any], reason: str) -> None:
    found = gate([CONTROL, dataclasses.replace(CONTROL, recipe="mamba", **other)])
    assert reason in found
    assert bool(found) == bool(reason)


def test_the_table_has_mean_and_spread_over_seeds() -> None:
    second = dataclasses.replace(CONTROL, seed=1, bits_per_byte={"256": 2.2, "1024": 1.9}, ids=15000)
    lines = table([CONTROL, second, dataclasses.replace(CONTROL, recipe="mamba")]).splitlines()
    assert lines[0].endswith("| ids a second | 256 ids | 1024 ids |")
    assert lines[2] == "| transformer | 1,000 | 2 | 10 | 2,000 | 2.1000 ± 0.1414 | 1.9000 ± 0.0000 |"
    assert lines[3] == "| mamba | 1,000 | 1 | 10 | 1,000 | 2.0000 | 1.9000 |"


def test_the_table_is_printed_from_what_is_there_and_other_terms_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compare, "corpus", lambda folder: folder)  # 12 MB that nobody reads here
    plan = Plan(("mamba", "transformer"), 2, "1M", 5.0, "cpu", 64, 2, (256, 1024), 512, 1, 1, tmp_path)
    assert compare.main(plan, report_only=True) == 1
    assert "no result yet" in capsys.readouterr().err
    (tmp_path / "results").mkdir()
    for result in (CONTROL, dataclasses.replace(CONTROL, recipe="mamba", seed=1)):
        path = tmp_path / "results" / f"{result.recipe}-{result.seed}.json"
        path.write_text(json.dumps(plain(result)))
    assert compare.main(plan, report_only=True) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in printed[2:4]] == ["mamba", "transformer"]
    assert json.loads(printed[4])["finished"] == 2 and json.loads(printed[4])["planned"] == 4
    assert (tmp_path / "comparison.md").read_text().splitlines() == printed[:4]
    with pytest.raises(TrainerError, match="other terms"):
        compare.main(dataclasses.replace(plan, seconds=6.0), report_only=True)


def contest_in(folder: Path, seconds: float) -> Contest:
    torch.set_num_threads(1)
    run = tiny_run(folder, data={"validation_fraction": 0.4}, training={"precision": "float32"})
    return Contest(run, seconds, "cpu", (16, 64), 512, str(folder / "results/transformer-0.json"))


def test_a_contest_spends_its_seconds_and_pays_for_the_same_bytes_at_every_length(tmp_path: Path) -> None:
    contest = contest_in(tmp_path, 0.6)
    result = compete(contest)
    assert 0.6 <= result.seconds < 3.0
    assert result.steps > 2 and result.ids == result.steps * 8 * 32
    assert result.held_out["16"] == result.held_out["64"]
    assert 1.0 < result.bits_per_byte["64"] < 8.3
    assert json.loads(Path(contest.result).read_text()) == json.loads(json.dumps(plain(result)))
    training = prepare(contest.run, Processes())
    assert sum(batch.ids.numel() for batch in held_out(training, contest, 64)) == 512


def test_a_contest_that_is_cut_off_goes_on_where_it_was_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contest_module, "_SAVED_EVERY", 0.0)
    contest = contest_in(tmp_path, 0.8)
    steps = iter(range(1000))
    real_step = contest_module.take_step

    def interrupted(*arguments: Any) -> Any:
        if next(steps) == 3:
            raise KeyboardInterrupt
        return real_step(*arguments)

    monkeypatch.setattr(contest_module, "take_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compete(contest)
    spent, _ = json.loads((Path(contest.run.out) / "clock.json").read_text())
    assert checkpoint.load(Path(contest.run.out) / "checkpoints", "last").progress.step == 3
    assert 0 < spent < 0.8
    result = compete(contest)
    assert result.steps > 3
    assert result.seconds < 0.8 + 2.0


def test_a_rate_multiplies_what_is_usual_for_every_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "corpus", lambda folder: folder)
    plan = Plan(("mamba", "transformer"), 1, "1M", 5.0, "cpu", 64, 2, (256,), 512, 1, 1, tmp_path)
    usual, twice = compare.contests(plan), compare.contests(dataclasses.replace(plan, rate=2.0))
    assert {each.run.optimizer.learning_rate for each in usual} == {1e-2}
    assert {each.run.optimizer.muon_learning_rate for each in twice} == {0.04}
    assert {each.run.optimizer.learning_rate for each in twice} == {2e-2}
