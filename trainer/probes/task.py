"""What every probe offers: rows with questions whose answers follow from the row, drawn from a generator of its own."""

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Final, Protocol

import torch
from torch import Tensor

from trainer.config import ModelConfig, OptimizerConfig
from trainer.errors import ConfigError
from trainer.probes import tasks

NOT_ASKED: Final = -100  # the target where nothing is asked; cross_entropy's own value for it


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of equal length; all (B, L) int64."""

    ids: Tensor
    targets: Tensor  # the id that follows where it is asked, else NOT_ASKED
    lures: Tensor | None = None  # the id that would be wrong in a telling way where there is one, else NOT_ASKED


@dataclass(frozen=True, slots=True)
class Learning:
    """How a small model learns a task."""

    model: ModelConfig
    optimizer: OptimizerConfig
    length: int  # ids of the longest training row
    test_lengths: tuple[int, ...]  # ids of the test rows, one test each
    steps: int
    shortest: int = 0  # ids of the shortest training row: each step draws a length; 0: all are the longest
    past: int = 0  # ids of the longest row of which only the last `length` ids are learnt from; 0: there are none
    ready: float = 0.9  # share of right answers at the training length from which on there are such rows
    batch: int = 64  # of the longest rows in one step; of shorter ones as many more
    enough: float = 0.99  # share of right answers at the training length that ends the training; above 1 never
    look_every: int = 25  # steps
    test_rows: int = 256


class Task(Protocol):
    """One probe."""

    @property
    def vocabulary(self) -> int:
        """How many ids there are."""

    @property
    def answers(self) -> range:
        """The ids that an answer can be, each as likely as the others: guessing finds 1 in len(answers)."""

    @property
    def whole_rows(self) -> bool:
        """Whether a row counts as right only when every answer in it is (a key of several digits)."""

    @property
    def learning(self) -> Learning:
        """The recipe that learns it unless another is named; LOG.md says how far each came."""

    def draw(self, generator: torch.Generator, rows: int, length: int) -> Rows:
        """`rows` fresh rows of `length` ids. Raises ConfigError when the length has no room for the question."""


def names() -> list[str]:
    """All probes: the files in tasks/, with `-` for `_`."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(tasks.__path__))


def variants(name: str, only: str | None = None) -> dict[str, Task]:
    """The tasks of a probe by their names, or one of them; most have one. Raises ConfigError for an unknown name."""
    if name not in names():
        raise ConfigError(f"There is no probe {name!r}; the probes are {', '.join(names())}.")
    module = importlib.import_module(f"{tasks.__name__}.{name.replace('-', '_')}")
    found: dict[str, Task] = module.VARIANTS
    if only is None:
        return found
    if only not in found:
        raise ConfigError(f"The probe {name} has no task {only!r}; it has {', '.join(map(repr, found))}.")
    return {only: found[only]}


def chance(task: Task, rows: Rows) -> float:
    """The share of right answers that blind guessing would have on these rows."""
    guess = 1 / len(task.answers)
    if not task.whole_rows:
        return guess
    asked = (rows.targets != NOT_ASKED).sum(1)
    return float((guess**asked).mean())
