"""What the textbook answers to each task; it decides the words, `app` how they travel."""

import itertools
from dataclasses import asdict, dataclass, replace
from typing import Any

from ghostd.core.concept import Domain, slugify
from ghostd.core.lesson import Exam, Lesson
from ghostd.textbook import index
from ghostd.textbook.catalogue.family import Entry
from ghostd.textbook.faults import FaultKind, FaultPlan, draw
from ghostd.textbook.library import explain
from ghostd.textbook.spoiling import spoil_exam, spoil_lesson, wrong_code
from ghostd.textbook.styles import restyled
from ghostd.textbook.wire import (
    ChatRequest,
    ConceptNamed,
    ConceptsTask,
    DomainsTask,
    ExamTask,
    LessonTask,
    RepairTask,
    SolutionTask,
    as_json,
    parse_task,
)
from ghostd.textbook.writing import write_exam, write_lesson

REFUSAL = "I'm sorry, but I can't help with that."


@dataclass(frozen=True, slots=True)
class Answer:
    """The words of an answer and how it ends."""

    text: str
    finish_reason: str = "stop"  # or "length"
    refusal: bool = False
    wire: FaultKind | None = None  # a fault of the transport, to be committed once
    key: str = ""  # what the transport counts its faults by


def answer(request: ChatRequest, plan: FaultPlan) -> Answer:
    """The answer to a request. Raises BadRequest when it sets a task badly."""
    task = parse_task(request.messages)
    # A temperature of zero asks for the likeliest words: the first explanation. Otherwise the seed chooses.
    variant = int(draw("variant", request.seed, request.temperature) * 60) if request.temperature != 0 else 0
    match task:
        case None:
            asked = next((message.text for message in reversed(request.messages) if message.role == "user"), "")
            return Answer(explain(asked))
        case DomainsTask():
            return Answer(as_json({"domains": _domains(task)}))
        case ConceptsTask():
            return Answer(as_json({"concepts": _concepts(task)}))
        case ExamTask():
            return _exam(task.concept, plan)
        case SolutionTask():
            return _solution(task.concept, plan)
        case LessonTask() | RepairTask():
            asked_again = sum(message.role == "assistant" for message in request.messages)
            rounds = asked_again + (task.round if isinstance(task, RepairTask) else 0)
            return _lesson(task.concept, plan, rounds, variant)


def _domains(task: DomainsTask) -> list[dict[str, str]]:
    known = {slugify(title) for title in task.known}
    wanted = {word for seed in task.seeds for word in slugify(seed).split("-")}

    def fit(domain: Domain) -> int:
        return -len(wanted & set(slugify(f"{domain.title} {domain.description}").split("-")))

    new = [one.domain for one in index.chapters().values() if not {one.domain.slug, slugify(one.domain.title)} & known]
    return [{"title": one.title, "description": one.description} for one in sorted(new, key=fit)[: task.count]]


def _concepts(task: ConceptsTask) -> list[dict[str, Any]]:
    chapter = index.chapter_named(task.domain.slug, task.domain.title)
    if chapter is None:
        return []
    known = {slugify(title) for title in task.known_titles}
    places = itertools.chain(
        index.focused_order(chapter.domain.slug, task.focus, task.known_count),
        index.reading_order(chapter.domain.slug, task.known_count),
    )
    chosen: dict[str, dict[str, Any]] = {}
    for place in places:
        if len(chosen) == task.count:
            break
        concept = index.concept_at(*place)
        if slugify(concept.title) not in known:
            row = asdict(concept)
            del row["domain"]
            chosen.setdefault(concept.title, row)
    return list(chosen.values())


def _entry(concept: ConceptNamed) -> Entry | None:
    place = index.find(concept.title, concept.domain)
    return index.entry_at(*place) if place else None


def _unknown(concept: ConceptNamed) -> Answer:
    return Answer(f"I can't help with that: the textbook has no concept titled {concept.title!r}.", refusal=True)


def _lesson(concept: ConceptNamed, plan: FaultPlan, rounds: int, variant: int) -> Answer:
    entry = _entry(concept)
    if entry is None:
        return _unknown(concept)
    kind = plan.fault_for(entry.title, rounds)
    if kind is None:
        lesson = replace(write_lesson(entry, variant), code=restyled(entry, plan.style))
    else:
        lesson = spoil_lesson(entry, kind, variant)
    text = as_json(_lesson_body(lesson))
    match kind:
        case FaultKind.REFUSAL:
            return Answer(REFUSAL, refusal=True)
        case FaultKind.TRUNCATION:
            return Answer(text[: len(text) // 2], finish_reason="length")
        case FaultKind.MALFORMED_JSON:
            return Answer(_malformed(entry.title, text))
        case FaultKind.HTTP_429 | FaultKind.HTTP_500 | FaultKind.SLOW_TOKENS:
            return Answer(text, wire=kind, key=entry.title)
        case _:
            return Answer(text)


def _malformed(title: str, text: str) -> str:
    """JSON as it comes out of a model on a bad day: a quote too few, a comma too many, or no JSON at all."""
    match int(draw("malformed", title) * 3):
        case 0:
            return text.replace('","code"', ',"code"', 1)
        case 1:
            return f"{text[:-1]},}}"
        case _:
            return "Here is the lesson you asked for. It has an explanation, code and three exercises."


def _exam(concept: ConceptNamed, plan: FaultPlan) -> Answer:
    entry = _entry(concept)
    if entry is None:
        return _unknown(concept)
    kind = plan.exam_fault_for(entry.title)
    exam: Exam = write_exam(entry) if kind is None else spoil_exam(entry, kind)
    return Answer(as_json({"checks": exam.checks, "properties": exam.properties}))


def _solution(concept: ConceptNamed, plan: FaultPlan) -> Answer:
    entry = _entry(concept)
    if entry is None:
        return _unknown(concept)
    kind = plan.solution_fault_for(entry.title)
    return Answer(as_json({"code": entry.alternative if kind is None else wrong_code(entry, kind)}))


def _lesson_body(lesson: Lesson) -> dict[str, Any]:
    return asdict(lesson)
