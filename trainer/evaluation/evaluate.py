"""A whole evaluation: candidates, questions, a report in a folder; each part of it is another file's."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer import manifest
from trainer.encoding import Document, of_conversation
from trainer.errors import DataError
from trainer.evaluation import markdown, plots
from trainer.evaluation.candidate import Candidate
from trainer.evaluation.examine import examine
from trainer.evaluation.execution import Execute
from trainer.evaluation.journal import Journal
from trainer.evaluation.questions import Question, Suite, read_questions
from trainer.evaluation.summary import summary
from trainer.evaluation.telling import Telling


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked, and what becomes of the answers."""

    dataset: Path
    out: Path
    limit: int = 0  # questions of each suite; 0 asks all
    samples: int = 1
    execute: Execute | None = None
    telling: Telling | None = None  # what candidates with a memory were told


def evaluate(plan: Plan, candidates: Sequence[Candidate], say: Callable[[str], None]) -> str:
    """Asks everybody, writes report.md, report.json and report.png into `out`; returns the Markdown.

    Raises:
        DataError, EndpointError, ExecutionError: see their causes; answers given so far are kept in `out`.

    """
    root = manifest.check_files(plan.dataset)
    known = read_questions(plan.dataset)
    asked = [question for question in known if plan.execute is not None or not question.tests]
    questions = some(asked, plan.limit)
    told = None if plan.telling is None else _told(plan.telling)
    found: list[dict[str, Any]] = []
    try:
        for number, candidate in enumerate(candidates):
            about = {"candidate": candidate.fingerprint, "dataset": root}
            journal = Journal(plan.out / f"answers-{number}.jsonl", about)
            try:
                graded = examine(
                    candidate, questions, journal=journal, samples=plan.samples, execute=plan.execute, say=say
                )
            finally:
                journal.close()
            found.append(summary(candidate, graded, plan.telling))
        text = markdown.report(root, found, told)
        document = {"dataset": root, "told": told, "candidates": found}
        (plan.out / "report.json").write_text(json.dumps(document, indent=1) + "\n")
        (plan.out / "report.md").write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{plan.out} cannot be written ({error.strerror}); name another folder with --out.") from error
    try:
        plots.draw(found, plan.out / "report.png")
    except ImportError:
        say("no picture: matplotlib is not installed")
    return text


def _told(telling: Telling) -> dict[str, int]:
    return {"answers": len(telling.questions), "refused": telling.refused}


def some(questions: Sequence[Question], limit: int) -> list[Question]:
    """About `limit` of each suite, spread evenly, all forms of an exercise or none; all questions where it is 0."""
    if not limit:
        return list(questions)
    kept: set[str] = set()
    for suite in Suite:
        inside = list(dict.fromkeys(_together(question) for question in questions if question.suite is suite))
        count = min(limit, len(inside))
        kept.update(inside[number * len(inside) // count] for number in range(count))
    return [question for question in questions if _together(question) in kept]


def _together(question: Question) -> str:
    return question.exercise or question.id


def lessons(questions: Iterable[Question], suites: frozenset[Suite]) -> list[Document]:
    """The questions of the suites with their answers, as models learn them: what baselines that count are given."""
    return [
        of_conversation([("user", question.prompt), ("assistant", question.completion)], "answers")
        for question in questions
        if question.suite in suites
    ]
