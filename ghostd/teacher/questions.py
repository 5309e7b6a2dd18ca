"""The questions that ghostd asks: a prompt file for the rules, one JSON payload for the case; it sends nothing."""

import functools
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

from ghostd.core.concept import Concept, Domain
from ghostd.core.lesson import Failure, Lesson
from ghostd.teacher.answers import (
    ConceptsAnswer,
    DomainsAnswer,
    ExamAnswer,
    LessonAnswer,
    SolutionAnswer,
    plain_schema,
)
from ghostd.teacher.wire import Question

_MOST_TITLES = 40  # known titles named in a question: enough to steer, not enough to fill the context
_SHAPES = {
    "domains": ("domains", DomainsAnswer),
    "concepts": ("concepts", ConceptsAnswer),
    "lesson": ("lesson", LessonAnswer),
    "exam": ("exam", ExamAnswer),
    "solution": ("solution", SolutionAnswer),
    "repair": ("lesson", LessonAnswer),
}


@functools.cache
def system_prompt(kind: str) -> str:
    """The rules for one kind of question; the first line is `Task: <kind>`."""
    return resources.files("ghostd.teacher").joinpath("prompts", f"{kind}.md").read_text(encoding="utf-8").strip()


def domains(seeds: Sequence[str], known: Sequence[str], count: int) -> Question:
    """For new fields of knowledge."""
    return _question("domains", {"seeds": list(seeds), "known": list(known), "count": count})


def concepts(domain: Domain, count: int, known_count: int, known_titles: Sequence[str], focus: str) -> Question:
    """For new concepts of one domain."""
    payload = {
        "domain": {"slug": domain.slug, "title": domain.title, "description": domain.description},
        "count": count,
        "known_count": known_count,
        "known_titles": list(known_titles[:_MOST_TITLES]),
        "focus": focus,
    }
    return _question("concepts", payload)


def lesson(concept: Concept) -> Question:
    """For explanation, code, claims and exercises."""
    return _question("lesson", {"concept": _stated(concept)})


def exam(concept: Concept, repair_round: int = 0) -> Question:
    """For checks, from the statement alone; a later round asks afresh after an exam that could not be used."""
    payload: dict[str, Any] = {"concept": _stated(concept)}
    if repair_round:
        payload["round"] = repair_round
    return _question("exam", payload)


def solution(concept: Concept, asked_before: int = 0) -> Question:
    """For code from the statement alone; asked again after a solution that could not be used."""
    payload: dict[str, Any] = {"concept": _stated(concept)}
    if asked_before:
        payload["round"] = asked_before
    return _question("solution", payload)


def repair(concept: Concept, previous: Lesson, failure: Failure, repair_round: int) -> Question:
    """For a rejected lesson, mended."""
    payload = {
        "concept": _stated(concept),
        "previous": {"explanation": previous.explanation, "code": previous.code},
        "failure": {"rung": failure.rung, "reason": failure.reason, "artifact": failure.artifact},
        "round": repair_round,
    }
    return _question("repair", payload)


def asked_again(question: Question, answer: str, complaint: str) -> Question:
    """The same question after an answer that could not be read, with what was wrong with it."""
    reminder = f"That answer cannot be used: {complaint}. Answer again with the whole JSON object and nothing else."
    messages = (
        *question.messages,
        {"role": "assistant", "content": answer},
        {"role": "user", "content": reminder},
    )
    return Question(question.kind, question.shape, messages, question.schema)


def _question(kind: str, payload: dict[str, Any]) -> Question:
    name, answer = _SHAPES[kind]
    request = f"```json\n{json.dumps(payload, ensure_ascii=False)}\n```"
    messages = ({"role": "system", "content": system_prompt(kind)}, {"role": "user", "content": request})
    return Question(kind, name, messages, plain_schema(answer))


def _stated(concept: Concept) -> dict[str, str]:
    """All that lesson, exam and solution share."""
    return {
        "domain": concept.domain,
        "title": concept.title,
        "statement": concept.statement,
        "signature": concept.signature,
    }
