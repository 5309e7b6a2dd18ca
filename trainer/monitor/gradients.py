"""How large each component's gradient is, how large its weights are, and how far one step moves them."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from trainer.monitor.components import Component
from trainer.spread import local, whole

_SAMPLE: Final = 4096  # entries of each weight that stand for all of it


def gradient_norms(parts: Sequence[Component]) -> dict[str, float]:
    """The norm of each component's gradient; 0 where nothing reached it. Sharded gradients: every process must ask."""
    owners = [part for part in parts if part.weights]
    norms = []
    for part in owners:
        gradients = [weight.grad for weight in part.weights if weight.grad is not None]
        each = torch._foreach_norm(gradients) if gradients else [part.weights[0].new_zeros(())]  # noqa: SLF001  # as torch's own clip_grad_norm_ does it
        norms.append(torch.stack([local(whole(norm)).float() for norm in each]).norm())
    values = torch.stack(norms).tolist()
    return {part.name: value for part, value in zip(owners, values, strict=True)}


class Footprint:
    """A sample of the weights before a step, to be held against the weights after it; of a sharded weight, a shard."""

    @torch.no_grad()
    def __init__(self, parts: Sequence[Component]) -> None:
        self._parts = [part for part in parts if part.weights]
        self._before = [_sample(part) for part in self._parts]

    @torch.no_grad()
    def measures(self) -> dict[str, tuple[float, float]]:
        """By component: the size of its weights (root mean square), and the size of the step as a fraction of it."""
        numbers = []
        for part, before in zip(self._parts, self._before, strict=True):
            size = before.square().mean().sqrt()
            numbers += [size, (_sample(part) - before).square().mean().sqrt() / size.clamp_min(1e-12)]
        values = torch.stack(numbers).tolist()
        return {part.name: (values[2 * index], values[2 * index + 1]) for index, part in enumerate(self._parts)}


def _sample(part: Component) -> Tensor:
    pieces = []
    for weight in part.weights:
        flat = local(weight.detach()).reshape(-1)
        pieces.append(flat[:: max(1, -(-len(flat) // _SAMPLE))].float())
    return torch.cat(pieces)
