"""Crystals for tests: varied, realistic and the same every time; made without a teacher, a sandbox or a database.

`crystal(number)` is a real concept with code that works; its values are what that code returns. Families are
parametrised, so any number of distinct crystals exist; a group of variants shares a parent and so a lineage.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from ghostd.core.canonical import encode
from ghostd.core.concept import Concept
from ghostd.core.crystal import CheckedClaim, Crystal, Grade, SolvedExercise
from ghostd.core.lesson import Claim, Exam, Exercise, Lesson

GRADES = (Grade.TESTED, Grade.TESTED, Grade.TESTED, Grade.CORROBORATED, Grade.AUDITED)
TEACHERS = (("textbook", "Apache-2.0"), ("qwen3-8b", "Apache-2.0"), ("house-model", ""))
VARIANTS_OF_ONE_PARENT = 6
PARAMETERS = 60
UNVERIFIED = Claim("It has many applications.")


@dataclass(frozen=True)
class Template:
    """A family of concepts with two parameters; `{p}` and `{q}` stand for them everywhere."""

    domain: str
    title: str
    statement: str
    signature: str
    explanation: str
    code: str
    arguments: tuple[str, ...]
    true_claim: tuple[str, str]
    false_claim: tuple[str, str]


TEMPLATES = (
    Template(
        "number-theory",
        "Sum of divisors to the power {p} plus {q}",
        "Return {q} plus the sum of d**{p} over all positive divisors d of n, for an integer n >= 1.",
        "def divisor_power_sum(n: int) -> int",
        "Every divisor d of n is at most n. Raising each to the power {p} and adding gives a multiplicative function. "
        "For coprime a and b its value at a*b is the product of the values. Here {q} is added to it.",
        "def divisor_power_sum(n: int) -> int:\n    return {q} + sum(d**{p} for d in range(1, n + 1) if n % d == 0)\n",
        ("1", "6", "28"),
        ("At n = 1 the value is {q} + 1.", "divisor_power_sum(1) == {q} + 1"),
        ("At n = 5 the value is {q} + 5**{p}.", "divisor_power_sum(5) == {q} + 5**{p}"),
    ),
    Template(
        "text",
        "Caesar shift by {p} with {q} dashes",
        "Return the text with every lower-case ASCII letter moved {p} places on in the alphabet, from z back to a, "
        "followed by {q} dashes.",
        "def shift(text: str) -> str",
        "A Caesar cipher moves letters along the alphabet. Here every letter moves by {p} modulo 26.\n\n"
        "Whatever is no lower-case letter stays as it is, and {q} dashes end the text.",
        "def shift(text: str) -> str:\n"
        "    moved = (chr((ord(c) - 97 + {p}) % 26 + 97) if 'a' <= c <= 'z' else c for c in text)\n"
        "    return ''.join(moved) + '-' * {q}\n",
        ("'abc xyz'", "''", "'Größe: ∑!'"),
        ("The text grows by {q} characters.", "len(shift('hello')) == 5 + {q}"),
        ("Capital letters are moved too.", "shift('A')[0] != 'A'"),
    ),
    Template(
        "physics",
        "Kinetic energy of {p} kg above {q} J",
        "Return by how many joules the kinetic energy of {p} kg at v metres per second exceeds {q} joules.",
        "def energy_above(v: float) -> float",
        "Kinetic energy is half the mass times the square of the speed. With {p} kg it is {p} / 2 * v**2 joules. "
        "The {q} joules are taken off in the end.",
        "def energy_above(v: float) -> float:\n    return {p} * v * v / 2 - {q}\n",
        ("0.0", "3.0", "-0.1"),
        (
            "Doubling the speed gives four times the kinetic energy.",
            "energy_above(2.0) + {q} == 4 * (energy_above(1.0) + {q})",
        ),
        (
            "Doubling the speed doubles the kinetic energy.",
            "energy_above(2.0) + {q} == 2 * (energy_above(1.0) + {q})",
        ),
    ),
    Template(
        "algorithms",
        "Windows of {p} elements, {q} starts skipped",
        "Return the list of runs of {p} neighbouring elements of the list, in order, skipping {q} starting places "
        "after each; [] when the list is shorter.",
        "def windows(items: list[int]) -> list[list[int]]",
        "A window slides over the list and skips {q} places each time. "
        "A list of exactly {p} elements is itself the only window.",
        "def windows(items: list[int]) -> list[list[int]]:\n"
        "    return [items[start : start + {p}] for start in range(0, len(items) - {p} + 1, {q} + 1)]\n",
        ("list(range({p} + 2))", "[]", "[7] * {p}"),
        ("The empty list has no window.", "windows([]) == []"),
        ("A list of {p} elements has no window.", "windows([7] * {p}) == []"),
    ),
    Template(
        "statistics",
        "Count of residues modulo {p} after adding {q}",
        "Return a dict from each residue modulo {p} of the numbers plus {q} to how often it occurs.",
        "def residues(numbers: list[int]) -> dict[int, int]",
        "Two numbers have the same residue when they differ by a multiple of {p}. The counts add up to the length.",
        "def residues(numbers: list[int]) -> dict[int, int]:\n"
        "    counts: dict[int, int] = {{}}\n"
        "    for number in numbers:\n"
        "        residue = (number + {q}) % {p}\n"
        "        counts[residue] = counts.get(residue, 0) + 1\n"
        "    return counts\n",
        ("[1, 2, 3, {p}]", "[]", "[-1, -2]"),
        ("The counts add up to the length.", "sum(residues([4, 5, 6]).values()) == 3"),
        ("Negative numbers have negative residues.", "min(residues([-1])) < 0"),
    ),
)


def crystal(number: int) -> Crystal:
    """The crystal of that number: every fourth one has a refuted claim, every third an unverified one."""
    template, fill = _parts(number)
    concept, explanation, code = _content(number)
    true, false = (Claim(*(part.format(**fill) for part in one)) for one in (template.true_claim, template.false_claim))
    claims = [CheckedClaim(true, "verified", encode(True))]
    if _has_refuted_claim(number):
        claims.append(CheckedClaim(false, "refuted", encode(False)))
    if _has_unverified_claim(number):
        claims.append(CheckedClaim(UNVERIFIED, "unverified"))
    arguments = [one.format(**fill) for one in template.arguments]
    questions = [f"What is {concept.entry}({one})?" for one in arguments]
    values = [encode(evaluate(code, f"{concept.entry}({one})")) for one in arguments]
    asked = tuple(Exercise(question, one) for question, one in zip(questions, arguments, strict=True))
    teacher, licence = TEACHERS[number % len(TEACHERS)]
    return Crystal(
        id=_digest("content", concept, explanation, code),
        verification_hash=_digest("verification", concept, explanation, code),
        concept=concept,
        lesson=Lesson(explanation, code, tuple(one.claim for one in claims), asked),
        exam=Exam(tuple(f"assert {concept.entry}({one}) is not None" for one in arguments)),
        grade=GRADES[number % len(GRADES)],
        quality=round(0.5 + (number % 50) / 100, 2),
        claims=tuple(claims),
        exercises=tuple(map(SolvedExercise, questions, arguments, values)),
        teacher=teacher,
        teacher_licence=licence,
        created_at=1_700_000_000.0 + number,
    )


@cache
def numbers_by_id(count: int) -> tuple[int, ...]:
    """The first `count` numbers in the order of their crystals' ids, as a store gives them."""
    return tuple(sorted(range(count), key=lambda number: _digest("content", *_content(number))))


def crystals(count: int) -> Iterator[Crystal]:
    """The first `count` crystals by ascending id; one in memory at a time."""
    return (crystal(number) for number in numbers_by_id(count))


def evaluate(code: str, expression: str) -> Any:
    """What the expression is after the code; for the code of this module, which is trusted."""
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    return eval(expression, namespace)


async def stream(source: Iterable[Crystal]) -> AsyncIterator[Crystal]:
    """What `ports.Store.crystals` gives, from any iterable in ascending order of ids."""
    for one in source:
        yield one


def _parts(number: int) -> tuple[Template, dict[str, int]]:
    variant = number // len(TEMPLATES)
    return TEMPLATES[number % len(TEMPLATES)], {"p": variant % PARAMETERS + 1, "q": variant // PARAMETERS}


def _content(number: int) -> tuple[Concept, str, str]:
    template, fill = _parts(number)
    concept = Concept(
        domain=template.domain,
        title=template.title.format(**fill),
        statement=template.statement.format(**fill),
        signature=template.signature,
        parent=f"{template.title.format(p='p', q=fill['q'])}, group {fill['p'] // VARIANTS_OF_ONE_PARENT}",
    )
    explanation = [template.explanation.format(**fill)]
    if _has_refuted_claim(number):
        explanation.append(template.false_claim[0].format(**fill))
    if _has_unverified_claim(number):
        explanation.append(UNVERIFIED.text)
    return concept, " ".join(explanation), template.code.format(**fill)


def _has_refuted_claim(number: int) -> bool:
    return number % 4 == 0


def _has_unverified_claim(number: int) -> bool:
    return number % 3 == 0


def _digest(purpose: str, concept: Concept, explanation: str, code: str) -> str:
    return hashlib.sha256(json.dumps([purpose, concept.slug, explanation, code]).encode()).hexdigest()
