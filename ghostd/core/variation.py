"""Variations of known questions: the form that a crystal's questions share, and the same about other numbers; pure.

A student may propose any numbers. The question that they make says the same as a known one with other literals, so that
the arguments of the call, and with them the true answer, follow from the question and not from the student.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ghostd.core import syntax
from ghostd.core.canonical import display
from ghostd.core.crystal import Crystal

_LITERAL = re.compile(r"(?<![\w.])-?\d+(?![\w.]|\*\*)")  # whole numbers that stand alone
_NUMBER = re.compile(r"0|-?[1-9]\d{0,11}")  # "007" is no other number than "7"
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
    def reach(self) -> tuple[int, int]:
        """The least and the greatest number that a variation may have."""
        return min(self.least, 0), max(self.most, 1) * _REACH

    def question(self, numbers: Sequence[int]) -> str:
        """The question about these numbers."""
        return "".join(part + str(number) for part, number in zip(self.parts, [*numbers, ""], strict=True))


@dataclass(frozen=True, slots=True)
class Variation:
    """A new question of a known form, with the crystal whose code answers it."""

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


def pairs_of(crystal: Crystal) -> list[Pair]:
    """The questions of a crystal."""
    return [
        Pair(crystal.id, crystal.concept.lineage, one.question, one.arguments, display(one.value))
        for one in crystal.exercises
    ]


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


def varied(form: Form, numbers: str) -> Variation | None:
    """The question of that form about numbers that somebody wrote, such as `3, 14`.

    None when they are not as many as the form has arguments, are not written as one writes numbers, or reach too far
    from what is known.
    """
    written = numbers.strip().split(", ")
    if len(written) != len(form.parts) - 1 or not all(_NUMBER.fullmatch(one) for one in written):
        return None
    found = [int(one) for one in written]
    least, most = form.reach
    if not all(least <= one <= most for one in found):
        return None
    return Variation(form.crystal_id, form.lineage, form.question(found), ", ".join(written))


def _numbers(arguments: str) -> list[int] | None:
    try:
        values: Any = syntax.literal(f"({arguments},)")
    except (ValueError, SyntaxError):
        return None
    return list(values) if all(type(one) is int for one in values) else None
