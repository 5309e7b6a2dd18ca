"""Muon: momentum made orthogonal, matrix by matrix, by a Newton-Schulz iteration; for hidden matrices only.

Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks". What it costs does not depend on the
batch: at few ids a step it is what a step waits for, hence the three forms of the iteration (figures in LOG.md).
"""

import math
from typing import Final

import torch
from torch import Tensor, nn

from trainer.config import OptimizerConfig
from trainer.spread import local, part_like, whole

_MOMENTUM: Final = 0.95
_COEFFICIENTS: Final = (3.4445, -4.7750, 2.0315)  # of the quintic that takes singular values to about 1
_ITERATIONS: Final = 5
_OBLONG: Final = 2  # times as long as wide: from there on the iteration is cheaper on the square of the shorter side


class Muon:
    """Matrices of one shape go through the iteration together; every process puts sharded ones together for it."""

    def __init__(self, weights: dict[str, nn.Parameter], config: OptimizerConfig) -> None:
        self._decay = config.weight_decay
        self._peak = config.muon_learning_rate
        self._by_shape: dict[torch.Size, list[nn.Parameter]] = {}
        for weight in weights.values():
            self._by_shape.setdefault(weight.shape, []).append(weight)
        self.momentum = {name: torch.zeros_like(weight.detach()) for name, weight in weights.items()}
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
                directions.append(whole(gradient.lerp(momentum, _MOMENTUM)))  # Nesterov
            stacked = torch.stack(directions)
            for weight, update in zip(weights, orthogonalized(stacked, _precision(stacked)), strict=True):
                mine = local(part_like(update.to(weight.dtype), weight))
                local(weight).mul_(1 - rate * self._decay).add_(mine, alpha=-rate * scale)


def orthogonalized(matrices: Tensor, precision: torch.dtype = torch.float32) -> Tensor:
    """(n, rows, columns): each with its singular values moved to about 1; of type `precision`."""
    x = matrices.to(precision)
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    oblong = x.shape[2] >= _OBLONG * x.shape[1]
    x = _through_grams(x) if oblong and precision == torch.float32 else _iterated(x)
    return x.mT if tall else x


def _iterated(x: Tensor) -> Tensor:
    """x_{k+1} = (a + b G_k + c G_k^2) x_k, where G_k = x_k x_kᵀ."""
    first, second, third = _COEFFICIENTS
    for _ in range(_ITERATIONS):
        gram = x @ x.mT
        polynomial = torch.baddbmm(gram, gram, gram, beta=second, alpha=third)
        x = torch.baddbmm(x, polynomial, x, beta=first)
    return x


def _through_grams(x: Tensor) -> Tensor:
    """The same by G_{k+1} = P_k G_k P_k alone: x is met at the beginning and at the end. Too coarse in bfloat16."""
    first, second, third = _COEFFICIENTS
    gram = x @ x.mT
    product: Tensor | None = None
    for iteration in range(_ITERATIONS):
        polynomial = torch.baddbmm(gram, gram, gram, beta=second, alpha=third)
        polynomial.diagonal(dim1=1, dim2=2).add_(first)
        product = polynomial if product is None else polynomial @ product
        if iteration < _ITERATIONS - 1:
            gram = polynomial @ gram @ polynomial
    return x if product is None else product @ x


def _precision(matrices: Tensor) -> torch.dtype:
    """Bfloat16 where the machine has instructions for it: it is precise enough, and faster there."""
    if matrices.is_cuda:
        return torch.bfloat16
    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    able = known.get("avx512_bf16") or known.get("amx_bf16")
    return torch.bfloat16 if able else torch.float32


def _gradient(weight: nn.Parameter) -> Tensor:
    return torch.zeros_like(weight) if weight.grad is None else weight.grad
