"""What a crystal's hashes cover, and what its quality rewards."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostd.core.concept import Concept
from ghostd.core.crystal import CheckedClaim, Crystal, Grade, SolvedExercise, Stage, Verdict, VerdictKind
from ghostd.core.evidence import Evidence, ExitClass, Outcome, Place, Run
from ghostd.core.identity import crystal_id, crystallise, verification_hash
from ghostd.core.lesson import Claim, Exam, Exercise, Lesson
from ghostd.core.quality import quality

CONCEPT = Concept("algebra", "Squares", "Return n * n.", "def square(n: int) -> int")
LESSON = Lesson(
    "n times n", "def square(n): return n * n", (Claim("4", "square(2) == 4"),), (Exercise("3?", "3", "9"),)
)
EXAM = Exam(("assert square(5) == 25",))
EVIDENCE = Evidence(
    "tested",
    "stub:none",
    Run(LESSON.code, "square"),
    Outcome(ExitClass.OK),
    Place("docker", "i", "v", "c"),
    "key",
    "result",
)
VERDICT = Verdict(
    VerdictKind.VERIFIED,
    Grade.TESTED,
    Stage.TESTED,
    None,
    (EVIDENCE,),
    (CheckedClaim(LESSON.claims[0], "verified", "true"),),
    (SolvedExercise("3?", "3", "9"),),
    0.9,
)


def crystal(*, teacher="t", licence="l", now=1.0, **parts) -> Crystal:
    record = {"concept": CONCEPT, "lesson": LESSON, "exam": EXAM, "verdict": VERDICT} | parts
    return crystallise(**record, teacher=teacher, licence=licence, now=now)


def test_who_said_it_and_when_is_in_no_hash() -> None:
    one, two = crystal(), crystal(teacher="another", licence="MIT", now=2.0)
    assert (one.id, one.verification_hash) == (two.id, two.verification_hash)
    assert (two.teacher, two.teacher_licence, two.created_at) == ("another", "MIT", 2.0)


@pytest.mark.parametrize(
    "changed",
    [
        crystal(concept=replace(CONCEPT, statement="Return n ** 2.")),
        crystal(concept=replace(CONCEPT, prerequisites=("Products",))),
        crystal(lesson=replace(LESSON, explanation="otherwise")),
        crystal(lesson=replace(LESSON, code="def square(n): return n ** 2")),
        crystal(verdict=replace(VERDICT, claims=(CheckedClaim(LESSON.claims[0], "refuted", "false"),))),
        crystal(verdict=replace(VERDICT, exercises=(SolvedExercise("3?", "3", "10"),))),
    ],
)
def test_content_is_in_both_hashes(changed: Crystal) -> None:
    assert changed.id != crystal().id
    assert changed.verification_hash != crystal().verification_hash


@pytest.mark.parametrize(
    "changed",
    [
        crystal(exam=Exam(("assert square(6) == 36",))),
        crystal(verdict=replace(VERDICT, grade=Grade.CORROBORATED)),
        crystal(verdict=replace(VERDICT, evidence=())),
        crystal(verdict=replace(VERDICT, evidence=(replace(EVIDENCE, run_key="other"),))),
        crystal(verdict=replace(VERDICT, evidence=(replace(EVIDENCE, result_hash="other"),))),
        crystal(verdict=replace(VERDICT, evidence=(replace(EVIDENCE, supports=False),))),
        crystal(verdict=replace(VERDICT, evidence=(replace(EVIDENCE, purpose="stub:raise"),))),
    ],
)
def test_proof_is_in_the_verification_hash_alone(changed: Crystal) -> None:
    assert changed.id == crystal().id
    assert changed.verification_hash != crystal().verification_hash


def test_the_hashes_can_be_computed_again_from_what_is_stored() -> None:
    one = crystal()
    assert one.id == crystal_id(one.concept, one.lesson, one.claims, one.exercises)
    assert one.verification_hash == verification_hash(one.id, one.exam, VERDICT.evidence, one.grade)


_COUNTS = st.integers(0, 50)


@given(_COUNTS, _COUNTS, _COUNTS, _COUNTS, _COUNTS)
def test_quality_is_a_share_that_never_falls_when_more_is_proved(checks, killed, spared, verified, unproved) -> None:
    worth = quality(checks, killed, killed + spared, verified, verified + unproved)
    assert 0 <= worth <= 1
    assert quality(checks + 1, killed, killed + spared, verified, verified + unproved) >= worth
    assert quality(checks, killed + 1, killed + spared + 1, verified, verified + unproved) >= worth
    assert quality(checks, killed, killed + spared, verified + 1, verified + unproved + 1) >= worth


def test_only_a_strong_exam_and_settled_claims_give_full_quality() -> None:
    assert quality(16, 12, 12, 3, 3) == 1
    assert quality(16, 12, 12, 0, 0) == 0.8  # nothing claimed, nothing proved
    assert quality(0, 0, 0, 0, 0) == 0
