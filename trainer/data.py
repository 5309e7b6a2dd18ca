"""Rows to train on: each lane reads its own documents one after another, in a shuffled order that can be resumed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.bytes import BYTES, PADDING
from trainer.config import DataConfig
from trainer.documents import Place
from trainer.encoding import Document, fill_in_the_middle, read_document


@dataclass(frozen=True, slots=True)
class Position:
    """How far a lane has read; with the seed it says all of what comes."""

    epoch: int = 0
    index: int = 0  # documents of this lane's share that are behind it, in this epoch
    offset: int = 0  # ids of the current document that are behind it
    segment: int = 1  # documents begun so far: no two in sight of each other have the same number


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of equal length; all (B, L)."""

    ids: Tensor  # int64
    targets: Tensor  # int64, the ids that follow
    weights: Tensor  # float32, of predicting the target
    segments: Tensor  # int64, the document that an id belongs to

    def to(self, device: torch.device) -> "Batch":
        """The same batch on the device."""
        return Batch(*(part.to(device) for part in (self.ids, self.targets, self.weights, self.segments)))

    def learnt_bytes(self) -> float:
        """Targets that are learnt and are bytes, not special ids."""
        return float((self.weights * (self.targets < BYTES)).sum())


class Rows:
    """Batches without end, from as many lanes as a step has rows; a lane's row continues its last one."""

    def __init__(self, places: Sequence[Place], config: DataConfig, lanes: int, seed: int) -> None:
        self._places = places
        self._config = config
        self._seed = seed
        self._current: dict[int, tuple[tuple[int, int], Document]] = {}  # of each lane
        self._order: dict[int, NDArray[np.int64]] = {}  # of an epoch
        self.positions = [Position() for _ in range(lanes)]  # assign these to resume

    def take(self, lanes: range) -> Batch:
        """The next row of each of the lanes. Raises DataError when a document cannot be read."""
        return _stack([self.row(lane) for lane in lanes])

    def epoch(self) -> int:
        """Whole passes that the slowest lane has behind it."""
        return min(position.epoch for position in self.positions)

    def row(self, lane: int) -> NDArray[np.int64]:
        """The lane's next row, (4, L): ids, targets, weights, segments. Raises DataError as `take` does."""
        row = np.empty((4, self._config.context), np.int64)
        filled = 0
        while filled < row.shape[1]:
            position = self.positions[lane]
            document = self._document(lane)
            if _fits_a_row_of_its_own(document, position, row.shape[1]) and not _fits(document, row.shape[1] - filled):
                row[:2, filled:], row[2:, filled:] = PADDING, 0
                break
            taken = min(row.shape[1] - filled, len(document.ids) - 1 - position.offset)
            here, there = slice(filled, filled + taken), slice(position.offset, position.offset + taken)
            row[0, here] = document.ids[there]
            row[1, here] = document.ids[1:][there]
            row[2, here] = document.weights[1:][there]
            row[3, here] = position.segment
            filled += taken
            self.positions[lane] = self._advanced(lane, taken, len(document.ids) - 1)
        return row

    def _advanced(self, lane: int, taken: int, length: int) -> Position:
        position = self.positions[lane]
        if position.offset + taken < length:
            return replace(position, offset=position.offset + taken)
        if position.index + 1 < len(self._share(lane, position.epoch)):
            return Position(position.epoch, position.index + 1, 0, position.segment + 1)
        return Position(position.epoch + 1, 0, 0, position.segment + 1)

    def _share(self, lane: int, epoch: int) -> NDArray[np.int64]:
        """The lane's documents of the epoch: every n-th of the shuffled order; lanes beyond the documents share one."""
        if epoch not in self._order:
            oldest = min((self.positions[each].epoch for each in self._current), default=0)  # of the lanes read here
            self._order = {known: order for known, order in self._order.items() if known >= oldest}
            self._order[epoch] = np.random.default_rng([self._seed, epoch]).permutation(len(self._places))
        return self._order[epoch][lane % len(self._places) :: len(self.positions)]

    def _document(self, lane: int) -> Document:
        position = self.positions[lane]
        key = (position.epoch, position.index)
        known = self._current.get(lane)
        if known and known[0] == key:
            return known[1]
        number = int(self._share(lane, position.epoch)[position.index])
        document = read_document(self._places[number], self._config.loss_on)
        if self._config.middle_fraction and document.plain:
            generator = np.random.default_rng([self._seed, position.epoch, number])
            if generator.random() < self._config.middle_fraction:
                document = fill_in_the_middle(document, generator)
        self._current[lane] = (key, document)
        return document


def validation_batches(places: Sequence[Place], config: DataConfig) -> list[Batch]:
    """The rows that validation reads, always the same: one pass at most, the last row padded."""
    if not places:
        return []
    rows = Rows(places, replace(config, middle_fraction=0.0), lanes=1, seed=0)
    taken: list[NDArray[np.int64]] = []
    while len(taken) < config.validation_rows and rows.epoch() == 0:
        row = rows.row(0)
        if rows.epoch() > 0:
            _pad_what_comes_again(row, len(places))
        taken.append(row)
    return [_stack(taken[start : start + config.batch]) for start in range(0, len(taken), config.batch)]


def _fits(document: Document, room: int) -> bool:
    return len(document.ids) - 1 <= room


def _fits_a_row_of_its_own(document: Document, position: Position, context: int) -> bool:
    """A conversation that fits a row is not cut: an answer without its question teaches guessing."""
    return not document.plain and position.offset == 0 and _fits(document, context)


def _pad_what_comes_again(row: NDArray[np.int64], documents: int) -> None:
    again = row[3] > documents
    row[:2, again] = PADDING
    row[2, again] = 0


def _stack(rows: Sequence[NDArray[np.int64]]) -> Batch:
    ids, targets, weights, segments = torch.from_numpy(np.stack(rows)).unbind(1)
    return Batch(ids.contiguous(), targets.contiguous(), weights.float(), segments.contiguous())
