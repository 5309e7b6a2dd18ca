"""Asks a candidate every question and grades what it says; it draws no conclusions."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from trainer.evaluation.candidate import Answer, Asking, Candidate
from trainer.evaluation.execution import Execute, Job
from trainer.evaluation.journal import Journal
from trainer.evaluation.matching import code_of, matches, normalised
from trainer.evaluation.questions import Question

_SAMPLING_TEMPERATURE: Final = 0.8  # of all samples but the first, which is the most likely answer
_NEWS_EVERY: Final = 50  # questions
_CODE_BYTES: Final = 1200  # of an answer that is code
_VALUE_BYTES: Final = 320


@dataclass(frozen=True, slots=True)
class Graded:
    """One question, answered and judged."""

    question: Question
    answer: Answer  # the most likely one
    said: str  # as it is compared with other answers
    right: bool | None  # None: it is code, and nobody executed it
    log_probability: float | None
    agreement: float | None  # share of all samples that say the same as the first; None of a single one
    samples: int
    passed: int  # samples that are right, the first included
    nats: float | None  # what the wanted answer costs
    wanted_bytes: int

    @property
    def confidence(self) -> float | None:
        """What it believes of its answer: the log-probability where it is told, else the agreement of its samples."""
        return self.agreement if self.log_probability is None else self.log_probability


def examine(
    candidate: Candidate,
    questions: Sequence[Question],
    *,
    journal: Journal,
    samples: int,
    execute: Execute | None,
    say: Callable[[str], None],
) -> list[Graded]:
    """Every question with its grade, in the given order.

    Args:
        candidate: who answers.
        questions: what is asked; code is skipped in silence by nobody, but is graded by `execute` alone.
        journal: takes each answer as it is given, and gives back those of an interrupted examination.
        samples: answers to each question; the first is the most likely one, the others are drawn.
        execute: runs code; None leaves code without a grade.
        say: takes one line of news.

    Raises:
        EndpointError: the candidate stopped answering; the journal keeps what it said.
        ExecutionError: a verdict could not be had.

    """
    asked = [(question, sample) for question in questions for sample in range(samples)]

    def given(what: tuple[Question, int]) -> Answer:
        question, sample = what
        known = journal.get(question.id, sample)
        if known is not None:
            return known
        most = _CODE_BYTES if question.tests else _VALUE_BYTES
        temperature = _SAMPLING_TEMPERATURE if sample else 0.0
        answer = candidate.answer(question.prompt, Asking(most, temperature, sample))
        journal.put(question.id, sample, answer)
        return answer

    answers: dict[tuple[str, int], Answer] = {}
    with ThreadPoolExecutor(candidate.parallel) as pool:
        for done, (what, answer) in enumerate(zip(asked, pool.map(given, asked), strict=True), start=1):
            answers[what[0].id, what[1]] = answer
            if done % _NEWS_EVERY == 0 or done == len(asked):
                say(f"{candidate.name}: {done} of {len(asked)} answers")
    verdicts = execute(list(_jobs(questions, answers, samples))) if execute else {}

    def right(question: Question, sample: int) -> bool | None:
        if not question.tests:
            return matches(answers[question.id, sample].text, question.answer)
        return verdicts[f"{question.id} {sample}"].passed if execute else None

    return [
        _graded(
            candidate,
            question,
            [answers[question.id, sample] for sample in range(samples)],
            [right(question, sample) for sample in range(samples)],
        )
        for question in questions
    ]


def _jobs(questions: Sequence[Question], answers: dict[tuple[str, int], Answer], samples: int) -> Iterator[Job]:
    for question in questions:
        if question.tests:
            for sample in range(samples):
                code = code_of(answers[question.id, sample].text)
                yield Job(f"{question.id} {sample}", code, question.tests)


def _graded(
    candidate: Candidate, question: Question, answers: Sequence[Answer], right: Sequence[bool | None]
) -> Graded:
    said = [normalised(answer.text) for answer in answers]
    return Graded(
        question=question,
        answer=answers[0],
        said=said[0],
        right=right[0],
        log_probability=answers[0].log_probability,
        agreement=said.count(said[0]) / len(said) if len(said) > 1 else None,
        samples=len(answers),
        passed=sum(each is True for each in right),
        nats=candidate.nats(question.prompt, question.completion),
        wanted_bytes=len(question.completion.encode()),
    )
