"""Observers are told of every step in order, are heeded, and know after a resume what they knew before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.trainer.runs import tiny_run
from trainer.audience import Audience
from trainer.errors import Diverged
from trainer.evaluate import Score
from trainer.metrics import Journals
from trainer.model import LanguageModel
from trainer.observer import Finding, Observer
from trainer.processes import Processes
from trainer.schedule import factor
from trainer.step import take_step
from trainer.training import Training, prepare, resume, save


@dataclass
class Diary:
    """Writes down what it is told, and speaks where it was told to."""

    says: dict[str, Finding] = field(default_factory=dict)  # by "call step"
    told: list[str] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)  # of the gradients as it saw them
    name: str = "diary"

    def _write(self, call: str, step: int) -> Sequence[Finding]:
        self.told.append(f"{call} {step}")
        return [self.says[self.told[-1]]] if self.told[-1] in self.says else []

    def before_step(self, step: int, model: LanguageModel) -> None:
        self._write("before", step)

    def after_backward(self, step: int, model: LanguageModel) -> Sequence[Finding]:
        self.norms.append(norm_of(model))
        return self._write("backward", step)

    def after_step(self, step: int, model: LanguageModel, loss: float, norm: float, rate: float) -> Sequence[Finding]:
        assert norm == pytest.approx(self.norms[-1], rel=1e-5)
        assert norm_of(model) == 0.0, "the gradients are not gone"
        return self._write("step", step)

    def after_evaluation(self, step: int, score: Score) -> Sequence[Finding]:
        return self._write("evaluation", step)

    def summary(self) -> Sequence[str]:
        return [f"told {len(self.told)} times"]

    def state(self) -> dict[str, Any]:
        return {"told": list(self.told)}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.told = list(state["told"])


def norm_of(model: LanguageModel) -> float:
    gradients = [weight.grad.flatten() for weight in model.parameters() if weight.grad is not None]
    return float(torch.cat(gradients).norm()) if gradients else 0.0


def observed(folder: Path, observer: Observer, **sections: dict[str, object]) -> tuple[Training, Audience, list[str]]:
    torch.set_num_threads(1)
    training = prepare(tiny_run(folder, **sections), Processes())
    training.observers = [observer]
    said: list[str] = []
    return training, Audience(training, Journals(folder / "out", 0), said.append), said


def test_it_is_told_before_and_after_and_its_findings_are_said_recorded_and_done(tmp_path: Path) -> None:
    diary = Diary(
        {
            "backward 2": Finding("layer 1 is silent", {"share": 0.25}),
            "step 2": Finding(rate=0.5),
            "step 3": Finding(rate=0.5, stop="stopped: enough"),
        }
    )
    training, audience, said = observed(tmp_path, diary)
    rates = [take_step(training, audience).rate for _ in range(4)]
    audience.after_evaluation(4, Score(1.0, 1.0))
    audience.leave()
    audience.journals.close()
    whole = [f"{call} {step}" for step in range(1, 5) for call in ("before", "backward", "step")]
    assert diary.told == [*whole, "evaluation 4"]
    assert said == ["layer 1 is silent", "told 13 times"]
    assert training.progress.stopped == "stopped: enough"
    plain = [factor(step, training.progress.steps, training.run.optimizer) for step in range(4)]
    assert rates == pytest.approx([plain[0], plain[1], plain[2] / 2, plain[3] / 4])
    lines = (tmp_path / "out/diagnostics.jsonl").read_text()
    assert lines == '{"step": 2, "observer": "diary", "share": 0.25}\n'


def test_what_it_knows_and_has_decided_survives_a_resume(tmp_path: Path) -> None:
    training, audience, _ = observed(tmp_path, Diary({"step 1": Finding(rate=0.5)}))
    for _ in range(2):
        take_step(training, audience)
    save(training, improved=False)
    audience.journals.close()
    diary = Diary()
    resumed = prepare(tiny_run(tmp_path), Processes())
    resumed.observers = [diary]
    resume(resumed, tmp_path / "out/checkpoints")
    assert diary.told == [f"{call} {step}" for step in (1, 2) for call in ("before", "backward", "step")]
    assert resumed.progress.rate == 0.5


def test_a_loss_that_is_no_number_ends_with_what_the_observer_says_of_it(tmp_path: Path) -> None:
    diary = Diary({"backward 2": Finding("layers.0.mlp has no numbers")})
    training, audience, _ = observed(tmp_path, diary)
    take_step(training, audience)
    before = {name: tensor.clone() for name, tensor in training.model.state_dict().items()}
    with torch.no_grad():
        training.model.head.weight[0, 0] = torch.nan
    with pytest.raises(Diverged, match=r"at step 2; lower the learning rates.* layers\.0\.mlp has no numbers"):
        take_step(training, audience)
    audience.journals.close()
    assert torch.equal(training.model.embedding.weight, before["embedding.weight"]), "the weights moved"


@pytest.mark.parametrize(("clip", "kept"), [(0.05, 0.05), (0.0, None), (1e6, None)])
def test_the_optimizer_is_given_a_gradient_no_longer_than_the_clip(
    tmp_path: Path, clip: float, kept: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    diary = Diary()
    training, audience, _ = observed(tmp_path, diary, optimizer={"clip": clip})
    given: list[float] = []
    update = training.optimizer.step

    def seen(rate: float) -> None:
        given.append(norm_of(training.model))
        update(rate)

    monkeypatch.setattr(training.optimizer, "step", seen)
    norms = [take_step(training, audience).norm for _ in range(3)]
    audience.journals.close()
    assert min(norms) > 0.1, "nothing was there to clip"
    assert given == pytest.approx([kept] * 3 if kept else norms, rel=1e-4)
