"""Every family of the catalogue is right, says what it does, and has an exam that notices errors."""

from collections import Counter

import pytest

from ghostd.core.concept import slugify
from ghostd.textbook import index

from .checks import agrees, assert_exam_kills_mutants, assert_family_is_right, spread
from .conftest import all_families, all_oracles


def test_family_keeps_the_rules_and_agrees_with_its_oracle(family):
    assert_family_is_right(family, all_oracles()[family.slug])


def test_family_exam_kills_mutants(family):
    for parameters in spread(family.parameters, 4):
        assert_exam_kills_mutants(family.build(*parameters))


def test_prerequisites_exist_and_make_no_cycle():
    before = {family.slug: family.prerequisites for family in all_families()}
    missing = {slug: set(after) - set(before) for slug, after in before.items() if set(after) - set(before)}
    assert not missing
    done: set[str] = set()
    while ready := {slug for slug, after in before.items() if slug not in done and set(after) <= done}:
        done |= ready
    assert done == set(before), f"cycle among {sorted(set(before) - done)}"


def test_slugs_of_families_are_unique_and_name_their_domain():
    families = all_families()
    assert len({family.slug for family in families}) == len(families)
    assert len({family.title for family in families}) == len(families)
    assert {family.domain for family in families} == set(index.chapters())


def test_titles_are_unique_in_the_whole_catalogue():
    titles = Counter(slugify(entry.title) for family in all_families() for entry in family.entries())
    assert [title for title, count in titles.items() if count > 1] == []


def test_the_catalogue_is_as_large_as_promised():
    summary = index.catalogue_summary()
    assert summary.domains >= 10
    assert summary.families >= 60
    assert summary.concepts >= 20_000


@pytest.mark.parametrize(
    ("seen", "expected", "wanted"),
    [
        (1, 1, True),
        (True, 1, False),
        (1, True, False),
        (0.1 + 0.2, 0.3, True),
        (0.3001, 0.3, False),
        ([1], (1,), False),
        ({"a": [0.3]}, {"a": [0.1 + 0.2]}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
    ],
)
def test_agreement_is_strict_about_types_and_lenient_about_the_last_bits(seen, expected, wanted):
    assert agrees(seen, expected) is wanted
