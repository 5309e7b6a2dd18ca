"""Rows: what is asked and answered, and that nothing refuted or unverified is ever passed on as knowledge."""

import dataclasses

import pytest

from ghostd.core.canonical import display, encode
from ghostd.core.crystal import CheckedClaim
from ghostd.core.lesson import Claim
from ghostd.export.document import document
from ghostd.export.rows import Kind, Label, believable, fenced, rows
from tests.crystals import TEMPLATES, crystal


def claim(text, status):
    return CheckedClaim(Claim(text), status)


def test_every_kind_of_row_comes_from_one_crystal():
    found = list(rows(crystal(0)))
    assert {row.kind for row in found} == set(Kind) - {Kind.VARIATION}, "students make those"
    assert len({row.id for row in found}) == len(found)
    assert all(row.prompt and row.completion for row in found)


@pytest.mark.parametrize("number", range(len(TEMPLATES)))
def test_values_are_those_that_the_execution_gave(number):
    one = crystal(number)
    values = [display(exercise.value) for exercise in one.exercises]
    for kind in (Kind.COMPUTE, Kind.PREDICT_OUTPUT):
        asked = [row for row in rows(one) if row.kind is kind]
        assert [row.completion for row in asked] == [row.answer for row in asked] == values


def test_rows_are_the_same_every_time():
    assert list(rows(crystal(7))) == list(rows(crystal(7)))


def test_questions_are_paraphrased():
    openings = {
        row.prompt[:12] for number in range(0, 100, 5) for row in rows(crystal(number)) if row.kind is Kind.EXPLAIN
    }
    assert len(openings) >= 4


def test_prompts_carry_all_that_is_needed_to_answer():
    for row in rows(crystal(12)):
        one = crystal(12)
        match row.kind:
            case Kind.WRITE_CODE:
                assert one.concept.statement in row.prompt
                assert one.concept.signature in row.prompt
            case Kind.COMPUTE | Kind.JUDGE:
                assert one.concept.statement in row.prompt
            case Kind.PREDICT_OUTPUT:
                assert one.lesson.code.strip() in row.prompt
            case Kind.EXPLAIN:
                assert one.concept.title in row.prompt


def test_a_refuted_claim_is_judged_false_and_stands_nowhere_else():
    one = crystal(0)
    (wrong,) = (checked for checked in one.claims if checked.status == "refuted")
    found = list(rows(one))
    quoting = [row for row in found if wrong.claim.text in row.prompt + row.completion]
    assert [(row.kind, row.label, row.answer, row.completion) for row in quoting] == [
        (Kind.JUDGE, Label.REFUTED, "false", "False.")
    ]
    assert wrong.claim.text not in document(one)
    assert wrong.claim.text in one.lesson.explanation


def test_verified_claims_are_judged_true():
    judged = [row for row in rows(crystal(1)) if row.kind is Kind.JUDGE]
    assert [(row.label, row.answer, row.completion) for row in judged] == [(Label.VERIFIED, "true", "True.")]


def test_unverified_claims_are_left_out_by_default_and_never_called_true():
    one = crystal(3)
    text = "It has many applications."
    assert text in one.lesson.explanation
    assert not any(text in row.prompt + row.completion for row in rows(one))
    assert text not in document(one)
    (row,) = (row for row in rows(one, include_unverified_claims=True) if row.label is Label.UNVERIFIED)
    assert row.answer == "unknown"
    assert row.completion.startswith("Unknown")


def test_an_explanation_that_repeats_a_refuted_claim_in_other_words_is_left_out():
    one = dataclasses.replace(crystal(1), claims=(claim("A statement that the prose only paraphrases.", "refuted"),))
    assert Kind.EXPLAIN not in {row.kind for row in rows(one)}
    assert one.lesson.explanation not in document(one)


@pytest.mark.parametrize(
    ("explanation", "left"),
    [
        ("It is even. It is odd.", "It is even."),
        ("It is odd. It is even.", "It is even."),
        ("It is even.\nIt is\nodd. Done.", "It is even. Done."),
        ("it is odd", ""),
        ("Though it is odd, all is well.", ""),  # woven in: nothing of it is believed
        ("It is odd. So it is odd, as said.", ""),
        ("No word of it.", ""),
    ],
)
def test_refuted_sentences_are_cut_or_the_explanation_is_dropped(explanation, left):
    assert believable(explanation, [claim("It is odd.", "refuted")]) == left


def test_what_is_not_a_whole_sentence_stays_when_it_is_merely_unverified():
    assert believable("Though it is odd, fine.", [claim("It is odd.", "unverified")]) == "Though it is odd, fine."
    assert believable("Fine. It is odd!", [claim("It is odd.", "unverified")]) == "Fine."


def test_braces_in_the_words_of_a_concept_are_no_placeholders():
    one = crystal(0)
    concept = dataclasses.replace(one.concept, title="Set {x}", statement="Return {0} and {title}.")
    assert any("Return {0} and {title}." in row.prompt for row in rows(dataclasses.replace(one, concept=concept)))


def test_a_fence_outgrows_the_backticks_within():
    assert fenced("x = 1\n") == "```python\nx = 1\n```"
    assert fenced("s = '````'").splitlines()[0] == "`````python"


def test_form_feeds_within_a_document_do_not_end_it():
    one = crystal(0)
    lesson = dataclasses.replace(one.lesson, code="x = 1\n\f\ny = 2")
    assert "\f" not in document(dataclasses.replace(one, lesson=lesson))


def test_documents_show_results_as_the_interpreter_does():
    one = crystal(4)
    assert f">>> residues([1, 2, 3, 1])\n{display(one.exercises[0].value)}" in document(one)
    assert one.exercises[0].value == encode({0: 4})
