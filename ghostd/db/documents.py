"""Lessons, exams and crystals as JSON documents, and back. Bytes and SQL are dealt with elsewhere."""

from dataclasses import asdict
from typing import Any

from ghostd.core.concept import Concept
from ghostd.core.crystal import CheckedClaim, Crystal, Grade, SolvedExercise
from ghostd.core.lesson import Claim, Exam, Exercise, Lesson

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
    return Exam(tuple(document["checks"]))


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
            "claims": tuple(
                CheckedClaim(Claim(**one["claim"]), one["status"], one["result"]) for one in document["claims"]
            ),
            "exercises": tuple(SolvedExercise(**one) for one in document["exercises"]),
        }
    )
