"""The frontier prefers thin, fruitful, reachable and new ground, and says why."""

from dataclasses import replace

from ghostd.core.frontier import Candidate, is_saturated, select, wanted_concepts

PLAIN = Candidate("d/a", "d", "d/family", 1.0, 10, 10, 8, 0)


def test_a_thin_domain_comes_before_a_covered_one() -> None:
    thin = replace(PLAIN, slug="thin/a", domain="thin", domain_crystals=0)
    assert select([PLAIN, thin], 1)[0].slug == "thin/a"


def test_a_fruitful_domain_comes_before_a_barren_one() -> None:
    barren = replace(PLAIN, slug="z/barren", domain="z", domain_verified=0)
    assert select([barren, PLAIN], 1)[0].slug == "d/a"


def test_concepts_whose_prerequisites_are_known_come_first() -> None:
    unreachable = replace(PLAIN, slug="d/z", prerequisites_met=0.0)
    assert [one.slug for one in select([unreachable, PLAIN], 2)] == ["d/a", "d/z"]


def test_a_new_lineage_comes_before_one_more_variant() -> None:
    variant = replace(PLAIN, slug="d/z", lineage="d/old", lineage_crystals=5)
    assert select([variant, PLAIN], 1)[0].slug == "d/a"


def test_one_choice_makes_its_siblings_less_attractive() -> None:
    siblings = [replace(PLAIN, slug=f"d/{index}") for index in range(3)]
    other = replace(PLAIN, slug="a/other", lineage="a/other", domain="a")
    chosen = [one.slug for one in select([*siblings, other], 2)]
    assert "a/other" in chosen


def test_the_reason_names_every_part_of_the_score() -> None:
    choice = select([PLAIN], 1)[0]
    assert set(choice.reason) == {"coverage", "yield", "prerequisites", "novelty"}
    assert 0 < choice.score <= 1


def test_the_choice_does_not_depend_on_the_order_of_the_candidates() -> None:
    candidates = [replace(PLAIN, slug=f"{domain}/{index}", domain=domain) for domain in "abc" for index in range(4)]
    assert select(candidates, 6) == select(list(reversed(candidates)), 6)


def test_never_more_than_there_are() -> None:
    assert len(select([PLAIN], 5)) == 1
    assert select([], 5) == []


def test_the_backlog_is_refilled_only_when_it_is_half_empty() -> None:
    assert wanted_concepts(open_concepts=0, in_flight=0, target_backlog=100) == 100
    assert wanted_concepts(open_concepts=40, in_flight=5, target_backlog=100) == 60
    assert wanted_concepts(open_concepts=60, in_flight=0, target_backlog=100) == 0


def test_novelty_has_dried_up_only_after_enough_proposals() -> None:
    assert not is_saturated(admitted=0, proposed=10)
    assert is_saturated(admitted=3, proposed=40)
    assert not is_saturated(admitted=4, proposed=40)
