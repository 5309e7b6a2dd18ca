"""What breaks a training run, each at one place: weights, layers, gradients, data or the learning rate."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import torch
from torch import Tensor, nn

from trainer.data import Batch
from trainer.layers.blend import Blend
from trainer.layers.block import Block
from trainer.layers.feed_forward import FeedForward
from trainer.layers.mamba import Mamba
from trainer.layers.mamba2 import Mamba2
from trainer.layers.rwkv6 import Rwkv6
from trainer.training import Training

_NOISE: Final = 3  # batches


@dataclass(slots=True)
class Injection:
    """What a fault may touch."""

    training: Training
    block: Block
    generator: torch.Generator
    batches: list[Callable[[Batch], Batch]] = field(default_factory=list)  # what the run reads goes through these


def rate_too_high(injection: Injection) -> None:
    """All learning rates times 40."""
    injection.training.progress = replace(injection.training.progress, rate=40.0)


def rate_too_low(injection: Injection) -> None:
    """All learning rates times 3e-5."""
    injection.training.progress = replace(injection.training.progress, rate=3e-5)


@torch.no_grad()
def steps_saturated(injection: Injection) -> None:
    """Steps so long that nothing is remembered."""
    _selective(injection).step_size.bias.add_(25)


@torch.no_grad()
def steps_grow(injection: Injection) -> None:
    """Steps a little longer."""
    _selective(injection).step_size.bias.add_(0.3)


@torch.no_grad()
def steps_vanished(injection: Injection) -> None:
    """Steps so short that nothing is written."""
    _selective(injection).step_size.bias.sub_(25)


@torch.no_grad()
def decays_collapsed(injection: Injection) -> None:
    """States are forgotten 8,000 times as fast."""
    _speed_up(injection, 9.0)


@torch.no_grad()
def decays_shrink(injection: Injection) -> None:
    """States are forgotten a fifth faster."""
    _speed_up(injection, 0.2)


def _speed_up(injection: Injection, logarithm: float) -> None:
    """States are forgotten exp(logarithm) times as fast."""
    mixer = injection.block.mixer
    rates = mixer.decay_up.bias if isinstance(mixer, Rwkv6) else _selective(injection).log_rates
    rates.add_(logarithm)


@torch.no_grad()
def decays_denormal(injection: Injection) -> None:
    """Decays of 1e-41, at every id."""
    mixer = _selective(injection)
    mixer.step_size.weight.zero_()
    mixer.step_size.bias.fill_(0.5413)  # softplus of it is 1
    mixer.log_rates.fill_(4.55)  # exp(-exp(4.55)) is 1e-41


@torch.no_grad()
def state_explodes(injection: Injection) -> None:
    """What is written to the state times a billion."""
    mixer = _selective(injection)
    if not isinstance(mixer, Mamba):
        raise TypeError("Nothing but Mamba writes by a matrix of its own.")
    rank, states, _ = mixer.sizes
    mixer.selection.weight[rank : rank + states].mul_(1e9)


def rate_grows(injection: Injection) -> None:
    """All learning rates up by a tenth."""
    injection.training.progress = replace(injection.training.progress, rate=injection.training.progress.rate * 1.1)


def dead_relu(injection: Injection) -> None:
    """No unit of the MLP is ever positive."""
    _mlp(injection).up.register_forward_hook(_never_positive)


def _never_positive(_module: nn.Module, _arguments: Any, output: Tensor) -> Tensor:
    return -output.abs()


def no_gradient(injection: Injection) -> None:
    """The mixer learns nothing."""
    for weight in injection.block.mixer.parameters():
        weight.register_hook(torch.zeros_like)


def gradient_dominates(injection: Injection) -> None:
    """The mixer's gradient times 10,000."""
    for weight in injection.block.mixer.parameters():
        weight.register_hook(_enlarged)


def _enlarged(gradient: Tensor) -> Tensor:
    return gradient * 1e4


@torch.no_grad()
def output_explodes(injection: Injection) -> None:
    """The mixer's last weight times 3,000."""
    _linear(injection, "output").weight.mul_(3000)


@torch.no_grad()
def output_grows(injection: Injection) -> None:
    """The mixer's last weight up by 15 %."""
    _linear(injection, "output").weight.mul_(1.15)


@torch.no_grad()
def not_a_number(injection: Injection) -> None:
    """One weight of the MLP is NaN."""
    _mlp(injection).down.weight[3, 5] = float("nan")


def overflow(injection: Injection) -> None:
    """Units of the MLP whose squares do not fit fp32."""
    _mlp(injection).up.register_forward_hook(_overflowing)


def _overflowing(_module: nn.Module, _arguments: Any, output: Tensor) -> Tensor:
    return output * 1e20  # its square does not fit


@torch.no_grad()
def outliers(injection: Injection) -> None:
    """One row of the MLP's last weight times 1,000."""
    _mlp(injection).down.weight[7].mul_(1000)


@torch.no_grad()
def outlier_grows(injection: Injection) -> None:
    """One row of the MLP's last weight up by a fifth."""
    _mlp(injection).down.weight[7].mul_(1.2)


@torch.no_grad()
def attention_sharpens(injection: Injection) -> None:
    """Products of queries and keys up by a fifth."""
    for weight in (_linear(injection, "query").weight, _linear(injection, "key").weight):
        weight.mul_(1.1)


@torch.no_grad()
def attention_collapsed(injection: Injection) -> None:
    """Sharp enough to see one key alone; queries and keys must not be normalised."""
    for weight in (_linear(injection, "query").weight, _linear(injection, "key").weight):
        weight.mul_(100)


@torch.no_grad()
def slots_dead(injection: Injection) -> None:
    """Two slots pull from opposite sides, so each position reads one of them and no other."""
    memory = injection.training.model.memory
    if memory is None:
        raise TypeError("This model has no fact memory.")
    direction = 1000 * torch.randn(memory.keys.shape[1], generator=injection.generator)
    memory.keys.zero_()
    memory.keys[0], memory.keys[1] = direction, -direction


@torch.no_grad()
def embedding_explodes(injection: Injection) -> None:
    """The embedding times 1,000."""
    injection.training.model.embedding.weight.mul_(1000)


@torch.no_grad()
def logits_saturated(injection: Injection) -> None:
    """The head times 300."""
    injection.training.model.head.weight.mul_(300)


def targets_shuffled(injection: Injection) -> None:
    """Each target is that of some other place."""

    def shuffled(batch: Batch) -> Batch:
        order = torch.randperm(batch.targets.numel(), generator=injection.generator)
        return replace(batch, targets=batch.targets.flatten()[order].view_as(batch.targets))

    injection.batches.append(shuffled)


def targets_random(injection: Injection) -> None:
    """Each target is any byte."""

    def random(batch: Batch) -> Batch:
        return replace(batch, targets=torch.randint(0, 256, batch.targets.shape, generator=injection.generator))

    injection.batches.append(random)


def noise(injection: Injection) -> None:
    """Three batches whose targets are any bytes."""
    left = [_NOISE]

    def noise(batch: Batch) -> Batch:
        left[0] -= 1
        return batch if left[0] < 0 else replace(batch, targets=torch.randint_like(batch.targets, 256))

    injection.batches.append(noise)


def nothing_to_learn(injection: Injection) -> None:
    """All weights of the loss are 0."""
    injection.batches.append(lambda batch: replace(batch, weights=torch.zeros_like(batch.weights)))


def repeated(injection: Injection) -> None:
    """The next batch comes again and again."""
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


def _selective(injection: Injection) -> Mamba | Mamba2:
    """The layer's recurrence with step sizes. Raises TypeError where it has none."""
    mixer = injection.block.mixer
    found = mixer.mamba if isinstance(mixer, Blend) else mixer
    if not isinstance(found, Mamba | Mamba2):
        raise TypeError("The layer has no step sizes.")
    return found


def _mlp(injection: Injection) -> FeedForward:
    if injection.block.mlp is None:
        raise TypeError("The layer has no MLP.")
    return injection.block.mlp
