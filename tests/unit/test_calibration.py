"""Bounds, counts and the alarm, against published values and tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostd.core.calibration import (
    Fate,
    Label,
    Order,
    Planted,
    Standing,
    Tally,
    daily_order,
    items_needed,
    judge,
    order_of,
    sentence,
    tally,
    total,
    wilson,
)
from ghostd.core.concept import Concept

# Newcombe 1998, Two-sided confidence intervals for the single proportion, table I, method 3
PUBLISHED = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]


def false(planted: int, accepted: int) -> list[Tally]:
    return [Tally("off_by_one", Label.FALSE, planted, accepted)]


def item(kind: str, label: Label, number: int = 0) -> Planted:
    return Planted(kind, label, Concept("text", f"Concept {number}", "Return 1", "def f() -> int"))


@pytest.mark.parametrize(("hits", "trials", "low", "high"), PUBLISHED)
def test_the_bounds_are_the_published_ones(hits: int, trials: int, low: float, high: float) -> None:
    assert wilson(hits, trials).low == pytest.approx(low, abs=5e-5)
    assert wilson(hits, trials).high == pytest.approx(high, abs=5e-5)


def test_without_trials_nothing_is_known() -> None:
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)


@pytest.mark.parametrize(("hits", "trials"), [(-1, 5), (6, 5), (1, 0)])
def test_counts_that_no_sample_has_are_refused(hits: int, trials: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson(hits, trials)


@given(st.integers(1, 10_000).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_the_bounds_enclose_the_share_and_mirror_its_complement(counts: tuple[int, int]) -> None:
    hits, trials = counts
    bounds, mirrored = wilson(hits, trials), wilson(trials - hits, trials)
    assert 0 <= bounds.low <= hits / trials <= bounds.high <= 1
    assert bounds.low == pytest.approx(1 - mirrored.high, abs=1e-12)


@given(st.floats(0.001, 0.2))
def test_exactly_so_many_items_are_needed(bound: float) -> None:
    needed = items_needed(bound)
    assert wilson(0, needed).high <= bound + 1e-12
    assert wilson(0, needed - 1).high > bound


@pytest.mark.parametrize(
    ("planted", "accepted", "standing"),
    [
        (0, 0, Standing.UNDECIDED),
        (40, 0, Standing.UNDECIDED),
        (380, 0, Standing.UNDECIDED),
        (381, 0, Standing.GOOD),
        (900, 3, Standing.GOOD),
        (1, 1, Standing.UNDECIDED),  # one slip in a small sample is no case
        (10, 2, Standing.UNDECIDED),
        (3, 3, Standing.FOOLED),
        (40, 3, Standing.FOOLED),
        (200, 3, Standing.UNDECIDED),  # 1.5 %, but not shown to be above 1 %
        (381, 2, Standing.UNDECIDED),
        (381, 3, Standing.FOOLED),  # items enough, and the bound cannot be upheld
        (900, 4, Standing.FOOLED),
        (10_000, 300, Standing.FOOLED),
    ],
)
def test_the_alarm_waits_for_a_case_and_no_longer(planted: int, accepted: int, standing: Standing) -> None:
    assert judge(false(planted, accepted), 0.01) is standing


@pytest.mark.parametrize("label", [Label.DEEP, Label.HARMLESS, Label.TRUE])
def test_only_what_execution_can_catch_raises_the_alarm(label: Label) -> None:
    others = [Tally("other", label, 1000, 900)]
    assert judge([*false(500, 0), *others], 0.01) is Standing.GOOD
    assert judge(others, 0.01) is Standing.UNDECIDED


def test_items_are_counted_by_kind_with_what_was_misjudged() -> None:
    items = [
        (item("off_by_one", Label.FALSE, 1), Fate(accepted=True, mutants_killed=9, mutants_total=10)),
        (item("off_by_one", Label.FALSE, 2), Fate(accepted=False, reason="tested.exam_failed")),
        (item("plain_code", Label.TRUE, 3), Fate(accepted=True, mutants_killed=4, mutants_total=4)),
        (item("plain_code", Label.TRUE, 4), Fate(accepted=False, reason="reproducible.time")),
        (item("refusal", Label.HARMLESS, 5), Fate(accepted=False, reason="lesson.refusal")),
    ]
    wrong, delivery, right = tally(items)
    assert (wrong.planted, wrong.accepted, wrong.wrong) == (2, 1, 1)
    assert wrong.misjudged == ("text/concept-1",)
    assert wrong.reasons == (("tested.exam_failed", 1),)
    assert (right.planted, right.accepted, right.wrong, right.misjudged) == (2, 1, 1, ("text/concept-4",))
    assert (right.mutants_killed, right.mutants_total) == (4, 4)
    assert (delivery.wrong, delivery.misjudged) == (0, ())
    assert total((wrong, right), Label.FALSE).accepted == 1
    assert right.rejects == wilson(1, 2)


@given(st.integers(0, 5000))
def test_a_day_plants_what_it_was_told_to_and_most_of_it_false(items: int) -> None:
    order = daily_order(items, 7)
    assert order.false + order.true + order.deep + order.harmless == items
    assert 2 * order.false >= items
    assert daily_order(items, 7, false=400).false >= 400


def test_an_order_of_one_kind_plants_nothing_else() -> None:
    assert order_of(30, 10, 1, "plain_code", Label.TRUE) == Order(0, 10, seed=1, kind="plain_code")
    assert order_of(30, 10, 1, "off_by_one", Label.FALSE) == Order(30, 0, seed=1, kind="off_by_one")
    assert order_of(30, 10, 1, "refusal", Label.HARMLESS) == Order(0, 0, 0, 30, 1, "refusal")
    assert order_of(30, 10, 1) == Order(30, 10, 2, 2, 1)


def test_the_figures_are_told_in_words() -> None:
    told = sentence(false(400, 3), 0.01)
    assert told == "3 of 400 false items were accepted, a rate between 0.26 % and 2.18 % where 1 % is allowed"
