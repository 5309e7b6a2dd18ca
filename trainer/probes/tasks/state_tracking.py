"""The running product in a group: parity, counting modulo five, permutations of three things.

No model whose state only decays can do it in rows longer than those that it learnt from (Merrill et al. 2024, arXiv
2404.08819; Grazzi et al. 2024, arXiv 2411.12537); products of reflections can (Siems et al. 2025, arXiv 2502.10297).
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from typing import Final

import torch

from trainer.config import ModelConfig, OptimizerConfig
from trainer.errors import ConfigError
from trainer.probes.task import Learning, Rows, Task

Group = tuple[tuple[int, ...], ...]  # the product of elements i and j at [i][j]
_VOCABULARY: Final = 8  # ids that are no element are never drawn


@dataclass(frozen=True, slots=True)
class StateTracking:
    """After every element, the product of all so far."""

    group: Group
    vocabulary: int = _VOCABULARY
    whole_rows: bool = False

    @property
    def answers(self) -> range:
        """The elements."""
        return range(len(self.group))

    @property
    def learning(self) -> Learning:
        """RWKV-7 with two reflections: one swaps, two rotate, and only what does not stretch holds in long rows."""
        model = ModelConfig(mixers=("rwkv7",), width=64, layers=2, head_width=32, reflections=2)
        lengths = tuple(64 * times for times in (1, 2, 4, 16))
        return Learning(
            model,
            OptimizerConfig(floor=0.0),
            length=64,
            shortest=4,
            past=256,
            ready=0.99,  # an error turns every later answer: sooner, longer rows would teach noise
            test_lengths=lengths,
            steps=400,
            batch=32,
        )

    def draw(self, generator: torch.Generator, rows: int, length: int) -> Rows:
        """See Task."""
        if length < 1:
            raise ConfigError(f"A product needs rows of at least one id, not {length}.")
        table = torch.tensor(self.group)
        ids = torch.randint(0, len(self.group), (rows, length), generator=generator)
        products = [ids[:, 0]]
        for column in ids.unbind(1)[1:]:
            products.append(table[products[-1], column])
        return Rows(ids, torch.stack(products, 1))


def cyclic(size: int) -> Group:
    """Addition modulo `size`."""
    return _table(size, lambda first, second: (first + second) % size)


def symmetric(things: int) -> Group:
    """All permutations, one after the other."""
    elements = list(permutations(range(things)))
    return _table(
        len(elements),
        lambda first, second: elements.index(tuple(elements[second][place] for place in elements[first])),
    )


def _table(size: int, product: Callable[[int, int], int]) -> Group:
    return tuple(tuple(product(first, second) for second in range(size)) for first in range(size))


VARIANTS: dict[str, Task] = {
    "parity": StateTracking(cyclic(2)),
    "modulo five": StateTracking(cyclic(5)),
    "three things": StateTracking(symmetric(3)),
}
