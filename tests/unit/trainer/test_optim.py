"""Schedules, Muon and what of an optimizer is saved."""

from dataclasses import replace

import pytest
import torch

from trainer.config import ModelConfig, OptimizerConfig
from trainer.model import LanguageModel
from trainer.muon import orthogonalized
from trainer.optim import Optimizer, hidden_matrices
from trainer.schedule import factor
from trainer.shape import shape_of

COSINE = OptimizerConfig(warmup_fraction=0.1, floor=0.2)
STABLE = OptimizerConfig(schedule="wsd", warmup_fraction=0.1, decay_fraction=0.5, floor=0.0)


@pytest.mark.parametrize(
    ("config", "step", "expected"),
    [
        (COSINE, 0, 0.1),
        (COSINE, 9, 1.0),
        (COSINE, 10, 1.0),
        (COSINE, 55, 0.6),
        (COSINE, 99, 0.2),
        (STABLE, 4, 0.5),
        (STABLE, 10, 1.0),
        (STABLE, 50, 1.0),
        (STABLE, 75, 0.5),
        (STABLE, 99, 0.02),
    ],
)
def test_the_learning_rate_rises_and_falls_as_configured(config: OptimizerConfig, step: int, expected: float) -> None:
    assert factor(step, 100, config) == pytest.approx(expected, abs=1e-3)


SHAPES = [(16, 16), (24, 16), (64, 16), (16, 64), (32, 16)]


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", SHAPES)
def test_orthogonalized_matrices_have_singular_values_of_about_one(
    shape: tuple[int, int], precision: torch.dtype
) -> None:
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    singular = torch.linalg.svdvals(orthogonalized(matrices, precision).float())
    assert float(singular.min()) > 0.3 and float(singular.max()) < 1.3
    assert torch.linalg.svdvals(matrices).max() > 3  # they were not before


@pytest.mark.parametrize("shape", SHAPES)
def test_every_form_of_the_iteration_is_the_polynomial_of_the_singular_values(shape: tuple[int, int]) -> None:
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))
    left, singular, right = torch.linalg.svd(matrices.double(), full_matrices=False)
    singular = singular / singular.norm(dim=1, keepdim=True)
    for _ in range(5):
        singular = 3.4445 * singular - 4.7750 * singular**3 + 2.0315 * singular**5
    expected = left @ torch.diag_embed(singular) @ right
    assert torch.allclose(orthogonalized(matrices).double(), expected, atol=2e-5)
    coarse = orthogonalized(matrices, torch.bfloat16).double()
    assert float((coarse - expected).norm() / expected.norm()) < 0.05


def small(mixers: tuple[str, ...]) -> LanguageModel:
    torch.manual_seed(0)
    return LanguageModel(shape_of(ModelConfig(mixers=mixers, width=16, layers=1, head_width=8, states=4), 16))


def test_muon_moves_the_hidden_matrices_and_leaves_decays_and_embeddings_alone() -> None:
    hidden = set(hidden_matrices(small(("attention",))))
    assert hidden == {
        f"blocks.0.{name}.weight"
        for name in ("mixer.query", "mixer.key", "mixer.value", "mixer.output", "mlp.up", "mlp.down")
    }
    hidden = set(hidden_matrices(small(("mamba",))))
    assert hidden == {
        f"blocks.0.{name}.weight" for name in ("mixer.input", "mixer.selection", "mixer.output", "mlp.up", "mlp.down")
    }


def learn(model: LanguageModel, optimizer: Optimizer, steps: int) -> list[float]:
    ids = torch.tensor([list(b"abcdabcdabcdabc")])
    losses = []
    for _ in range(steps):
        logits, _ = model(ids[:, :-1])
        loss = torch.nn.functional.cross_entropy(logits[0], ids[0, 1:])
        loss.backward()
        optimizer.step(1.0)
        losses.append(float(loss.detach()))
    return losses


@pytest.mark.parametrize("name", ["adamw", "muon"])
@pytest.mark.parametrize("mixer", ["attention", "mamba"])
def test_a_loaded_optimizer_goes_on_bit_for_bit(name: str, mixer: str) -> None:
    config = replace(OptimizerConfig(), name=name, learning_rate=0.01)  # type: ignore[arg-type]
    model = small((mixer,))
    optimizer = Optimizer(model, config)
    before = learn(model, optimizer, 5)
    weights = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    saved = {key: tensor.clone() for key, tensor in optimizer.tensors().items()}
    expected = learn(model, optimizer, 5)
    other = small((mixer,))
    other.load_state_dict(weights)
    resumed = Optimizer(other, config)
    resumed.load(saved)
    assert learn(other, resumed, 5) == expected
    assert expected[-1] < before[0] - 1
