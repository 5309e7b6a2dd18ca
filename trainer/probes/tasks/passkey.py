"""A key of five digits somewhere in noise, asked for at the end: learnt in short rows, asked over long ones."""

from dataclasses import dataclass
from typing import Final

import torch

from trainer.bytes import VOCABULARY
from trainer.config import ModelConfig, OptimizerConfig
from trainer.errors import ConfigError
from trainer.probes.task import NOT_ASKED, Learning, Rows, Task

_NOISE: Final = b"abcdefghijklmnopqrstuvwxyz "
_KEY: Final = ord("#")
_QUESTION: Final = ord("?")


@dataclass(frozen=True, slots=True)
class Passkey:
    """The key stands in the first `early` of the row, so that most of the row lies between it and the question."""

    digits: int = 5
    early: float = 0.5  # of the row
    vocabulary: int = VOCABULARY
    whole_rows: bool = True

    @property
    def answers(self) -> range:
        """The digits."""
        return range(ord("0"), ord("9") + 1)

    @property
    def learning(self) -> Learning:
        """RWKV-7: it learns this soonest, and its rates let noise neither erase nor overwrite the key."""
        model = ModelConfig(mixers=("rwkv7",), width=64, layers=2)
        return Learning(
            model,
            OptimizerConfig(floor=0.0),
            length=64,
            shortest=16,
            past=4096,
            test_lengths=tuple(64 * times for times in (1, 4, 16, 64)),
            steps=500,
            enough=2.0,  # the last steps, at low rates, are what makes the longest rows right
            test_rows=64,
        )

    def draw(self, generator: torch.Generator, rows: int, length: int) -> Rows:
        """See Task."""
        room = length - 2 * self.digits - 2
        if room < 0:
            raise ConfigError(f"A key of {self.digits} digits needs rows of {2 * self.digits + 2} ids, not {length}.")
        noise = torch.tensor(list(_NOISE))
        ids = noise[torch.randint(0, len(noise), (rows, length), generator=generator)]
        key = torch.randint(self.answers.start, self.answers.stop, (rows, self.digits), generator=generator)
        begin = torch.randint(0, max(1, round(self.early * room)), (rows, 1), generator=generator)
        ids.scatter_(1, begin, _KEY)
        ids.scatter_(1, begin + 1 + torch.arange(self.digits), key)
        asked = length - 1 - self.digits
        ids[:, asked] = _QUESTION
        ids[:, asked + 1 :] = key
        targets = torch.full_like(ids, NOT_ASKED)
        targets[:, asked:-1] = key
        return Rows(ids, targets)


VARIANTS: dict[str, Task] = {"passkey": Passkey()}
