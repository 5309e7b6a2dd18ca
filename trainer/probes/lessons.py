"""What one step learns from: rows of many lengths, and the ends of rows that are much longer; it trains nothing."""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from trainer.probes.task import Learning, Rows, Task

_SHARE_LONG: Final = 0.5  # of the steps, once there are long rows
_MOST_READ: Final = 8  # times as many ids are read in a step of long rows as are learnt from in one of short rows
_FEWEST_ROWS: Final = 8


@dataclass(frozen=True, slots=True)
class Lesson:
    """Rows, and what stood before them."""

    before: Tensor  # (B, P) int64: to be read without a gradient; P may be 0
    rows: Rows


def drawn(task: Task, learning: Learning, generator: torch.Generator, *, long: bool) -> Lesson:
    """The lesson of one step; half of the lessons are the ends of longer rows where `long` says so.

    Training on states of long histories is what makes a recurrent model hold what it knows beyond its training length,
    for a state that it never met is what fails there (Ruiz and Gu 2025, arXiv 2507.02782).
    """
    if long and learning.past and float(torch.rand(1, generator=generator)) < _SHARE_LONG:
        return _end_of_long_rows(task, learning, generator)
    length = learning.length
    if learning.shortest:
        length = _between(learning.shortest, learning.length, generator)
    rows = task.draw(generator, learning.batch * learning.length // length, length)
    return Lesson(rows.ids[:, :0], rows)


def _end_of_long_rows(task: Task, learning: Learning, generator: torch.Generator) -> Lesson:
    """The last `length` ids are learnt from, so that a step costs one gradient of the training length."""
    length = _between(2 * learning.length, learning.past, generator)
    most = _MOST_READ * learning.batch * learning.length // length
    rows = task.draw(generator, min(learning.batch, max(_FEWEST_ROWS, most)), length)
    cut = length - learning.length
    return Lesson(rows.ids[:, :cut], Rows(rows.ids[:, cut:], rows.targets[:, cut:]))


def _between(shortest: int, longest: int, generator: torch.Generator) -> int:
    """Drawn evenly over the orders of magnitude."""
    exponent = float(torch.rand(1, generator=generator))
    return round(float(shortest * (longest / shortest) ** exponent))
