"""Which of train, validation and test a lineage belongs to: a pure function of its name; it never looks at rows.

Variants of one parent concept share a lineage and so a split: nothing that was trained on is ever tested on.
"""

import hashlib
from collections.abc import Iterable
from enum import StrEnum

_TEST_BELOW = 0.1
_VALIDATION_BELOW = 0.2
_SMALLEST_WITH_EVERY_SPLIT = 3


class Split(StrEnum):
    """The three parts of a dataset; about 80, 10 and 10 % of the lineages."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


def position(lineage: str, seed: int = 0) -> float:
    """Where the lineage lies in [0, 1), uniformly over all lineages; another seed shuffles them anew."""
    digest = hashlib.sha256(f"{seed}:{lineage}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48)  # 48 bits: exact in a float, and never rounded up to 1


def home(lineage: str, seed: int = 0) -> Split:
    """The split that the lineage's hash gives it, whatever else is in the dataset."""
    place = position(lineage, seed)
    if place < _TEST_BELOW:
        return Split.TEST
    return Split.VALIDATION if place < _VALIDATION_BELOW else Split.TRAIN


def assign(lineages: Iterable[str], seed: int = 0) -> dict[str, Split]:
    """The split of every lineage, in the order of their hashes.

    Each goes to its `home`, so a growing dataset moves nothing. The one exception: a small dataset may have no
    lineage at home in some split. From three lineages on no split stays empty: the largest one gives it its
    lineage with the smallest hash, which returns home once the dataset has grown. Of two lineages the smaller
    hash validates; a single one is trained on.
    """
    ordered = sorted(set(lineages), key=lambda lineage: (position(lineage, seed), lineage))
    if len(ordered) < _SMALLEST_WITH_EVERY_SPLIT:
        small = (Split.TRAIN,) if len(ordered) == 1 else (Split.VALIDATION, Split.TRAIN)
        return dict(zip(ordered, small, strict=False))
    assigned = {lineage: home(lineage, seed) for lineage in ordered}
    for empty in (Split.TEST, Split.VALIDATION, Split.TRAIN):
        members = list(assigned.values())
        if empty not in members:
            donor = max(Split, key=members.count)  # of equals the first in the order of the enum: train
            assigned[next(lineage for lineage in ordered if assigned[lineage] is donor)] = empty
    return assigned
