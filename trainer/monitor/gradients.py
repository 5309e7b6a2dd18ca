"""How large each component's gradient is, how large its weights are, and how far one step moves them."""

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from trainer.monitor.components import Component
from trainer.processes import Processes
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
    """A sample of the weights before a step, to be held against those after it; of sharded ones, of each shard."""

    @torch.no_grad()
    def __init__(self, parts: Sequence[Component]) -> None:
        self._parts = [part for part in parts if part.weights]
        self._before = [_sample(part) for part in self._parts]

    @torch.no_grad()
    def measures(self, processes: Processes) -> dict[str, tuple[float, float]]:
        """By component: the size of its weights (root mean square), and the size of the step as a fraction of it.

        Every process must ask: what each has sampled counts.
        """
        numbers = []
        for part, before in zip(self._parts, self._before, strict=True):
            numbers += [before.square().sum(), (_sample(part) - before).square().sum()]
        counts = [float(len(before)) for before in self._before]
        totals = processes.sum([*counts, *torch.stack(numbers).tolist()])
        found = {}
        for index, part in enumerate(self._parts):
            count, begin = totals[index], len(counts) + 2 * index
            size, moved = (math.sqrt(total / count) for total in totals[begin : begin + 2])
            found[part.name] = (size, moved / max(size, 1e-12))
        return found


def _sample(part: Component) -> Tensor:
    pieces = []
    for weight in part.weights:
        flat = local(weight.detach()).reshape(-1)
        pieces.append(flat[:: max(1, -(-len(flat) // _SAMPLE))].float())
    return torch.cat(pieces)
