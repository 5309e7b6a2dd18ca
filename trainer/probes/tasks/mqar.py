"""Multi-query associative recall: keys with their values, then some of the keys again; each asks for its value.

The generator is zoology's (Arora et al. 2023, arXiv 2312.04927): keys and values from the two halves of the vocabulary,
queries at gaps that follow a power law, random ids everywhere else.
"""

from dataclasses import dataclass

import torch

from trainer.config import ModelConfig, OptimizerConfig
from trainer.errors import ConfigError
from trainer.probes.task import NOT_ASKED, Learning, Rows, Task


@dataclass(frozen=True, slots=True)
class Mqar:
    """One setting of the task."""

    vocabulary: int = 2048  # the lower half are keys (0 is none), the upper half values
    pairs: int = 32
    power: float = 0.01  # of the gaps' law: the smaller, the more queries come early
    whole_rows: bool = False

    @property
    def answers(self) -> range:
        """The values."""
        return range(self.vocabulary // 2, self.vocabulary)

    @property
    def learning(self) -> Learning:
        """One Mamba layer shifts each value to its key, one attention layer finds it."""
        model = ModelConfig(mixers=("mamba", "attention"), width=64, layers=2, head_width=64, mlp_width=0)
        optimizer = OptimizerConfig(name="muon", floor=0.0)  # AdamW begins to learn much later
        return Learning(model, optimizer, length=256, test_lengths=(256,), steps=500)

    def draw(self, generator: torch.Generator, rows: int, length: int) -> Rows:
        """See Task."""
        half, pairs = self.vocabulary // 2, self.pairs
        places = (length - 2 * pairs) // 2  # a query and its answer take two ids
        if places < pairs:
            raise ConfigError(f"{pairs} pairs and their queries need rows of {4 * pairs} ids; these have {length}.")
        keys = 1 + _distinct(generator, rows, half - 1, pairs)
        values = half + _distinct(generator, rows, half, pairs)
        law = self.power * torch.arange(1, places + 1, dtype=torch.float64) ** (self.power - 1)
        at = 2 * pairs + 2 * torch.multinomial(law.expand(rows, -1), pairs, generator=generator)
        ids = torch.randint(0, self.vocabulary, (rows, length), generator=generator)
        ids[:, 0 : 2 * pairs : 2] = keys
        ids[:, 1 : 2 * pairs : 2] = values
        ids.scatter_(1, at, keys)
        targets = torch.full_like(ids, NOT_ASKED).scatter_(1, at, values)
        return Rows(ids, targets)


def _distinct(generator: torch.Generator, rows: int, among: int, count: int) -> torch.Tensor:
    """(rows, count) numbers below `among`, no two of a row equal."""
    return torch.rand(rows, among, generator=generator).topk(count, dim=1).indices


VARIANTS: dict[str, Task] = {"mqar": Mqar()}
