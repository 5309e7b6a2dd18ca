"""What names a crystal: the hash of its content and the hash of its proof; pure."""

from collections.abc import Sequence

from ghostd.core.canonical import digest
from ghostd.core.concept import Concept
from ghostd.core.crystal import CheckedClaim, Crystal, Grade, SolvedExercise, Verdict
from ghostd.core.evidence import Evidence
from ghostd.core.lesson import Exam, Lesson

CRYSTAL_SCHEMA = "ghostd.crystal/1"
VERIFICATION_SCHEMA = "ghostd.verification/1"


def crystal_id(
    concept: Concept, lesson: Lesson, claims: Sequence[CheckedClaim], exercises: Sequence[SolvedExercise]
) -> str:
    """sha256 over the content: what is known, not who said it nor where and when it was run."""
    return digest(
        [
            CRYSTAL_SCHEMA,
            [concept.domain, concept.title, concept.statement, concept.signature, concept.parent],
            list(concept.prerequisites),
            [lesson.explanation, lesson.code],
            [[one.claim.text, one.claim.check, one.status] for one in claims],
            [[one.question, one.arguments, one.value] for one in exercises],
        ]
    )


def verification_hash(content: str, exam: Exam, evidence: Sequence[Evidence], grade: Grade) -> str:
    """sha256 over a crystal's id, its exam, its grade and the key and result of every execution.

    `content` is the id, which stands for concept, explanation, code, claims and exercises. Stubs and mutants
    count as evidence too. Whoever holds the evidence rows can compute the hash again; none of them can be
    changed, dropped or added unseen.
    """
    proof = [[one.rung, one.purpose, one.run_key, one.result_hash, one.supports] for one in evidence]
    asked = [list(exam.checks), list(exam.properties)] if exam.properties else list(exam.checks)
    return digest([VERIFICATION_SCHEMA, content, asked, proof, grade.label])


def crystallise(  # noqa: PLR0917 - the parts of a record, in the record's order
    concept: Concept, lesson: Lesson, exam: Exam, verdict: Verdict, teacher: str, licence: str, now: float
) -> Crystal:
    """The crystal that a verified lesson becomes; `now` is in seconds since the epoch and in no hash."""
    content = crystal_id(concept, lesson, verdict.claims, verdict.exercises)
    return Crystal(
        id=content,
        verification_hash=verification_hash(content, exam, verdict.evidence, verdict.grade),
        concept=concept,
        lesson=lesson,
        exam=exam,
        grade=verdict.grade,
        quality=verdict.quality,
        claims=verdict.claims,
        exercises=verdict.exercises,
        teacher=teacher,
        teacher_licence=licence,
        created_at=now,
        properties=verdict.properties,
        corroboration=verdict.corroboration if verdict.grade >= Grade.CORROBORATED else None,
    )
