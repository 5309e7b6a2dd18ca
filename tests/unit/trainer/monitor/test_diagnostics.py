"""Watched runs are the same runs, resumed ones keep their journal to the byte, and broken ones are called by name."""

import json
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from tests.unit.trainer.runs import tiny_run
from trainer.bench.diagnostics import cases
from trainer.bench.faults import FAULTS
from trainer.bench.sabotage import Case, Outcome, outcome
from trainer.bench.setups import MODELS, SETUPS, USUAL, corpora
from trainer.bench.tally import highest_share, reached, tables
from trainer.commands import diagnose
from trainer.data import Batch
from trainer.errors import CheckpointError
from trainer.forward import Forward
from trainer.generate import load_model
from trainer.loop import train
from trainer.model import LanguageModel
from trainer.monitor.attribution import ablate
from trainer.monitor.components import components
from trainer.monitor.probe import Probe
from trainer.monitor.report import ablations, read_journal, report
from trainer.shape import ModelShape

MIXED = {"mixers": ["mamba", "attention"], "states": 4}
QUICK = [("transformer", "dead ReLU"), ("mamba", "step sizes up by 25"), ("transformer", "one weight no number")]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def silent(_line: str) -> None:
    pass


def test_a_watched_run_learns_exactly_what_an_unwatched_one_learns(tmp_path: Path) -> None:
    metrics = []
    for every in (0, 4):
        folder = tmp_path / str(every)
        folder.mkdir()
        run = tiny_run(
            folder,
            model=MIXED,
            training={"steps": 12, "diagnose_every": every, "curves_every": 0},
            data={"carry_state": True},
        )
        train(run, silent)
        metrics.append((Path(run.out) / "metrics.jsonl").read_bytes())
    assert metrics[0] == metrics[1]
    assert (tmp_path / "0/out/diagnostics.jsonl").read_bytes() == b""
    assert (tmp_path / "4/out/diagnostics.jsonl").read_bytes() != b""


def test_a_resumed_run_keeps_the_same_journal(tmp_path: Path) -> None:
    journals = []
    for name, stop in (("calm", -1), ("stopped", 9)):
        (tmp_path / name).mkdir()
        run = tiny_run(tmp_path / name, model=MIXED, training={"steps": 24, "diagnose_every": 4, "curves_every": 0})
        steps = iter(range(100))
        train(run, silent, lambda steps=steps, stop=stop: next(steps) == stop)  # type: ignore[misc]
        train(run, silent)
        journals.append((Path(run.out) / "diagnostics.jsonl").read_bytes())
    assert journals[0] == journals[1]


def test_the_journal_has_looks_verdicts_and_a_report(tmp_path: Path) -> None:
    run = tiny_run(tmp_path, model=MIXED, training={"steps": 24, "diagnose_every": 4, "curves_every": 0})
    news: list[str] = []
    train(run, news.append)
    out = Path(run.out)
    events = [json.loads(line)["event"] for line in (out / "diagnostics.jsonl").read_text().splitlines()]
    assert events.count("verdict") == 3 and "look" in events and "diagnosis" not in events
    assert any(line.startswith("diagnostics: nothing wrong") for line in news)
    text = "\n".join(report(read_journal(out)))
    assert "layers.0.mamba" in text and "layers.1.attention" in text and "half-lives" in text and "verdict: " in text
    with pytest.raises(CheckpointError, match="name the folder of a trained run"):
        read_journal(tmp_path / "none")


def test_leaving_out_what_has_learnt_costs_and_leaving_out_what_has_not_costs_nothing(tmp_path: Path) -> None:
    run = tiny_run(tmp_path, model=MIXED, training={"steps": 24, "curves_every": 0})
    train(run, silent)
    model, _ = load_model(Path(run.out))
    ids = torch.tensor([list(b"def bisect(a, x, lo=0, hi=None):\n    return lo\n")])
    batch = Batch(ids[:, :-1], ids[:, 1:], torch.ones(1, ids.shape[1] - 1), torch.ones_like(ids[:, 1:]))
    mlp = model.layers()[0].mlp
    assert mlp is not None
    torch.nn.init.zeros_(mlp.down.weight)
    whole, worths = ablate(model, [batch], torch.device("cpu"))
    changes = {worth.component: worth.change for worth in worths}
    assert changes["layers.0.mlp"] == 0
    assert sum(abs(change) for change in changes.values()) > 0.01
    assert f"{whole:.4f}" in ablations(whole, worths)[0]
    assert ablate(model, [batch], torch.device("cpu"))[0] == whole


def test_the_command_prints_the_table_and_what_each_component_is_worth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tiny_run(tmp_path, training={"steps": 8, "curves_every": 0})
    train(run, silent)
    assert diagnose.run(Namespace(run=Path(run.out), ablate=True, checkpoint="last")) == 0
    shown = capsys.readouterr().out
    assert "step 8: loss" in shown and "verdict: continue" in shown
    assert shown.count("layers.1.mlp") == 2 and "bits per byte of the whole model" in shown


def test_every_weight_belongs_to_one_component() -> None:
    shape = ModelShape(
        ("blend", "sparse_attention"), 32, 16, (16, 16), 32, 4, tokenizer_width=16, ahead=2, fact_slots=8
    )
    model = LanguageModel(shape)
    parts = components(model)
    owned = [weight for part in parts for weight in part.weights]
    assert len(owned) == len(set(owned)) == len(list(model.parameters()))
    assert {"layers.0.blend.mamba", "layers.0.blend.rwkv", "memory", "tokenizer", "head"} <= {
        part.name for part in parts
    }


def test_a_probe_changes_neither_weights_nor_gradients_nor_random_numbers() -> None:
    torch.manual_seed(0)
    forward = Forward(LanguageModel(ModelShape(("rwkv7", "mamba2"), 32, 16, (16, 16), 16, 4)))
    probe = Probe(forward, components(forward.model))
    assert probe.read() == {}
    ids = torch.randint(0, 256, (8, 17))
    batch = Batch(ids[:, :-1], ids[:, 1:], torch.ones(8, 16), torch.ones(8, 16, dtype=torch.int64))
    forward(batch, None)[0].backward()
    gradients = [weight.grad.clone() for weight in forward.parameters() if weight.grad is not None]
    random = torch.get_rng_state()
    found = probe.read()
    assert torch.equal(random, torch.get_rng_state())
    after = [weight.grad for weight in forward.parameters() if weight.grad is not None]
    assert all(torch.equal(one, other) for one, other in zip(gradients, after, strict=True))
    assert {"half_life", "rank", "share"} <= set(found["layers.0.rwkv7"])
    assert {"half_life", "step", "rank"} <= set(found["layers.1.mamba2"])
    assert found == probe.read()


@pytest.mark.parametrize(("model", "name"), QUICK)
def test_a_broken_run_gets_its_fault_named(tmp_path: Path, model: str, name: str) -> None:
    fault = next(fault for fault in FAULTS if fault.name == name)
    found = outcome(Case(model, fault, USUAL, 5), corpora(tmp_path / "corpora"))
    assert found.right(), found.named
    assert found.false_alarms() == 0


def test_a_sound_run_over_conversations_raises_no_alarm(tmp_path: Path) -> None:
    setup = next(setup for setup in SETUPS if setup.name == "conversations")
    found = outcome(Case("hybrid", None, setup, 5), corpora(tmp_path / "corpora"))
    assert found.named == ()


def test_the_bench_spreads_faults_over_models_and_sound_runs_over_set_ups() -> None:
    planned = cases(list(MODELS), 7, 6, len(MODELS) * len(SETUPS))
    assert planned == cases(list(MODELS), 7, 6, len(MODELS) * len(SETUPS))
    broken = [case for case in planned if case.fault]
    assert {case.fault.name for case in broken if case.fault} == {fault.name for fault in FAULTS}
    assert len(broken) == 6 * len(FAULTS) == len({(case.fault, case.model, case.seed) for case in broken})
    assert all(len({case.fault for case in broken if case.model == model}) >= 3 for model in MODELS)
    unbroken = [case for case in planned if not case.fault]
    assert len({(case.model, case.setup.name) for case in unbroken}) == len(unbroken) == len(MODELS) * len(SETUPS)


def test_the_tables_count_what_was_right_and_how_far_ahead_of_the_loss_it_came() -> None:
    fault = "output weights times 3,000"
    expected = "layers.0.blend: output explodes"
    right = Outcome("groundthink", fault, "usual", 1, expected, ((32, expected),), 27, 40, 50)
    branch = Outcome(
        "groundthink", fault, "usual", 2, expected, ((28, "layers.0.blend.mamba: output explodes"),), 27, None, None
    )
    wrong = Outcome(
        "mamba", fault, "usual", 3, expected, ((30, "layers.1.blend: output explodes"), (38, expected)), 27, 29, None
    )
    early = Outcome(
        "mamba", fault, "usual", 4, expected, ((20, "optimizer: rate too high"), (30, expected)), 27, None, None
    )
    sound = Outcome("mamba", "", "bfloat16", 5, "", (), 0, None, None)
    alarmed = Outcome("mamba", "", "usual", 6, "", ((40, "data: overfit"),), 0, None, None)
    text = "\n".join(tables([right, branch, wrong, early, sound, alarmed]))
    row = next(line for line in text.splitlines() if line.startswith(fault)).removeprefix(fault).split("  ")
    assert [cell.strip() for cell in row if cell.strip()] == ["3/4", "4", "8 (2 never)", "0 (-9..8)", "18 (18..18)"]
    assert "false alarms: 1 of 2 unbroken runs in 2 set-ups" in text
    assert "diagnoses before the fault: in 1 of 4 broken runs" in text
    assert "mamba, seed 6, unbroken, usual:  | 40 data: overfit" in text
    assert not reached([right, wrong]) and reached([right, branch, sound]) and not reached([right, alarmed])


@pytest.mark.parametrize(("count", "of", "bound"), [(0, 59, 0.0495), (1, 100, 0.0466), (5, 5, 1.0), (0, 0, 1.0)])
def test_the_bound_is_that_of_clopper_and_pearson(count: int, of: int, bound: float) -> None:
    assert highest_share(count, of) == pytest.approx(bound, abs=5e-5)
