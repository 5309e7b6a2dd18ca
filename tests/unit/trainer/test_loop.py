"""Training learns, stops when it gets no better, and goes on after a kill as if nothing had happened."""

import json
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.unit.trainer.runs import conversation, dataset, run_file, start, tiny_run
from trainer import checkpoint
from trainer.checkpoint import Progress
from trainer.errors import CheckpointError, Diverged
from trainer.evaluate import Score
from trainer.generate import generate, load_model, prompt_ids
from trainer.loop import judged, train
from trainer.sampling import Sampling

KILLS = 5
EVERYTHING: dict[str, dict[str, object]] = {  # that has a state to lose
    "data": {"carry_state": True, "middle_fraction": 0.5},
    "model": {"mixers": ["mamba", "attention"], "states": 4},
    "training": {"steps": 60, "evaluate_every": 10, "checkpoint_every": 4, "sample_prompts": ["def "]},
}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def silent(_line: str) -> None:
    pass


def records(out: Path, journal: str = "metrics") -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / f"{journal}.jsonl").read_text().splitlines()]


def last_folder(out: Path) -> Path:
    folder = out / "checkpoints"
    return folder / str(json.loads((folder / "last.json").read_text())["folder"])


def step_of(out: Path) -> int:
    """The step of the last checkpoint; 0 before the first."""
    return int(last_folder(out).name.split("-")[1]) if (out / "checkpoints/last.json").exists() else 0


def hashes(out: Path) -> dict[str, str]:
    """Of the last weights and the last optimizer state."""
    found: dict[str, str] = json.loads((last_folder(out) / "state.json").read_text())["sha256"]
    return found


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_twenty_kills_at_random_moments_and_in_the_middle_of_checkpoints_change_not_a_bit(tmp_path: Path) -> None:
    """Every other kill comes while a checkpoint is written, the rest come anywhere, also before the first step."""
    steps = 1000  # more than are taken between the kills
    sections = {**EVERYTHING, "training": {**EVERYTHING["training"], "steps": steps, "checkpoint_every": 2}}
    (tmp_path / "calm").mkdir()
    train(tiny_run(tmp_path / "calm", **sections), silent)
    path, out = run_file(tmp_path, **sections), tmp_path / "out"
    chance = random.Random(time.time_ns())
    unfinished = 0
    for kill in range(20):
        process = start(path)
        before = step_of(out)
        if kill % 2:
            while step_of(out) < before + 6 and process.poll() is None:
                time.sleep(0.001)
            while not list((out / "checkpoints").glob("partial-*")) and process.poll() is None:
                pass
            time.sleep(chance.uniform(0, 0.003))
        else:
            time.sleep(chance.uniform(0.5, 6))
        assert process.poll() is None, "it ended before it was killed"
        process.kill()
        process.communicate()
        unfinished += len(list((out / "checkpoints").glob("partial-*")))
    assert unfinished >= 3, "no kill came while a checkpoint was written"
    assert 0 < step_of(out) < steps
    assert train(tiny_run(tmp_path, **sections), silent).step == steps
    for journal in ("metrics", "samples"):
        assert (out / f"{journal}.jsonl").read_bytes() == (tmp_path / f"calm/out/{journal}.jsonl").read_bytes()
    assert hashes(out) == hashes(tmp_path / "calm/out")
    assert [path.name for path in (out / "checkpoints").glob("partial-*")] == []


@pytest.mark.slow
def test_five_kills_at_random_steps_change_neither_a_weight_nor_a_metric(tmp_path: Path) -> None:
    (tmp_path / "calm").mkdir()
    train(tiny_run(tmp_path / "calm", **EVERYTHING), silent)
    path, out = run_file(tmp_path, **EVERYTHING), tmp_path / "out"
    chance = random.Random(time.time_ns())
    for target in sorted(chance.sample(range(1, 40), KILLS)):
        process = start(path)
        while step_of(out) < target and process.poll() is None:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.03))  # in the middle of a step, an evaluation or a checkpoint
        assert process.poll() is None, "it ended before it was killed"
        process.kill()
        process.communicate()
    assert 0 < step_of(out) < 60
    assert train(tiny_run(tmp_path, **EVERYTHING), silent).step == 60
    for journal in ("metrics", "samples"):
        assert (out / f"{journal}.jsonl").read_bytes() == (tmp_path / f"calm/out/{journal}.jsonl").read_bytes()
    assert hashes(out) == hashes(tmp_path / "calm/out")
    assert [path.name for path in (out / "checkpoints").glob("partial-*")] == []


def test_it_learns_and_the_best_model_is_kept_beside_the_last(tmp_path: Path) -> None:
    run = tiny_run(
        tmp_path, training={"sample_prompts": ["def "], "sample_bytes": 16, "steps": 40, "evaluate_every": 10}
    )
    news: list[str] = []
    progress = train(run, news.append)
    out = Path(run.out)
    scores = {each["step"]: each["bits_per_byte"] for each in records(out) if "bits_per_byte" in each}
    assert list(scores) == [10, 20, 30, 40]
    assert records(out)[0]["loss"] > 5.4  # nats: nearly uniform over 264 ids
    assert scores[40] < 5.5
    assert min(scores, key=lambda step: scores[step]) == progress.best_step
    assert len(records(out, "samples")) == 4
    assert any("bits per byte" in line for line in news) and any(" left" in line for line in news)
    model, trained = load_model(out)
    assert trained == run
    assert torch.isfinite(model(torch.tensor([[65]]))[0]).all()


def test_a_run_that_is_asked_to_stop_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    (tmp_path / "calm").mkdir()
    train(tiny_run(tmp_path / "calm"), silent)
    run = tiny_run(tmp_path)
    steps = iter(range(100))
    assert train(run, silent, lambda: next(steps) == 4).step == 5
    assert train(run, silent).step == 24
    assert (tmp_path / "out/metrics.jsonl").read_bytes() == (tmp_path / "calm/out/metrics.jsonl").read_bytes()
    assert hashes(tmp_path / "out") == hashes(tmp_path / "calm/out")


def test_carried_states_are_used_and_resumed(tmp_path: Path) -> None:
    model = {"mixers": ["mamba", "attention"], "states": 4}
    losses = {}
    for name, carry, stop in (("calm", True, -1), ("stopped", True, 6), ("without", False, -1)):
        (tmp_path / name).mkdir()
        data = {"carry_state": carry}
        run = tiny_run(tmp_path / name, model=model, data=data, training={"steps": 12, "evaluate_every": 6})
        steps = iter(range(100))
        train(run, silent, lambda steps=steps, stop=stop: next(steps) == stop)  # type: ignore[misc]
        train(run, silent)
        losses[name] = [each["loss"] for each in records(Path(run.out)) if "loss" in each]
    assert losses["calm"] == losses["stopped"]
    assert losses["calm"][0] == losses["without"][0]
    assert losses["calm"][4] != losses["without"][4]
    assert hashes(tmp_path / "calm/out") == hashes(tmp_path / "stopped/out")


def test_accumulation_changes_the_memory_and_not_the_gradient(tmp_path: Path) -> None:
    losses = []
    for number, (batch, accumulation) in enumerate([(8, 1), (2, 4)]):
        (tmp_path / str(number)).mkdir()
        run = tiny_run(
            tmp_path / str(number),
            data={"batch": batch, "accumulation": accumulation},
            training={"steps": 6, "evaluate_every": 6},
        )
        train(run, silent)
        losses.append([each["loss"] for each in records(Path(run.out)) if "loss" in each])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_questions_with_answers_are_learnt_by_heart(tmp_path: Path) -> None:
    """Loss on answers alone, from a dataset as it is exported, down to almost nothing."""
    rows = [conversation(f"{number}+1?", str(number + 1)) for number in range(8)]
    dataset(tmp_path / "dataset", rows, rows[:1])
    run = tiny_run(
        tmp_path,
        data={"path": "dataset", "form": "messages", "batch": 8},
        optimizer={"learning_rate": 0.03},
        training={"steps": 80, "evaluate_every": 80},
    )
    train(run, silent)
    assert records(Path(run.out))[-2]["loss"] < 0.15
    model, _ = load_model(Path(run.out))
    for number in range(8):
        prompt = prompt_ids(f"{number}+1?".encode(), chat=True)
        answer = bytes(generate(model, prompt, most=9, sampling=Sampling(temperature=0), seed=0))
        assert answer == str(number + 1).encode()


@pytest.mark.parametrize("change", [{"seed": 3}, {"model": {"width": 48}}, {"optimizer": {"clip": 2.0}}])
def test_another_run_is_not_mixed_with_the_one_in_the_folder(tmp_path: Path, change: dict[str, object]) -> None:
    run = tiny_run(tmp_path, training={"steps": 2})
    train(run, silent)
    changed = {name: value for name, value in change.items() if isinstance(value, dict)}
    other = replace(tiny_run(tmp_path, training={"steps": 2}, **changed), seed=3 if "seed" in change else 0)
    with pytest.raises(CheckpointError, match=f"another {next(iter(change))}"):
        train(other, silent)


def test_changed_data_and_damaged_weights_are_named(tmp_path: Path) -> None:
    run = tiny_run(tmp_path, training={"steps": 2})
    train(run, silent)
    added = tmp_path / "corpus/added.py"
    added.write_text("more")
    with pytest.raises(CheckpointError, match="other data"):
        train(run, silent)
    added.unlink()
    weights = last_folder(tmp_path / "out") / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged"):
        train(run, silent)
    with pytest.raises(CheckpointError, match="is not there"):
        checkpoint.load(tmp_path / "none", "last")


def test_a_loss_that_is_no_number_stops_the_run_before_it_is_saved(tmp_path: Path) -> None:
    run = tiny_run(tmp_path, optimizer={"name": "adamw", "learning_rate": 1e30, "clip": 0.0})
    with pytest.raises(Diverged, match="lower the learning rates"):
        train(run, silent)


@pytest.mark.parametrize(
    ("losses", "patience", "stopped", "best"),
    [
        ([3.0, 2.0, 1.0], 1, "", 3),
        ([1.0, 2.0, 3.0], 3, "", 1),
        ([1.0, 2.0, 3.0, 1.0], 3, "stopped: 3 evaluations", 1),
        ([2.0, 3.0, 1.0, 3.0, 3.0], 3, "", 3),
        ([1.0, 2.0, 2.0, 2.0, 2.0], 0, "", 1),
    ],
)
def test_it_stops_when_patience_is_at_its_end(losses: list[float], patience: int, stopped: str, best: int) -> None:
    progress = Progress()
    for step, loss in enumerate(losses, start=1):
        progress = judged(replace(progress, step=step), Score(loss, loss), patience)
    assert progress.stopped.startswith(stopped) and bool(progress.stopped) == bool(stopped)
    assert progress.best_step == best
