"""Splits: by hash of the lineage, stable under growth, never empty from three lineages on."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ghostd.core.split import Split, assign, home, position

LINEAGES = st.lists(st.text("abcdefgh/-", min_size=1, max_size=12), unique=True, max_size=60)


def test_shares_of_many_lineages_are_eighty_ten_ten():
    counts = Counter(assign(f"domain/lineage-{number}" for number in range(20_000)).values())
    assert abs(counts[Split.TRAIN] / 20_000 - 0.8) < 0.01
    assert abs(counts[Split.VALIDATION] / 20_000 - 0.1) < 0.01
    assert abs(counts[Split.TEST] / 20_000 - 0.1) < 0.01


def test_positions_are_the_same_on_every_machine():
    assert position("number-theory/totient") == 0.605433939136141  # sha256("0:number-theory/totient"), first 48 bits
    assert home("number-theory/totient") is Split.TRAIN


@given(LINEAGES, st.integers(0, 5))
def test_from_three_lineages_on_no_split_is_empty(lineages, seed):
    assigned = assign(lineages, seed)
    assert set(assigned) == set(lineages)
    if len(lineages) >= 3:
        assert set(assigned.values()) == set(Split)


@given(LINEAGES, st.integers(0, 5))
def test_the_order_of_the_lineages_does_not_matter(lineages, seed):
    assert list(assign(lineages, seed).items()) == list(assign(reversed(lineages), seed).items())


@given(LINEAGES)
def test_at_most_two_lineages_are_away_from_home(lineages):
    if len(lineages) >= 3:
        away = [one for one, split in assign(lineages).items() if split is not home(one)]
        assert len(away) <= 2


def test_a_growing_dataset_moves_no_lineage_once_every_split_has_one_at_home():
    names = [f"domain/lineage-{number}" for number in range(3_000)]
    small, large = assign(names[:200]), assign(names)
    assert all(large[one] is split for one, split in small.items())


def test_another_seed_shuffles():
    names = [f"domain/lineage-{number}" for number in range(100)]
    assert assign(names, seed=1) != assign(names, seed=2)


def test_one_lineage_is_trained_on_and_a_second_one_validates():
    assert assign(["only/one"]) == {"only/one": Split.TRAIN}
    assert sorted(assign(["a/one", "b/two"]).values()) == [Split.TRAIN, Split.VALIDATION]
    assert assign([]) == {}
