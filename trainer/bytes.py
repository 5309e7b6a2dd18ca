"""The byte vocabulary: 256 bytes and eight special ids; there is no tokenizer to train, ship or lose."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.uint16]

BYTES: Final = 256
BOUNDARY: Final = 256  # stands before the first byte of a document and after its last
USER: Final = 257
ASSISTANT: Final = 258
SYSTEM: Final = 259
PREFIX: Final = 260  # fill in the middle: prefix, suffix, then the middle (Bavarian et al. 2022, arXiv 2207.14255)
SUFFIX: Final = 261
MIDDLE: Final = 262
PADDING: Final = 263
VOCABULARY: Final = 264  # a multiple of eight, which matrix units like

ROLES: Final = {"user": USER, "assistant": ASSISTANT, "system": SYSTEM}


def encode(text: bytes) -> Ids:
    """Each byte as its own id."""
    return np.frombuffer(text, dtype=np.uint8).astype(np.uint16)


def decode(ids: Ids) -> bytes:
    """The bytes among the ids; special ids say nothing and are left out."""
    return bytes(ids[ids < BYTES].astype(np.uint8))
