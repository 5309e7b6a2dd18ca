"""AdamW for every parameter, or Muon for the hidden matrices beside it; the state goes to and from named tensors.

Muon: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; AdamW: arXiv 1711.05101.
"""

import math
from collections.abc import Iterator
from typing import Any, Final

import torch
from torch import Tensor, nn

from trainer.config import OptimizerConfig
from trainer.layers.mixer import Mixer
from trainer.model import LanguageModel

_MOMENTUM: Final = 0.95
_COEFFICIENTS: Final = (3.4445, -4.7750, 2.0315)  # of the quintic that takes singular values to about 1
_ITERATIONS: Final = 5
_PEAKS: Final = {"muon": 1e-2, "adamw": 2e-3}  # AdamW moves embeddings and vectors only, or hidden matrices too


class Muon:
    """Momentum, made orthogonal matrix by matrix; matrices of one shape go through the iteration together."""

    def __init__(self, weights: dict[str, nn.Parameter], config: OptimizerConfig) -> None:
        self._decay = config.weight_decay
        self._peak = config.muon_learning_rate
        self._by_shape: dict[torch.Size, list[nn.Parameter]] = {}
        for weight in weights.values():
            self._by_shape.setdefault(weight.shape, []).append(weight)
        self.momentum = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        self._momentum_of = {weight: self.momentum[name] for name, weight in weights.items()}

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """One update at the fraction `factor` of the peak learning rate."""
        rate = self._peak * factor
        for shape, weights in self._by_shape.items():
            scale = math.sqrt(max(1.0, shape[0] / shape[1]))
            directions = []
            for weight in weights:
                gradient, momentum = _gradient(weight), self._momentum_of[weight]
                momentum.lerp_(gradient, 1 - _MOMENTUM)
                directions.append(gradient.lerp(momentum, _MOMENTUM))  # Nesterov
            for weight, update in zip(weights, orthogonalized(torch.stack(directions)), strict=True):
                weight.mul_(1 - rate * self._decay).add_(update.to(weight.dtype), alpha=-rate * scale)


def orthogonalized(matrices: Tensor) -> Tensor:
    """(n, rows, columns): each with its singular values moved to about 1, by a Newton-Schulz iteration.

    It runs in bfloat16 on CUDA and in fp32 elsewhere: both are precise enough, each is the faster there.
    """
    x: Tensor = matrices.bfloat16() if matrices.is_cuda else matrices.float()
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    first, second, third = _COEFFICIENTS
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        x = first * x + (second * gram + third * gram @ gram) @ x
    return x.mT if tall else x


class Optimizer:
    """What the loop needs: one step at a fraction of the peak, and a state that is exactly resumed."""

    def __init__(self, model: LanguageModel, config: OptimizerConfig) -> None:
        named = dict(model.named_parameters())
        hidden = {name: named[name] for name in hidden_matrices(model)}
        rest = {name: weight for name, weight in named.items() if name not in hidden}
        self._muon = Muon(hidden if config.name == "muon" else {}, config)
        decayed = {} if config.name == "muon" else hidden
        self._adamw_weights = {**decayed, **rest}
        groups = [
            {"params": list(decayed.values()), "weight_decay": config.weight_decay},
            {"params": list(rest.values()), "weight_decay": 0.0},
        ]
        self._weights = list(named.values())
        self._peak = config.learning_rate or _PEAKS[config.name]
        self._adamw = torch.optim.AdamW(
            [group for group in groups if group["params"]],
            lr=self._peak,
            betas=(config.beta1, config.beta2),
            fused=True,
        )

    def step(self, factor: float) -> None:
        """One update at the fraction `factor` of the peak learning rates; the gradients are gone afterwards."""
        for group in self._adamw.param_groups:
            group["lr"] = self._peak * factor
        self._adamw.step()
        self._muon.step(factor)
        for weight in self._weights:
            weight.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """All of the state, by names."""
        named = {f"muon.{name}": tensor for name, tensor in self._muon.momentum.items()}
        for name, weight in self._adamw_weights.items():
            for part, tensor in self._adamw.state[weight].items():
                named[f"adamw.{part}.{name}"] = tensor
        return named

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Goes on where `tensors` were taken. Raises KeyError when they are another model's."""
        for name, momentum in self._muon.momentum.items():
            momentum.copy_(tensors[f"muon.{name}"])
        for name, weight in self._adamw_weights.items():
            state: dict[str, Any] = self._adamw.state[weight]
            for part in ("step", "exp_avg", "exp_avg_sq"):
                saved = tensors[f"adamw.{part}.{name}"].clone()
                state[part] = saved if part == "step" and not weight.is_cuda else saved.to(weight.device)


def hidden_matrices(model: LanguageModel) -> Iterator[str]:
    """The weights of the linear layers in the blocks, but those that a mixer wants to be gentle with."""
    gentle = {
        f"{owner_name}.{name}"
        for owner_name, owner in model.blocks.named_modules()
        if isinstance(owner, Mixer)
        for name in owner.gentle
    }
    for module_name, module in model.blocks.named_modules():
        if isinstance(module, nn.Linear) and module_name not in gentle:
            yield f"blocks.{module_name}.weight"


def _gradient(weight: nn.Parameter) -> Tensor:
    return torch.zeros_like(weight) if weight.grad is None else weight.grad
