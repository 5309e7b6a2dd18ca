"""At which temperature proposals are asked for: where new ones come, and where that moves to."""

import random

import pytest

from ghostd.core.warmth import Tally, begun, counted, next_temperature


def chosen(tallies: dict[float, Tally], times: int = 300) -> dict[float, int]:
    generator = random.Random(1)
    found = dict.fromkeys(tallies, 0)
    for _ in range(times):
        found[next_temperature(tallies, generator)] += 1
    return found


def test_what_is_unknown_is_tried_alike() -> None:
    assert min(chosen(begun((1.0, 1.5, 2.0))).values()) > 60


@pytest.mark.parametrize("best", [1.0, 1.5, 2.0])
def test_most_proposals_go_where_most_were_new(best: float) -> None:
    tallies = {one: Tally(new=30 if one == best else 6, old=120) for one in (1.0, 1.5, 2.0)}
    assert chosen(tallies)[best] > 280


def test_what_was_asked_long_ago_counts_less_so_that_a_dried_up_source_is_left() -> None:
    tallies = counted(begun((1.0, 2.0)), 1.0, new=16, old=0)
    tallies = counted(tallies, 2.0, new=4, old=12)
    assert chosen(tallies)[1.0] > 250
    for _ in range(8):
        tallies = counted(tallies, 1.0, new=0, old=16)
    assert chosen(tallies)[2.0] > 250


def test_nobody_has_to_know_beforehand_which_temperature_is_best() -> None:
    """Each one draws from so many different numbers and fails so often; the small source soon runs out."""
    sources = {1.0: (40, 0.0), 1.5: (160, 0.3), 2.0: (640, 0.7)}  # how many there are, and the share of failures

    def found(temperatures: tuple[float, ...]) -> int:
        generator = random.Random(7)
        seen: set[int] = set()
        tallies = begun(temperatures)
        for _ in range(60):
            temperature = next_temperature(tallies, generator)
            room, failing = sources[temperature]
            before = len(seen)
            seen |= {generator.randrange(room) for _ in range(16) if generator.random() >= failing}
            new = len(seen) - before
            tallies = counted(tallies, temperature, new=new, old=16 - new)
        return len(seen)

    assert found((1.0, 1.5, 2.0)) > 0.75 * max(found((one,)) for one in sources)
    assert found((1.0, 1.5, 2.0)) > 2 * min(found((one,)) for one in sources)
