"""Records as JSON documents and back."""

import json

import pytest

from ghostd.core.evidence import ExitClass, Outcome
from ghostd.db.documents import (
    crystal_document,
    crystal_from,
    exam_document,
    exam_from,
    lesson_document,
    lesson_from,
)
from ghostd.db.evidence import outcome_document
from tests.crystals import crystal


@pytest.mark.parametrize("number", range(8))
def test_a_crystal_survives_json(number: int) -> None:
    one = crystal(number)
    assert crystal_from(json.loads(json.dumps(crystal_document(one)))) == one
    assert lesson_from(json.loads(json.dumps(lesson_document(one.lesson)))) == one.lesson
    assert exam_from(json.loads(json.dumps(exam_document(one.exam)))) == one.exam


def test_an_uneventful_outcome_takes_no_space() -> None:
    assert outcome_document(Outcome(ExitClass.OK)) == {}
