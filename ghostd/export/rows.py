"""The training rows of one crystal; it writes no file and knows no split.

Only what was verified is ever stated as true. A refuted claim becomes a row whose answer is "False." and whose
label is `refuted`; where the explanation repeats a refuted claim, the claim is cut out, or the explanation left out.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ghostd.core.canonical import display
from ghostd.core.crystal import CheckedClaim, Crystal, SolvedExercise


class Kind(StrEnum):
    """What a row asks of the student."""

    EXPLAIN = "explain"
    COMPUTE = "compute"
    WRITE_CODE = "write_code"
    PREDICT_OUTPUT = "predict_output"
    JUDGE = "judge"
    VARIATION = "variation"


class Label(StrEnum):
    """What execution said of the statement that the row is about."""

    VERIFIED = "verified"
    REFUTED = "refuted"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation of two messages."""

    id: str  # crystal/kind/number: stable as the dataset grows
    kind: Kind
    prompt: str
    completion: str
    answer: str = ""  # what a grader compares: the value or the verdict; '' where the completion is free text
    label: Label = Label.VERIFIED


_EXPLAIN = (
    "Explain {title}.",
    "What is meant by {title}? Explain it in a few sentences.",
    "Give a short, correct explanation of {title}.",
    "I am learning about {title}. What should I know?",
    "Describe {title} to somebody who has not met it before.",
)
_COMPUTE = (
    "{title}. {statement}\n\n{question}",
    "{statement}\n\n{question}",
    "Here is a definition. {statement}\nQuestion: {question}",
    "Use this rule ({title}): {statement}\n\n{question} Answer with the value alone.",
)
_WRITE_CODE = (
    "Write a Python function `{signature}`.\n\n{statement}",
    "{statement}\n\nImplement this in Python as `{signature}`.",
    "Implement {title} in Python. {statement} Use the signature `{signature}`.",
    "Task: {title}\n\n{statement}\n\nSignature: `{signature}`\nReply with the code.",
)
_PREDICT_OUTPUT = (
    "{code}\n\nWhat does `{call}` return?",
    "Read this code and predict the value of `{call}`.\n\n{code}",
    "Given\n\n{code}\n\nwhat is the result of `{call}`?",
    "Without running it, say what `{call}` evaluates to.\n\n{code}",
)
_JUDGE = (
    "True or false? {claim}\n\nContext: {statement}",
    "{statement}\n\nIs the following statement true or false? {claim}",
    "About {title}: {statement}\n\nClaim: {claim}\nIs the claim true or false?",
    "Judge this claim about {title}. {statement}\n\nClaim: {claim}",
)
_JUDGEMENT = {
    Label.VERIFIED: ("True.", "true"),
    Label.REFUTED: ("False.", "false"),
    Label.UNVERIFIED: ("Unknown: no check has confirmed or refuted it.", "unknown"),
}
_SPACES = re.compile(r"[ \t]{2,}")


def rows(
    crystal: Crystal, variations: Sequence[SolvedExercise] = (), *, include_unverified_claims: bool = False
) -> Iterator[Row]:
    """Every row of the crystal in a fixed order, and of the questions that a student made of its own.

    Which paraphrase asks is decided by the hash of the row's id.
    """
    concept = crystal.concept
    words = {"title": concept.title, "statement": concept.statement, "signature": concept.signature}
    code = fenced(crystal.lesson.code)
    explanation = believable(crystal.lesson.explanation, crystal.claims, keep_unverified=include_unverified_claims)
    if explanation:
        row_id = f"{crystal.id}/{Kind.EXPLAIN}/0"
        yield Row(row_id, Kind.EXPLAIN, _ask(row_id, _EXPLAIN, **words), explanation)
    row_id = f"{crystal.id}/{Kind.WRITE_CODE}/0"
    yield Row(row_id, Kind.WRITE_CODE, _ask(row_id, _WRITE_CODE, **words), code)
    for number, exercise in enumerate(crystal.exercises):
        value = display(exercise.value)
        row_id = f"{crystal.id}/{Kind.COMPUTE}/{number}"
        prompt = _ask(row_id, _COMPUTE, question=exercise.question, **words)
        yield Row(row_id, Kind.COMPUTE, prompt, value, value)
        row_id = f"{crystal.id}/{Kind.PREDICT_OUTPUT}/{number}"
        prompt = _ask(row_id, _PREDICT_OUTPUT, code=code, call=call(crystal, exercise))
        yield Row(row_id, Kind.PREDICT_OUTPUT, prompt, value, value)
    for number, checked in enumerate(crystal.claims):
        label = Label(checked.status)
        if label is Label.UNVERIFIED and not include_unverified_claims:
            continue
        row_id = f"{crystal.id}/{Kind.JUDGE}/{number}"
        prompt = _ask(row_id, _JUDGE, claim=checked.claim.text, **words)
        yield Row(row_id, Kind.JUDGE, prompt, *_JUDGEMENT[label], label)
    for number, variation in enumerate(variations):
        value = display(variation.value)
        row_id = f"{crystal.id}/{Kind.VARIATION}/{number}"
        prompt = _ask(row_id, _COMPUTE, question=variation.question, **words)
        yield Row(row_id, Kind.VARIATION, prompt, value, value)


def call(crystal: Crystal, exercise: SolvedExercise) -> str:
    """The exercise as a line of Python: `totient(36)`."""
    return f"{crystal.concept.entry}({exercise.arguments})"


def fenced(code: str) -> str:
    """The code as a Markdown block; the fence outgrows every run of backticks within."""
    longest = max((len(run) for run in re.findall(r"`{3,}", code)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}python\n{code.strip()}\n{fence}"


def believable(explanation: str, claims: Sequence[CheckedClaim], *, keep_unverified: bool = False) -> str:
    """The explanation without the sentences that are claims which did not verify; '' when it cannot be believed.

    A claim is cut where it stands as a whole sentence. A refuted claim that does not stand there so may be woven
    into the prose in other words, so then nothing of the explanation is passed on as knowledge.
    """
    text = explanation
    for checked in claims:
        label = Label(checked.status)
        if label is Label.VERIFIED or (label is Label.UNVERIFIED and keep_unverified):
            continue
        words = r"\s+".join(re.escape(word) for word in checked.claim.text.rstrip(" .!?").split())
        sentence = re.compile(rf"(?:(?<=[.!?:\n])|^)\s*{words}(?:[.!?]+(?=\s|$)|\s*$)", re.IGNORECASE)
        text, cuts = sentence.subn("", text)
        if label is Label.REFUTED and (not cuts or re.search(words, text, re.IGNORECASE)):
            return ""
    return _SPACES.sub(" ", text).strip()


def _ask(row_id: str, templates: Sequence[str], **words: str) -> str:
    choice = int.from_bytes(hashlib.sha256(row_id.encode()).digest()[:4], "big")
    return templates[choice % len(templates)].format(**words)
