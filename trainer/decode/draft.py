"""Guesses of what follows, to be read together and believed only where they come true; it verifies nothing."""

import math
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from trainer.bytes import BYTES
from trainer.sampling import log_probabilities

_LONGEST: Final = 8  # ids that are looked up
_SHORTEST: Final = 3
_SURE: Final = 0.3  # measured: LOG.md, "decoding every recipe in C"


class Drafter(Protocol):
    """Guesses the next ids. What it guesses changes how fast text is written, never which text."""

    def after(self, written: list[int], ahead: NDArray[np.float32] | None) -> list[int]:
        """The ids that may follow `written`.

        Args:
            written: everything so far, the prompt included; the last id was not read yet.
            ahead: (heads, vocabulary), what the predictive heads said when the id before the last was read.

        """


class HeadsDrafter:
    """The most likely id of each predictive head (Stern et al. 2018, arXiv 1811.03115), while it is likely enough.

    Args:
        sure: the least probability that all guesses up to one have together; a guess that fails costs more than none.

    """

    def __init__(self, sure: float = _SURE) -> None:
        self._sure = math.log(sure)

    def after(self, written: list[int], ahead: NDArray[np.float32] | None) -> list[int]:
        """See Drafter."""
        del written
        if ahead is None:
            return []
        likely = log_probabilities(ahead[:, :BYTES])
        lasting = likely.max(axis=1).cumsum() >= self._sure  # the sums only fall
        return [int(each) for each in likely.argmax(axis=1)[lasting]]


class LookupDrafter:
    """What followed the last few ids when they were written before (Saxena 2023, prompt lookup decoding)."""

    def __init__(self, most: int = 6) -> None:
        self._most = most

    def after(self, written: list[int], ahead: NDArray[np.float32] | None) -> list[int]:
        """See Drafter. The longest ending that occurred before wins, at its last occurrence."""
        del ahead
        text = bytes(each if each < BYTES else 0 for each in written)
        for length in range(min(_LONGEST, len(text) - 1), _SHORTEST - 1, -1):
            at = text.rfind(text[-length:], 0, len(text) - 1)
            if at >= 0:
                return [each for each in written[at + length : at + length + self._most] if each < BYTES]
        return []
