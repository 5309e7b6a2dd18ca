"""Letters, a sign, and the same letters again: what was read is told word for word."""

from dataclasses import dataclass
from typing import Final

import torch

from trainer.bytes import VOCABULARY
from trainer.config import ModelConfig, OptimizerConfig
from trainer.errors import ConfigError
from trainer.probes.task import NOT_ASKED, Learning, Rows, Task

_SIGN: Final = ord("=")
_FILLER: Final = ord(".")  # before the letters of a row of even length
_SHORTEST: Final = 3


@dataclass(frozen=True, slots=True)
class Copy:
    """The whole first half of the row is copied into the second."""

    letters: int = 26
    vocabulary: int = VOCABULARY
    whole_rows: bool = False

    @property
    def answers(self) -> range:
        """The letters."""
        return range(ord("a"), ord("a") + self.letters)

    @property
    def learning(self) -> Learning:
        """Mamba tells each letter what stood before it, attention finds the place to go on from."""
        model = ModelConfig(mixers=("mamba", "attention"), width=64, layers=2, head_width=64, mlp_width=0)
        return Learning(
            model, OptimizerConfig(floor=0.0), length=128, shortest=16, test_lengths=(128, 256), steps=400, batch=16
        )

    def draw(self, generator: torch.Generator, rows: int, length: int) -> Rows:
        """See Task."""
        if length < _SHORTEST:
            raise ConfigError(f"Something to copy needs rows of at least {_SHORTEST} ids, not {length}.")
        half = (length - 1) // 2
        letters = torch.randint(self.answers.start, self.answers.stop, (rows, half), generator=generator)
        ids = torch.full((rows, length), _FILLER)
        ids[:, length - half :] = letters
        ids[:, length - half - 1] = _SIGN
        ids[:, length - 2 * half - 1 : length - half - 1] = letters
        targets = torch.full_like(ids, NOT_ASKED)
        targets[:, length - half - 1 : -1] = letters
        return Rows(ids, targets)


VARIANTS: dict[str, Task] = {"copy": Copy()}
