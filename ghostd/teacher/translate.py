"""From a teacher's validated answers to core records; the unusable is dropped with a reason, nothing is repaired."""

import ast
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Generic, TypeVar

from ghostd.core import syntax
from ghostd.core.concept import Concept, Domain, slugify
from ghostd.core.lesson import Claim, Exam, Exercise, Lesson, Solution
from ghostd.teacher.answers import (
    ConceptsAnswer,
    DomainsAnswer,
    ExamAnswer,
    LessonAnswer,
    ProposedConcept,
    SolutionAnswer,
)

_SHORTEST_STATEMENT = 20  # characters; less says nothing that two people would implement alike
_LONGEST_TITLE = 200
_FENCE = re.compile(r"\A```[a-zA-Z0-9]*[ \t]*\n(.*?)\n?```\s*\Z", re.DOTALL)

RecordT = TypeVar("RecordT")


@dataclass(frozen=True, slots=True)
class Translated(Generic[RecordT]):
    """What could be used, and why the rest could not."""

    value: RecordT | None
    dropped: tuple[str, ...] = ()

    @property
    def detail(self) -> str:
        """The reasons in one line."""
        return f"dropped {len(self.dropped)}: {'; '.join(self.dropped)}" if self.dropped else ""


def domains(answer: DomainsAnswer, known: Collection[str]) -> Translated[tuple[Domain, ...]]:
    """Domains that are not known yet, by slug."""
    seen = {slugify(title) for title in known}
    kept: list[Domain] = []
    dropped: list[str] = []
    for proposed in answer.domains:
        title = " ".join(proposed.title.split())
        slug = slugify(title)
        if not slug or len(title) > _LONGEST_TITLE:
            dropped.append(f"{title[:60]!r}: not a title")
        elif slug in seen:
            dropped.append(f"{title!r}: known already")
        else:
            seen.add(slug)
            kept.append(Domain(slug, title, proposed.description.strip()))
    return Translated(tuple(kept) if kept or not dropped else None, tuple(dropped))


def concepts(answer: ConceptsAnswer, domain: Domain) -> Translated[tuple[Concept, ...]]:
    """Concepts with a title, a statement and a usable signature. Whether they are new is for the store to say."""
    seen: set[str] = set()
    kept: list[Concept] = []
    dropped: list[str] = []
    for proposed in answer.concepts:
        concept = _concept(proposed, domain)
        reason = "twice in one answer" if concept.slug in seen else _unusable(concept)
        if reason:
            dropped.append(f"{concept.title[:60]!r}: {reason}")
        else:
            seen.add(concept.slug)
            kept.append(concept)
    return Translated(tuple(kept) if kept or not dropped else None, tuple(dropped))


def lesson(answer: LessonAnswer) -> Translated[Lesson]:
    """The lesson, without its empty claims and exercises. Whether it is right is for the ladder to say."""
    code = unfenced(answer.code)
    if not answer.explanation.strip():
        return Translated(None, ("explanation: it is empty",))
    if not code.strip():
        return Translated(None, ("code: it is empty",))
    claims = tuple(
        Claim(claim.text.strip(), unfenced(claim.check).strip()) for claim in answer.claims if claim.text.strip()
    )
    exercises = tuple(
        Exercise(exercise.question.strip(), exercise.arguments.strip(), exercise.answer.strip())
        for exercise in answer.exercises
        if exercise.question.strip()
    )
    dropped = []
    if len(claims) < len(answer.claims):
        dropped.append("claims without text")
    if len(exercises) < len(answer.exercises):
        dropped.append("exercises without a question")
    return Translated(Lesson(answer.explanation.strip(), code, claims, exercises), tuple(dropped))


def exam(answer: ExamAnswer) -> Translated[Exam]:
    """The exam, without its empty checks."""
    checks = tuple(check for check in (unfenced(one) for one in answer.checks) if check.strip())
    dropped = ("empty checks",) if len(checks) < len(answer.checks) else ()
    if not checks:
        return Translated(None, ("checks: there are none",))
    laws = tuple(law for law in (unfenced(one).strip() for one in answer.properties) if law)
    return Translated(Exam(checks, laws), dropped)


def solution(answer: SolutionAnswer, teacher: str) -> Translated[Solution]:
    """The solution, under the name of the model that wrote it."""
    code = unfenced(answer.code)
    return Translated(Solution(code, teacher)) if code.strip() else Translated(None, ("code: it is empty",))


def unfenced(source: str) -> str:
    """Source without the Markdown fence that models like to put around it."""
    fenced = _FENCE.match(source.strip())
    return fenced.group(1) if fenced else source


def _concept(proposed: ProposedConcept, domain: Domain) -> Concept:
    return Concept(
        domain=domain.slug,
        title=" ".join(proposed.title.split()),
        statement=proposed.statement.strip(),
        signature=unfenced(proposed.signature).strip().removesuffix("...").rstrip().removesuffix(":").rstrip(),
        parent=" ".join(proposed.parent.split()),
        prerequisites=tuple(title for title in (" ".join(one.split()) for one in proposed.prerequisites) if title),
    )


def _unusable(concept: Concept) -> str:
    """Why a concept cannot be taught; '' when it can."""
    if not slugify(concept.title) or len(concept.title) > _LONGEST_TITLE:
        return "not a title"
    if len(concept.statement) < _SHORTEST_STATEMENT:
        return "the statement says too little"
    if "\n" in concept.signature or not concept.entry:
        return "the signature is not one line of Python"
    try:
        tree = syntax.parse(concept.signature + ": ...")
    except (SyntaxError, ValueError, RecursionError):
        return "the signature is not Python"
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.FunctionDef):
        return "the signature is not one function"
    return ""
