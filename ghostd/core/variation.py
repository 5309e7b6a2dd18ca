"""Variations of known questions: the form that a crystal's questions share, and reading a new one by it; pure.

A student may propose any text. It is a variation when it says the same as a known question with other literals, so that
the arguments of the call, and with them the true answer, follow from the text and not from the student.
"""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_LITERAL = re.compile(r"(?<![\w.])-?\d+(?![\w.]|\*\*)")  # whole numbers that stand alone
_REACH = 10  # a new number is at most so many times the largest known one, and not below the least one or 0


@dataclass(frozen=True, slots=True)
class Pair:
    """A known question with the crystal that answers it."""

    crystal_id: str
    lineage: str
    question: str
    arguments: str  # as written between the call's parentheses
    value: str  # as displayed


@dataclass(frozen=True, slots=True)
class Form:
    """What the questions of one crystal have in common."""

    crystal_id: str
    lineage: str
    parts: tuple[str, ...]  # the words between the arguments, in order
    least: int  # over all known arguments
    most: int

    @property
    def pattern(self) -> re.Pattern[str]:
        """Fits the whole of a question of this form; one group for each argument."""
        return re.compile(r"(-?\d{1,12})".join(map(re.escape, self.parts)))

    def question(self, numbers: Sequence[int]) -> str:
        """The question about these numbers."""
        return "".join(part + str(number) for part, number in zip(self.parts, [*numbers, ""], strict=True))


@dataclass(frozen=True, slots=True)
class Variation:
    """A new question of a known form."""

    crystal_id: str
    lineage: str
    question: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A variation with the answer that execution gave."""

    variation: Variation
    value: str  # canonical JSON
    run_key: str
    result_hash: str
    confidence: float  # of the student in the question: mean log-probability of its bytes, in nats
    answered: bool  # whether the student's own answer was the value


def form_of(pairs: Sequence[Pair]) -> Form | None:
    """The form of one crystal's questions, None where its arguments are no whole numbers or the questions differ.

    Two questions at least are needed: a number that is the same in all of them is no argument.
    """
    texts = {_LITERAL.sub("\0", pair.question) for pair in pairs}
    if len(pairs) < 2 or len(texts) != 1:  # noqa: PLR2004 - what can be compared
        return None
    found = [[int(one) for one in _LITERAL.findall(pair.question)] for pair in pairs]
    varying = [place for place, column in enumerate(zip(*found, strict=True)) if len(set(column)) > 1]
    asked = [[row[place] for place in varying] for row in found]
    if not varying or any(_numbers(pair.arguments) != row for pair, row in zip(pairs, asked, strict=True)):
        return None
    words = texts.pop().split("\0")
    parts, part = [], words[0]
    for place, following in enumerate(words[1:]):
        if place in varying:
            parts.append(part)
            part = following
        else:
            part += str(found[0][place]) + following
    every = [number for row in asked for number in row]
    return Form(pairs[0].crystal_id, pairs[0].lineage, (*parts, part), min(every), max(every))


def read(text: str, forms: Sequence[Form]) -> Variation | None:
    """The variation that the text is; None when it has no known form or reaches too far from what is known."""
    for form in forms:
        fitting = form.pattern.fullmatch(text.strip())
        if fitting is None:
            continue
        numbers = [int(one) for one in fitting.groups()]
        low, high = min(form.least, 0) * _REACH, max(form.most, 1) * _REACH
        written = form.question(numbers)  # "007" is no other number than "7"
        if written == text.strip() and all(
            low <= number <= high and number >= min(form.least, 0) for number in numbers
        ):
            return Variation(form.crystal_id, form.lineage, written, ", ".join(map(str, numbers)))
        return None
    return None


def _numbers(arguments: str) -> list[int] | None:
    try:
        values: Any = ast.literal_eval(f"({arguments},)")
    except (ValueError, SyntaxError):
        return None
    return list(values) if all(type(one) is int for one in values) else None
