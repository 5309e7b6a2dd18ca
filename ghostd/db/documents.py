"""Lessons, exams and crystals as JSON documents, and back. Bytes and SQL are dealt with elsewhere."""

from dataclasses import asdict
from typing import Any

from ghostd.core.concept import Concept
from ghostd.core.crystal import CheckedClaim, Corroboration, Crystal, Grade, SolvedExercise
from ghostd.core.lesson import Claim, Exam, Exercise, Lesson, Solution

Document = dict[str, Any]


def lesson_document(lesson: Lesson) -> Document:
    """The lesson as JSON."""
    return asdict(lesson)


def lesson_from(document: Document) -> Lesson:
    """The inverse of `lesson_document`."""
    return Lesson(
        document["explanation"],
        document["code"],
        tuple(Claim(**one) for one in document["claims"]),
        tuple(Exercise(**one) for one in document["exercises"]),
    )


def exam_document(exam: Exam) -> Document:
    """The exam as JSON."""
    return asdict(exam)


def exam_from(document: Document) -> Exam:
    """The inverse of `exam_document`."""
    return Exam(tuple(document["checks"]), tuple(document.get("properties", ())))


def concept_from(document: Document) -> Concept:
    """The concept of a crystal's document, or of a row of `concepts`."""
    return Concept(
        document["domain"],
        document["title"],
        document["statement"],
        document["signature"],
        document["parent"],
        tuple(document["prerequisites"]),
    )


def crystal_document(crystal: Crystal) -> Document:
    """The whole crystal as JSON."""
    return asdict(crystal)


def crystal_from(document: Document) -> Crystal:
    """The inverse of `crystal_document`."""
    return Crystal(
        **{
            **document,
            "concept": concept_from(document["concept"]),
            "lesson": lesson_from(document["lesson"]),
            "exam": exam_from(document["exam"]),
            "grade": Grade(document["grade"]),
            "claims": tuple(map(_checked_from, document["claims"])),
            "exercises": tuple(SolvedExercise(**one) for one in document["exercises"]),
            "properties": tuple(map(_checked_from, document.get("properties", ()))),
            "corroboration": _corroboration_from(document.get("corroboration")),
        }
    )


def _checked_from(document: Document) -> CheckedClaim:
    return CheckedClaim(Claim(**document["claim"]), document["status"], document["result"])


def _corroboration_from(document: Document | None) -> Corroboration | None:
    if document is None:
        return None
    return Corroboration(Solution(**document["solution"]), document["agreed"], document["compared"])
