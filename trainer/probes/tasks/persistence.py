"""One fact, then noise: it is asked for late in the row, again and again, and the answers are never shown."""

from dataclasses import dataclass
from typing import Final

import torch

from trainer.bytes import VOCABULARY
from trainer.config import ModelConfig, OptimizerConfig
from trainer.errors import ConfigError
from trainer.probes.task import NOT_ASKED, Learning, Rows, Task

_NOISE: Final = b"abcdefghijklmnopqrstuvwxyz "
_FACT: Final = ord("#")
_QUESTION: Final = ord("?")


@dataclass(frozen=True, slots=True)
class Persistence:
    """Every question stands in the second half of the row, so at least half a row from the fact."""

    facts: int = 64
    questions: int = 4
    vocabulary: int = VOCABULARY
    whole_rows: bool = False

    @property
    def answers(self) -> range:
        """Bytes that the noise does not use."""
        return range(128, 128 + self.facts)

    @property
    def learning(self) -> Learning:
        """RWKV-7: the state is all that can hold the fact, and a rate of zero neither erases nor overwrites it."""
        model = ModelConfig(mixers=("rwkv7",), width=64, layers=2)
        lengths = tuple(256 * times for times in (1, 4, 16, 64))
        return Learning(
            model,
            OptimizerConfig(floor=0.0),
            length=256,
            shortest=16,
            past=4096,
            test_lengths=lengths,
            steps=400,
            batch=16,
            test_rows=64,
        )

    def draw(self, generator: torch.Generator, rows: int, length: int) -> Rows:
        """See Task."""
        half = length // 2
        if half < self.questions or half < len("#!"):
            raise ConfigError(f"{self.questions} questions need rows of {2 * self.questions + 2} ids, not {length}.")
        noise = torch.tensor(list(_NOISE))
        ids = noise[torch.randint(0, len(noise), (rows, length), generator=generator)]
        fact = torch.randint(self.answers.start, self.answers.stop, (rows,), generator=generator)
        ids[:, 0], ids[:, 1] = _FACT, fact
        places = torch.rand(rows, length - half, generator=generator).topk(self.questions, dim=1).indices + half
        ids.scatter_(1, places, _QUESTION)
        targets = torch.full_like(ids, NOT_ASKED).scatter_(1, places, fact[:, None].expand_as(places))
        return Rows(ids, targets)


VARIANTS: dict[str, Task] = {"persistence": Persistence()}
