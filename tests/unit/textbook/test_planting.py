"""What is planted is what its label says, everywhere in the catalogue, and again for the same seed."""

import pytest

from ghostd.core.calibration import Label, Order
from ghostd.errors import NotFound
from ghostd.textbook.faults import FaultKind, is_bad
from ghostd.textbook.index import chapters, truth
from ghostd.textbook.planting import Planter, label_of, labels
from ghostd.textbook.spoiling import spoil_exam, spoil_lesson
from ghostd.textbook.styles import Style, restyled, suits
from ghostd.textbook.writing import answers

from .test_faults import passes

PLANTER = Planter(lambda app, seed: None)


def test_every_fault_and_every_style_can_be_planted() -> None:
    assert set(FaultKind) <= set(labels())
    assert {f"{style.value}_code" for style in Style} <= set(labels())
    bad = {kind for kind in FaultKind if is_bad(kind)}
    assert {kind for kind in FaultKind if label_of(kind) in {Label.FALSE, Label.DEEP}} == bad | {FaultKind.WRONG_CLAIM}


def test_an_order_is_planted_evenly_over_kinds_and_domains_and_no_concept_twice() -> None:
    items = PLANTER.plant(Order(false=60, true=30, deep=4, harmless=12, seed=3))
    assert len({one.concept.slug for one in items}) == len(items) == 106
    assert {one.concept.domain for one in items} == set(chapters())
    for label, kinds in ((Label.FALSE, 60), (Label.TRUE, 30), (Label.DEEP, 4), (Label.HARMLESS, 12)):
        of_label = [one.kind for one in items if one.label is label]
        counts = [of_label.count(kind) for kind in labels() if labels()[kind] is label]
        assert sum(counts) == kinds
        assert max(counts) - min(counts) <= 1


def test_the_same_seed_plants_the_same_items_and_another_one_others() -> None:
    order = Order(20, 10, 2, 2, seed=5)
    assert PLANTER.plant(order) == PLANTER.plant(order)
    assert PLANTER.plant(order) != PLANTER.plant(Order(20, 10, 2, 2, seed=6))


def test_one_kind_can_be_asked_for_alone() -> None:
    items = PLANTER.plant(Order(0, 12, seed=1, kind="recursion_code"))
    assert [one.kind for one in items] == ["recursion_code"] * 12
    assert all(suits(truth(one.concept.title, one.concept.domain), Style.RECURSION) for one in items)


def test_a_kind_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(NotFound, match="off_by_one"):
        PLANTER.plant(Order(1, 1, kind="off_by_two"))


def test_a_false_claim_is_planted_with_what_must_not_be_believed() -> None:
    (one,) = PLANTER.plant(Order(1, 0, kind="wrong_claim"))
    entry = truth(one.concept.title, one.concept.domain)
    assert spoil_lesson(entry, FaultKind.WRONG_CLAIM, 3).claims[-1].check in one.lies


@pytest.mark.parametrize("style", [style for style in Style if style is not Style.ALTERNATIVE])
def test_a_style_keeps_every_answer(family, style: Style) -> None:
    entry = family.build(*family.parameters[len(family.parameters) // 2])
    code = restyled(entry, style)
    assert answers(code, entry.signature, entry.exam) == answers(entry.code, entry.signature, entry.exam)
    assert (code != entry.code) == (style is not Style.PLAIN and suits(entry, style))


def test_every_style_suits_some_concepts() -> None:
    entries = [next(family.entries()) for chapter in chapters().values() for family in chapter.families]
    for style in Style:
        assert sum(suits(entry, style) for entry in entries) >= 5, style


def test_a_stub_is_wrong_and_a_trivial_exam_lets_it_pass(family) -> None:
    entry = family.build(*family.parameters[0])
    stub = spoil_lesson(entry, FaultKind.STUB)
    assert len(stub.code.strip().splitlines()) == 2
    assert not passes(stub.code, spoil_exam(entry, FaultKind.STUB).checks)
    trivial = spoil_exam(entry, FaultKind.TRIVIAL_EXAM).checks
    assert passes(entry.code, trivial)
    name = entry.signature.split("(")[0].removeprefix("def ").strip()
    assert passes(f"def {name}(*arguments):\n    return None\n", trivial)
