"""The crystals that the tests are fed with are what they say."""

import pytest

from ghostd.core.canonical import encode
from tests.crystals import crystal, crystals, evaluate


@pytest.mark.parametrize("number", range(0, 600, 7))
def test_claims_and_values_are_what_the_code_gives(number):
    one = crystal(number)
    for checked in one.claims:
        if checked.status != "unverified":
            assert evaluate(one.lesson.code, checked.claim.check) is (checked.status == "verified")
    for exercise in one.exercises:
        assert exercise.value == encode(evaluate(one.lesson.code, f"{one.concept.entry}({exercise.arguments})"))


def test_they_come_by_ascending_id_and_are_all_different():
    ids = [one.id for one in crystals(500)]
    assert ids == sorted(set(ids))
    assert len({one.concept.slug for one in crystals(500)}) == 500
    assert 3 < len({one.concept.lineage for one in crystals(500)}) < 500
