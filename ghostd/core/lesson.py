"""A lesson and its exam: what a teacher says about a concept, before anything of it is believed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """One checkable sentence of the explanation."""

    text: str
    check: str = ""  # a Python expression over the entry function that must be True; '' leaves it unverified


@dataclass(frozen=True, slots=True)
class Exercise:
    """One question that the code answers."""

    question: str
    arguments: str  # as written between the call's parentheses: "36, [1, 2]"
    answer: str = ""  # the teacher's own answer as a Python literal; '' when it gave none


@dataclass(frozen=True, slots=True)
class Lesson:
    """The teacher's unverified answer for a concept."""

    explanation: str
    code: str  # a module that defines the concept's entry function
    claims: tuple[Claim, ...] = ()
    exercises: tuple[Exercise, ...] = ()


@dataclass(frozen=True, slots=True)
class Exam:
    """Checks written from the statement alone, by a call that never saw the lesson's code."""

    checks: tuple[str, ...] = ()  # each a snippet with at least one assert about the entry function
    properties: tuple[str, ...] = ()  # each asserts a law over the signature's parameters, which are bound for it


@dataclass(frozen=True, slots=True)
class Solution:
    """Code written from the statement alone, by a call that saw neither the lesson nor the exam."""

    code: str
    teacher: str = ""  # model that wrote it


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed; goes back to the teacher as the error artifact of a repair."""

    rung: str  # where on the ladder
    reason: str  # stable and short, e.g. "exam.assertion"
    artifact: str = ""  # what the teacher needs to see: message, failing check, traceback (capped)
