"""Every recipe learns and resumes exactly, has its share of parameters, and its layers keep what the papers promise."""

import json
import math
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from tests.unit.trainer.runs import tiny_run
from trainer import recipes
from trainer.config import ModelConfig
from trainer.errors import ConfigError
from trainer.layers.block import mixer_class
from trainer.layers.mixer import Sight
from trainer.layers.rwkv7 import Reflections, Rwkv7
from trainer.loop import train
from trainer.model import LanguageModel, count_parameters, expected_parameters
from trainer.observer import Observer
from trainer.shape import ModelShape, shape_of
from trainer.training import Training

RECIPES = ("groundthink", "llama", "mamba", "mamba2", "rwkv6", "rwkv7", "transformer")
TINY = {"width": 32, "layers": 3, "head_width": 16, "states": 4, "head_states": 8}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def silent(_line: str) -> None:
    pass


def nobody(_training: Training) -> list[Observer]:
    return []


def losses(out: Path) -> list[float]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def weights(out: Path) -> dict[str, str]:
    folder = out / "checkpoints"
    last = folder / str(json.loads((folder / "last.json").read_text())["folder"])
    hashes: dict[str, str] = json.loads((last / "state.json").read_text())["sha256"]
    return hashes


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_learns_and_a_stopped_run_goes_on_to_the_same_bits(tmp_path: Path, recipe: str) -> None:
    outs = []
    for name, stop in (("calm", -1), ("stopped", 5)):
        (tmp_path / name).mkdir()
        run = tiny_run(
            tmp_path / name,
            model={"recipe": recipe, **TINY},
            data={"carry_state": True},
            training={"steps": 16, "evaluate_every": 16},
        )
        steps = iter(range(100))
        train(run, silent, lambda steps=steps, stop=stop: next(steps) == stop, nobody)  # type: ignore[misc]
        train(run, silent, watchers=nobody)
        outs.append(Path(run.out))
    found = losses(outs[0])
    assert sum(found[-3:]) / 3 < found[0] - 1.0  # nats
    assert losses(outs[1]) == found
    assert weights(outs[0]) == weights(outs[1])


@pytest.mark.parametrize("size", ["1M", "6M"])
@pytest.mark.parametrize("recipe", recipes.names())
def test_all_recipes_of_a_size_have_as_many_parameters_as_the_transformer(recipe: str, size: str) -> None:
    def parameters(name: str) -> int:
        return expected_parameters(shape_of(ModelConfig(recipe=name, size=size), context=256))  # type: ignore[arg-type]  # one of Size

    assert parameters(recipe) == pytest.approx(parameters("transformer"), rel=0.05)


def test_groundthink_has_one_attention_layer_in_the_middle() -> None:
    assert shape_of(ModelConfig(recipe="groundthink"), 8).mixers == ("blend", "blend", "attention", "blend", "blend")
    without = ModelConfig(recipe="groundthink", mixers=("blend",))
    assert set(shape_of(without, 8).mixers) == {"blend"}


@pytest.mark.parametrize(
    "options",
    [
        {"mixers": ("blend",), "blend_learned": True},
        {"mixers": ("blend",), "norm_groups": 4, "gamma": 0.5},
        {"mixers": ("attention",), "feed_forward": "swiglu", "query_key_norm": False},
        {"mixers": ("rwkv7", "attention", "rwkv7"), "norm": "layer", "logit_cap": 0.0},
    ],
)
def test_options_change_the_parameters_as_the_formula_says(options: dict[str, object]) -> None:
    shape = shape_of(ModelConfig(**{**TINY, **options}), context=16)  # type: ignore[arg-type]
    assert sum(count_parameters(LanguageModel(shape)).values()) == expected_parameters(shape)


@pytest.mark.parametrize(
    ("options", "complaint"), [({"norm_groups": 5}, "norm_groups 5 must divide"), ({"blend": 1.0}, "blend must be")]
)
def test_options_that_cannot_be_meant_are_named(tmp_path: Path, options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        shape_of(tiny_run(tmp_path, model={**TINY, **options}).model, 16)


def test_a_learnt_blend_begins_at_the_fixed_one_and_moves() -> None:
    torch.manual_seed(0)
    fixed = ModelConfig(mixers=("blend",), **TINY)  # type: ignore[arg-type]
    learnt = ModelConfig(mixers=("blend",), blend_learned=True, **TINY)  # type: ignore[arg-type]
    models = []
    for config in (fixed, learnt):
        torch.manual_seed(0)
        models.append(LanguageModel(shape_of(config, 16)))
    ids = torch.arange(12)[None]
    torch.testing.assert_close(models[0](ids)[0], models[1](ids)[0])
    models[1](ids)[0].square().sum().backward()
    odds = models[1].layers()[0].mixer.odds
    assert isinstance(odds, nn.Parameter) and odds.grad is not None
    assert torch.sigmoid(odds).item() == pytest.approx(0.6)
    assert odds.grad.abs() > 0


def sight(length: int) -> Sight:
    nothing = torch.zeros(1, 0, dtype=torch.int64)
    return Sight(torch.arange(length).double(), torch.zeros(1, length, dtype=torch.int64), nothing, single=True)


def shape(mixer: str, layers: int = 4, *, reflections: Literal[0, 1, 2] = 0) -> ModelShape:
    config = ModelConfig(mixers=(mixer,), width=32, layers=layers, head_width=16, reflections=reflections)
    return shape_of(config, 16)


def noised(module: nn.Module) -> nn.Module:
    for weight in module.parameters():
        nn.init.normal_(weight, std=0.3)
    return module


def by_hand_rwkv7(layer: nn.Module, x: Tensor, first: Tensor | None) -> tuple[Tensor, Tensor]:
    """Appendix of arXiv 2503.14456, one step at a time with explicit matrices; returns the output and the values.

    With reflections the transition is the product of section 3 of arXiv 2502.10297, and the decay before it.
    """
    heads, keys = layer.bonus.shape
    state, before, out, values = torch.zeros(heads, keys, keys), torch.zeros(x.shape[1]), [], []
    for t, now in enumerate(x):
        mixed = [now + (before - now) * share for share in layer.shares]
        r, k, v = layer.receptance(mixed[0]), layer.key(mixed[2]), layer.value(mixed[3])
        if first is not None:
            v = v + (first[t] - v) * torch.sigmoid(layer.residual.up(layer.residual.down(mixed[3])))
        w = torch.exp(-math.exp(-0.5) * torch.sigmoid(layer.decay.up(torch.tanh(layer.decay.down(mixed[1])))))
        g = layer.gate.up(torch.sigmoid(layer.gate.down(mixed[5])))
        unit = nn.functional.normalize((k * layer.key_scale).view(heads, keys), dim=-1)
        r, k, v_heads, w = (each.view(heads, keys) for each in (r, k, v, w))
        if isinstance(layer.rate, Reflections):
            rates = 2 * torch.sigmoid(layer.rate.rates(mixed[4]).view(-1, heads, 1))
            units = [*(each(mixed[2]).view(heads, keys) for each in layer.rate.directions()), unit]
            transitions = torch.stack([torch.diag(w[h]) @ householder(units, rates, h) for h in range(heads)])
            a = rates[-1]
        else:
            a = torch.sigmoid(layer.rate.up(layer.rate.down(mixed[4]))).view(heads, keys)
            transitions = torch.stack([torch.diag(w[h]) - torch.outer(unit[h], unit[h] * a[h]) for h in range(heads)])
        k = k * (1 + (a - 1) * layer.key_rate.view(heads, keys))
        state = state @ transitions + v_heads[:, :, None] * k[:, None]
        y = torch.einsum("hvk,hk->hv", state, r)
        y = (y - y.mean(1, keepdim=True)) / (y.var(1, unbiased=False, keepdim=True) + 64e-5).sqrt()
        y = y.flatten() * layer.norm_scale + layer.norm_bias
        y = y + ((r * k * layer.bonus).sum(1, keepdim=True) * v_heads).flatten()
        out.append(layer.output(y * g))
        values.append(v)
        before = now
    return torch.stack(out), torch.stack(values)


def householder(directions: list[Tensor], rates: Tensor, head: int) -> Tensor:
    """The product of a head's Householder matrices, the first one on the left."""
    product = torch.eye(directions[0].shape[1])
    for direction, rate in zip(directions, rates, strict=True):
        unit = direction[head] / direction[head].norm()
        product = product @ (torch.eye(len(unit)) - rate[head] * torch.outer(unit, unit))
    return product


@pytest.mark.parametrize("reflections", [0, 1, 2])
@torch.no_grad()
def test_rwkv7_says_what_its_equations_say_and_upper_layers_see_the_first_ones_values(
    reflections: Literal[0, 1, 2],
) -> None:
    torch.manual_seed(0)
    dimensions = shape("rwkv7", reflections=reflections)
    lower, upper = (noised(mixer_class("rwkv7").of_layer(dimensions, layer)) for layer in (0, 2))
    x = torch.randn(1, 9, 32)
    seen = sight(9)
    below, _ = lower(x, seen, lower.initial_state(1, x.device))  # type: ignore[operator]
    above, _ = upper(x, seen, upper.initial_state(1, x.device))  # type: ignore[operator]
    wanted, values = by_hand_rwkv7(lower, x[0], None)
    torch.testing.assert_close(below[0], wanted, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(above[0], by_hand_rwkv7(upper, x[0], values)[0], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_reflections_let_no_state_grow_that_nothing_is_written_to() -> None:
    """Whatever decays, rates and directions are; rates up to 2 beside decays made states overflow after 1,000 ids."""
    torch.manual_seed(0)
    layer = noised(mixer_class("rwkv7").of_layer(shape("rwkv7", reflections=2), 0))
    assert isinstance(layer, Rwkv7) and isinstance(layer.rate, Reflections)
    nn.init.normal_(layer.rate.rates.weight, std=3.0)
    nn.init.zeros_(layer.value.weight)
    x, state = torch.randn(1, 64, 32), layer.initial_state(1, torch.device("cpu"))
    state["heads"].normal_()
    size = torch.linalg.matrix_norm(state["heads"], 2)
    for piece in x.split(1, dim=1):
        _, state = layer(piece, sight(1), state)
        smaller = torch.linalg.matrix_norm(state["heads"], 2)
        assert (smaller <= size * (1 + 1e-5)).all()
        size = smaller


@torch.no_grad()
def test_a_reflection_at_the_highest_rate_is_a_mirror() -> None:
    torch.manual_seed(0)
    reflections, last = Reflections(32, 16, 2), nn.functional.normalize(torch.randn(1, 1, 2, 16), dim=-1)
    reflections.rates.bias.fill_(50.0)
    units, rates = reflections(torch.randn(1, 1, 32), torch.randn(1, 1, 32), last)
    mirrors = torch.eye(16) - rates[..., None] * units[..., :, None] * units[..., None, :]
    torch.testing.assert_close(mirrors @ mirrors, torch.eye(16).expand_as(mirrors), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(mirrors), -torch.ones(1, 1, 2, 2), atol=1e-5, rtol=0)


@torch.no_grad()
def test_rwkv6_says_what_its_equations_say() -> None:
    """Section 4 of arXiv 2404.05892, one step at a time."""
    torch.manual_seed(0)
    layer = noised(mixer_class("rwkv6").of_layer(shape("rwkv6"), 1))
    x = torch.randn(1, 9, 32)
    found, _ = layer(x, sight(9), layer.initial_state(1, x.device))  # type: ignore[operator]
    heads, keys = layer.bonus.shape
    state, before, wanted = torch.zeros(heads, keys, keys), torch.zeros(32), []
    for now in x[0]:
        low = torch.tanh(layer.shares_down(now + (before - now) * layer.share)).view(5, -1)
        w, k, v, r, g = (
            now + (before - now) * (layer.shares[which] + low[which] @ layer.shares_up[which]) for which in range(5)
        )
        decay = torch.exp(-torch.exp(layer.decay_up(torch.tanh(layer.decay_down(w))))).view(heads, keys)
        r, k, v = layer.receptance(r).view(heads, -1), layer.key(k).view(heads, -1), layer.value(v).view(heads, -1)
        written = k[:, :, None] * v[:, None]
        y = torch.einsum("hk,hkv->hv", r, state + layer.bonus[:, :, None] * written)
        state = decay[:, :, None] * state + written
        y = (y - y.mean(1, keepdim=True)) / (y.var(1, unbiased=False, keepdim=True) + 64e-5).sqrt()
        y = y.flatten() * layer.norm_scale + layer.norm_bias
        wanted.append(layer.output(y * nn.functional.silu(layer.gate(g))))
        before = now
    torch.testing.assert_close(found[0], torch.stack(wanted), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_mamba2_says_what_its_equations_say() -> None:
    """Section 7 of arXiv 2405.21060, one step at a time."""
    torch.manual_seed(0)
    dimensions = shape("mamba2")
    layer = noised(mixer_class("mamba2").of_layer(dimensions, 0))
    x = torch.randn(1, 9, 32)
    found, _ = layer(x, sight(9), layer.initial_state(1, x.device))  # type: ignore[operator]
    inner, states, heads = 64, dimensions.head_states, 4
    gate, u = layer.input(x[0]).split([inner, inner + 2 * states], dim=1)
    padded = torch.cat([torch.zeros(3, u.shape[1]), u])
    state, wanted = torch.zeros(heads, inner // heads, states), []
    for t in range(9):
        now = nn.functional.silu(layer.taps_bias + sum(layer.taps[back] * padded[t + 3 - back] for back in range(4)))
        value, write, read = now.split([inner, states, states])
        value = value.view(heads, -1)
        delta = nn.functional.softplus(layer.step_size(x[0, t]))
        decay = torch.exp(-delta * layer.log_rates.exp())
        state = decay[:, None, None] * state + delta[:, None, None] * value[:, :, None] * write
        y = (state @ read + layer.skip[:, None] * value).flatten() * nn.functional.silu(gate[t])
        wanted.append(layer.output(y / y.square().mean().sqrt() * layer.scale))
    torch.testing.assert_close(found[0], torch.stack(wanted), atol=1e-4, rtol=1e-4)
