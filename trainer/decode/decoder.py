"""What every decoder offers: ids are read after a state, and logits say what follows; it computes nothing itself."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trainer.state import ModelState

Logits = NDArray[np.float32]
IdArray = NDArray[np.int64]

PIECE: Final = 64  # ids that are read together; every piece but the last ends at a multiple of it


class Memory(ABC):
    """What was read, owned by one reader; `fork` before two go on from it."""

    position: int  # ids read

    @abstractmethod
    def fork(self) -> "Memory":
        """Another of the same, which its own reader changes."""

    @abstractmethod
    def back(self, ids: int) -> Callable[[], None]:
        """A call that makes it what it is now, once at most `ids` more were read; it costs less than a fork."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes that keeping it takes."""


class Decoder(ABC):
    """A model for one sequence at a time. It is not safe to read with it in two threads at once."""

    vocabulary: int
    heads: int = 0  # predictive heads

    @abstractmethod
    def begin(self) -> Memory:
        """Nothing was read yet."""

    @abstractmethod
    def read(self, memory: Memory, ids: IdArray) -> Logits:
        """Reads the ids, at least one; `memory` is then what it was with them at its end.

        Returns:
            (ids, vocabulary): what follows each id.

        """

    @abstractmethod
    def read_ahead(self, memory: Memory, ids: IdArray) -> tuple[Logits, Logits]:
        """As `read`, with the predictive heads' (ids, heads, vocabulary): head k is of the id k + 2 places later."""

    @abstractmethod
    def export(self, memory: Memory) -> ModelState:
        """The memory as the model's own state."""

    @abstractmethod
    def restore(self, state: ModelState) -> Memory:
        """The memory that a model's state stands for; the state is left alone."""

    @property
    @abstractmethod
    def description(self) -> str:
        """How it computes, for a person."""


def read_in_pieces(decoder: Decoder, memory: Memory, ids: IdArray) -> Logits:
    """The logits after the last id, (vocabulary,); `ids` is at least one id.

    A piece ends where the position is a multiple of PIECE. Sequences that are equal up to there are thus read with
    equal calls, and give equal bits even where a decoder's rounding depends on how many ids are read together.
    """
    start = 0
    while True:
        end = min(start + PIECE - memory.position % PIECE, len(ids))
        logits = decoder.read(memory, ids[start:end])
        if end == len(ids):
            last: Logits = logits[-1]
            return last
        start = end
