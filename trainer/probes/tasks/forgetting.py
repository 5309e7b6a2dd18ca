"""Names are given values, and given others later: only the newest one is right, and the one before is a lure."""

from dataclasses import dataclass
from typing import Final

import torch

from trainer.bytes import VOCABULARY
from trainer.config import ModelConfig, OptimizerConfig
from trainer.errors import ConfigError
from trainer.probes.task import NOT_ASKED, Learning, Rows, Task

_SET: Final = ord("=")
_ASK: Final = ord("?")
_BLANK: Final = ord(".")  # stands where a value would: answers are never shown
_PART: Final = 3  # ids of `= name value` and of `? name .`


@dataclass(frozen=True, slots=True)
class Forgetting:
    """A third of the parts after the first ones are questions; the others overwrite."""

    names: int = 8
    values: int = 26
    vocabulary: int = VOCABULARY
    whole_rows: bool = False

    @property
    def answers(self) -> range:
        """The values, small letters; names are capital ones."""
        return range(ord("a"), ord("a") + self.values)

    @property
    def learning(self) -> Learning:
        """RWKV-7: it takes the old value away where it writes the new one (the delta rule)."""
        model = ModelConfig(mixers=("rwkv7",), width=64, layers=2, head_width=32)
        return Learning(
            model,
            OptimizerConfig(floor=0.0),
            length=192,
            shortest=_PART * (self.names + 1),  # each name and one question: what asks for the least is learnt first
            test_lengths=tuple(192 * times for times in (1, 4, 16)),
            steps=400,
            batch=16,
        )

    def draw(self, generator: torch.Generator, rows: int, length: int) -> Rows:
        """See Task."""
        parts = length // _PART
        if parts <= self.names:
            raise ConfigError(
                f"{self.names} names and a question need rows of {_PART * (self.names + 1)} ids, not {length}."
            )
        ids = torch.full((rows, length), _BLANK)
        targets, lures = torch.full_like(ids, NOT_ASKED), torch.full_like(ids, NOT_ASKED)
        names = torch.randint(0, self.names, (rows, parts), generator=generator)
        names[:, : self.names] = torch.rand(rows, self.names, generator=generator).argsort(1)
        fresh = torch.randint(0, self.values, (rows, parts), generator=generator)
        asks = torch.rand(rows, parts, generator=generator) * _PART < 1
        asks[:, : self.names] = False
        asks[:, -1] = True
        now = torch.zeros(rows, self.names, dtype=torch.int64)
        before = torch.full_like(now, NOT_ASKED)
        first = self.answers.start
        for part in range(parts):
            at, name, ask = part * _PART, names[:, part, None], asks[:, part]
            current, older = now.gather(1, name)[:, 0], before.gather(1, name)[:, 0]
            ids[:, at] = torch.where(ask, _ASK, _SET)
            ids[:, at + 1] = ord("A") + name[:, 0]
            ids[:, at + 2] = torch.where(ask, _BLANK, first + fresh[:, part])
            targets[:, at + 1] = torch.where(ask, first + current, NOT_ASKED)
            tempts = ask & (older != NOT_ASKED) & (older != current)
            lures[:, at + 1] = torch.where(tempts, first + older, NOT_ASKED)
            if part >= self.names:
                before.scatter_(1, name, torch.where(ask, older, current)[:, None])
            now.scatter_(1, name, torch.where(ask, current, fresh[:, part])[:, None])
        return Rows(ids, targets, lures)


VARIANTS: dict[str, Task] = {"forgetting": Forgetting()}
