"""At which temperature a student is asked for the next proposals: a pure choice by what earlier ones have brought.

Cool proposals repeat what was taught, hot ones are no proposals at all; where the best is in between differs from one
student to another, and moves as the wave goes on.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_KEPT = 0.9  # of the weight of earlier proposals, at each request: what is near is found first, and then no more


@dataclass(frozen=True, slots=True)
class Tally:
    """What one temperature has brought, older requests counting less."""

    new: float = 0.0  # proposals that nobody made before
    old: float = 0.0  # all others


def begun(temperatures: Sequence[float]) -> dict[float, Tally]:
    """Nothing is known yet."""
    return {temperature: Tally() for temperature in temperatures}


def next_temperature(tallies: Mapping[float, Tally], generator: random.Random) -> float:
    """The one whose share of new proposals is the largest in a draw of what the shares may be.

    Thompson sampling (1933) over uniform priors: what is surely poor is hardly asked again, what is unknown is tried.
    """
    drawn = {one: generator.betavariate(1 + tally.new, 1 + tally.old) for one, tally in tallies.items()}
    return max(drawn, key=lambda one: drawn[one])


def counted(tallies: Mapping[float, Tally], temperature: float, *, new: int, old: int) -> dict[float, Tally]:
    """The tallies after one more request."""
    faded = {one: Tally(_KEPT * tally.new, _KEPT * tally.old) for one, tally in tallies.items()}
    mine = faded[temperature]
    return {**faded, temperature: Tally(mine.new + new, mine.old + old)}
