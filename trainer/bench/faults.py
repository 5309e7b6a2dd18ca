"""Faults to break a training run with, each at one place, and the diagnosis that each of them must get."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import torch
from torch import Tensor, nn

from trainer.data import Batch
from trainer.layers.block import Block
from trainer.layers.feed_forward import FeedForward
from trainer.layers.mamba import Mamba
from trainer.training import Training

OPTIMIZER: Final = "optimizer"
DATA: Final = "data"


@dataclass(slots=True)
class Injection:
    """What a fault may touch."""

    training: Training
    block: Block
    generator: torch.Generator
    batches: list[Callable[[Batch], Batch]] = field(default_factory=list)  # what the run reads goes through these


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break a run."""

    name: str
    kind: str  # of the right diagnosis
    component: str  # mixer, mlp, or a component's name
    inject: Callable[[Injection], None]
    mixers: tuple[str, ...] = ()  # it needs one of these; () for any
    models: tuple[str, ...] = ()  # of the bench; () for any
    without: tuple[str, ...] = ()  # models of the bench that have no such part
    from_the_start: bool = False  # else it happens in the middle of the run
    every_step: bool = False  # from then on; it grows


def _rate_too_high(injection: Injection) -> None:
    injection.training.progress = replace(injection.training.progress, rate=40.0)


def _rate_too_low(injection: Injection) -> None:
    injection.training.progress = replace(injection.training.progress, rate=3e-5)


@torch.no_grad()
def _steps_saturated(injection: Injection) -> None:
    _mamba(injection).step_size.bias.add_(25)


@torch.no_grad()
def _steps_vanished(injection: Injection) -> None:
    _mamba(injection).step_size.bias.sub_(25)


@torch.no_grad()
def _decays_collapsed(injection: Injection) -> None:
    _mamba(injection).log_rates.add_(9)


@torch.no_grad()
def _decays_denormal(injection: Injection) -> None:
    mixer = _mamba(injection)
    mixer.step_size.weight.zero_()
    mixer.step_size.bias.fill_(0.5413)  # softplus of it is 1
    mixer.log_rates.fill_(4.55)  # exp(-exp(4.55)) is 1e-41


def _rate_grows(injection: Injection) -> None:
    injection.training.progress = replace(injection.training.progress, rate=injection.training.progress.rate * 1.1)


def _dead_relu(injection: Injection) -> None:
    _mlp(injection).up.register_forward_hook(_never_positive)


def _never_positive(_module: nn.Module, _arguments: Any, output: Tensor) -> Tensor:
    return -output.abs()


def _no_gradient(injection: Injection) -> None:
    for weight in injection.block.mixer.parameters():
        weight.register_hook(torch.zeros_like)


def _gradient_dominates(injection: Injection) -> None:
    for weight in injection.block.mixer.parameters():
        weight.register_hook(_enlarged)


def _enlarged(gradient: Tensor) -> Tensor:
    return gradient * 1e4


@torch.no_grad()
def _output_explodes(injection: Injection) -> None:
    _linear(injection, "output").weight.mul_(3000)


@torch.no_grad()
def _output_grows(injection: Injection) -> None:
    _linear(injection, "output").weight.mul_(1.15)


@torch.no_grad()
def _not_a_number(injection: Injection) -> None:
    _mlp(injection).down.weight[3, 5] = float("nan")


def _overflow(injection: Injection) -> None:
    _mlp(injection).up.register_forward_hook(_overflowing)


def _overflowing(_module: nn.Module, _arguments: Any, output: Tensor) -> Tensor:
    return output * 1e20  # its square does not fit


@torch.no_grad()
def _outliers(injection: Injection) -> None:
    _mlp(injection).down.weight[7].mul_(1000)


@torch.no_grad()
def _attention_collapsed(injection: Injection) -> None:
    """Sharp enough to see one key alone; queries and keys must not be normalised."""
    for weight in (_linear(injection, "query").weight, _linear(injection, "key").weight):
        weight.mul_(100)


@torch.no_grad()
def _slots_dead(injection: Injection) -> None:
    """Two slots pull from opposite sides, so each position reads one of them and no other."""
    memory = injection.training.model.memory
    if memory is None:
        raise TypeError("This model has no fact memory.")
    direction = 1000 * torch.randn(memory.keys.shape[1], generator=injection.generator)
    memory.keys.zero_()
    memory.keys[0], memory.keys[1] = direction, -direction


@torch.no_grad()
def _embedding_explodes(injection: Injection) -> None:
    injection.training.model.embedding.weight.mul_(1000)


@torch.no_grad()
def _logits_saturated(injection: Injection) -> None:
    injection.training.model.head.weight.mul_(300)


def _targets_shuffled(injection: Injection) -> None:
    def shuffled(batch: Batch) -> Batch:
        order = torch.randperm(batch.targets.numel(), generator=injection.generator)
        return replace(batch, targets=batch.targets.flatten()[order].view_as(batch.targets))

    injection.batches.append(shuffled)


def _targets_random(injection: Injection) -> None:
    def random(batch: Batch) -> Batch:
        return replace(batch, targets=torch.randint(0, 256, batch.targets.shape, generator=injection.generator))

    injection.batches.append(random)


def _nothing_to_learn(injection: Injection) -> None:
    injection.batches.append(lambda batch: replace(batch, weights=torch.zeros_like(batch.weights)))


def _repeated(injection: Injection) -> None:
    kept: list[Batch] = []

    def same(batch: Batch) -> Batch:
        kept.append(batch)
        return kept[0]

    injection.batches.append(same)


def _linear(injection: Injection, name: str) -> nn.Linear:
    """A linear layer of the mixer. Raises TypeError where it has none of this name."""
    found = injection.block.mixer.get_submodule(name)
    if not isinstance(found, nn.Linear):
        raise TypeError(f"{name} is no linear layer.")
    return found


def _mamba(injection: Injection) -> Mamba:
    if not isinstance(injection.block.mixer, Mamba):
        raise TypeError("The layer is not Mamba.")
    return injection.block.mixer


def _mlp(injection: Injection) -> FeedForward:
    if injection.block.mlp is None:
        raise TypeError("The layer has no MLP.")
    return injection.block.mlp


FAULTS: Final = (
    Fault("learning rate times 40", "rate too high", OPTIMIZER, _rate_too_high),
    Fault("learning rate up a tenth each step", "rate too high", OPTIMIZER, _rate_grows, every_step=True),
    Fault("learning rate times 3e-5", "rate too low", OPTIMIZER, _rate_too_low, from_the_start=True),
    Fault("step sizes up by 25", "steps saturated", "mixer", _steps_saturated, ("mamba",)),
    Fault("step sizes down to nothing", "steps vanished", "mixer", _steps_vanished, ("mamba",)),
    Fault("rates times 8,000", "decays collapsed", "mixer", _decays_collapsed, ("mamba",)),
    Fault("denormal decays", "decays denormal", "mixer", _decays_denormal, ("mamba",)),
    Fault("dead ReLU", "dead units", "mlp", _dead_relu, without=("llama",)),
    Fault("gradient set to zero", "no gradient", "mixer", _no_gradient),
    Fault("gradient times 10,000", "gradient dominates", "mixer", _gradient_dominates),
    Fault("output weights times 3,000", "output explodes", "mixer", _output_explodes),
    Fault("output weights up by 15 % each step", "output explodes", "mixer", _output_grows, every_step=True),
    Fault("one weight no number", "not finite", "mlp", _not_a_number),
    Fault("overflow", "not finite", "mlp", _overflow, without=("llama",)),
    Fault("one output times 1,000", "outliers", "mlp", _outliers),
    Fault("sharp attention", "attention collapsed", "mixer", _attention_collapsed, models=("llama",)),
    Fault("two slots win all", "slots dead", "memory", _slots_dead, models=("ghost_memory",)),
    Fault("embedding times 1,000", "weights explode", "embedding", _embedding_explodes),
    Fault("head times 300", "logits saturated", "head", _logits_saturated),
    Fault("targets shuffled", "targets unpredictable", DATA, _targets_shuffled, from_the_start=True),
    Fault("targets random", "targets unpredictable", DATA, _targets_random, from_the_start=True),
    Fault("all weights of the loss zero", "nothing to learn", DATA, _nothing_to_learn),
    Fault("one batch over and over", "overfit", DATA, _repeated),
)
