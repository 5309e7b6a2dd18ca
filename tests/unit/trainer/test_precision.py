"""The number format is asked for or measured, said with its reason, and part of the run from then on."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.unit.trainer.runs import tiny_run
from trainer import precision
from trainer.checkpoint import load
from trainer.config import RunConfig
from trainer.loop import train
from trainer.precision import measured, settle
from trainer.processes import Processes
from trainer.training import Training, prepare

WIDE: dict[str, object] = {"width": 256, "layers": 1, "head_width": 64}


def training_of(folder: Path, asked: str, model: dict[str, object] | None = None) -> Training:
    torch.set_num_threads(1)
    return prepare(tiny_run(folder, training={"precision": asked, "steps": 2}, model=model or {}), Processes())


@pytest.mark.parametrize(
    ("asked", "model", "faster", "said"),
    [
        ("bfloat16", {}, None, "bfloat16, as run.json asks"),
        ("float32", WIDE, None, "float32, as run.json asks"),
        ("auto", {}, None, "float32, for matrices of width 32 are too narrow to gain"),
        ("auto", WIDE, 2.0, "bfloat16, for bfloat16 was measured to be 2.00 times as fast"),
        ("auto", WIDE, 1.05, "float32, for bfloat16 was measured to be 1.05 times as fast"),
    ],
)
def test_what_is_asked_or_faster_by_far_is_chosen(
    tmp_path: Path, asked: str, model: dict[str, object], faster: float | None, said: str
) -> None:
    def times(_training: Training) -> dict[str, float]:
        assert faster, "nothing was to be measured"
        return {"float32": faster, "bfloat16": 1.0}

    training = training_of(tmp_path, asked, model)
    news: list[str] = []
    chosen = said.partition(",")[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(precision, "measured", times)
        settle(training, news.append)
    assert training.progress.precision == chosen and news[0].startswith(said)
    settle(training, news.append)
    assert news[1] == f"{chosen}, as this run began"


def test_a_measurement_takes_time_and_changes_nothing(tmp_path: Path) -> None:
    training = training_of(tmp_path, "auto", WIDE)
    before = {name: tensor.clone() for name, tensor in training.model.state_dict().items()}
    chance, positions = torch.get_rng_state(), list(training.rows.positions)
    seconds = measured(training)
    assert set(seconds) == {"float32", "bfloat16"} and all(0 < each < 60 for each in seconds.values())
    assert all(torch.equal(before[name], tensor) for name, tensor in training.model.state_dict().items())
    assert all(weight.grad is None for weight in training.model.parameters())
    assert torch.equal(chance, torch.get_rng_state()) and positions == training.rows.positions


def test_a_resumed_run_keeps_its_format_whatever_would_be_measured_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = {"float32": 2.0, "bfloat16": 1.0}
    monkeypatch.setattr(precision, "measured", lambda _training: times)
    losses = {}
    for name, stop in (("calm", -1), ("stopped", 2)):
        folder = tmp_path / name
        folder.mkdir()
        run: RunConfig = tiny_run(folder, training={"steps": 5, "precision": "auto"}, model=WIDE)
        steps = iter(range(1, 99))
        times.update({"bfloat16": 1.0})
        train(run, lambda _line: None, lambda steps=steps, stop=stop: next(steps) == stop)  # type: ignore[misc]
        times.update({"bfloat16": 9.0})
        assert train(run, lambda _line: None).precision == "bfloat16"
        losses[name] = (folder / "out/metrics.jsonl").read_bytes()
        assert load(folder / "out/checkpoints", "last").progress.precision == "bfloat16"
    assert losses["calm"] == losses["stopped"]
    asked = replace(run, out=str(tmp_path / "exact"), training=replace(run.training, precision="float32"))
    train(asked, lambda _line: None)
    assert (tmp_path / "exact/metrics.jsonl").read_bytes() != losses["calm"], "bfloat16 was not used"
