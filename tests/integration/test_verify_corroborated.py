"""Corroboration in real cells: right solutions never bring a right lesson down, and a shared misconception is found."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from ghostd.core.crystal import Grade, Stage, Verdict, VerdictKind
from ghostd.core.lesson import Solution
from ghostd.ports import Sandbox, Solve
from ghostd.textbook import index
from ghostd.textbook.catalogue.family import Entry, Family
from ghostd.textbook.faults import FaultKind
from ghostd.textbook.spoiling import spoil_exam, spoil_lesson, wrong_code
from ghostd.textbook.writing import write_exam, write_lesson
from ghostd.verify.config import VerificationConfig
from ghostd.verify.pipeline import Verifier
from tests.unit.verify.cells import EVERY_BACKEND, TRUSTED, started
from tests.unit.verify.lessons import TOTIENT

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONFIG = VerificationConfig(batch_seconds=0.01)
FAMILIES = [family for chapter in index.chapters().values() for family in chapter.families]
BRUTE_FORCE = """\
from math import gcd


def totient(n: int) -> int:
    if n < 1:
        raise ValueError("there is no totient of that")
    return sum(gcd(k, n) == 1 for k in range(1, n + 1))
"""
WRONG_ELSEWHERE = BRUTE_FORCE.replace("return sum(", "return n != 25 and sum(")  # the exam does not ask about 25


def middle(family: Family) -> tuple[Family, tuple, Entry]:
    """One concept of a family, as where it stands and what the book knows of it."""
    parameters = family.parameters[len(family.parameters) // 2]
    return family, parameters, family.build(*parameters)


def answering(*codes: str) -> tuple[Solve, list[int]]:
    """Solutions in the order in which they are asked for, '' for none; and the list of what was asked."""
    asked: list[int] = []

    async def solve(asked_before: int) -> Solution | None:
        asked.append(asked_before)
        code = codes[asked_before]
        return Solution(code, "another model") if code else None

    return solve, asked


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=TRUSTED)
async def trusted(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    async with started(request.param) as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=EVERY_BACKEND)
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    async with started(request.param) as one:
        yield one


async def verified(sandbox: Sandbox, solve: Solve | None, config: VerificationConfig = CONFIG) -> Verdict:
    verifier = Verifier(sandbox, config)
    verdict = await verifier.verify(TOTIENT.concept, TOTIENT.lesson, TOTIENT.exam, solve)
    await verifier.close()
    return verdict


@pytest.mark.parametrize("domain", index.chapters())
async def test_a_right_lesson_of_every_family_is_corroborated_by_a_right_solution(
    trusted: Sandbox, domain: str
) -> None:
    verifier = Verifier(trusted, VerificationConfig(batch_seconds=1.0))

    async def outcome(family: Family) -> Verdict:
        place, parameters, entry = middle(family)
        solve, _ = answering(entry.alternative)
        concept = index.concept_at(place, parameters)
        return await verifier.verify(concept, write_lesson(entry), write_exam(entry), solve)

    families = index.chapters()[domain].families
    verdicts = await asyncio.gather(*map(outcome, families))
    await verifier.close()
    for family, verdict in zip(families, verdicts, strict=True):
        assert verdict.failure is None, (family.slug, verdict.failure)
        assert (verdict.kind, verdict.grade) == (VerdictKind.VERIFIED, Grade.CORROBORATED), family.slug
        assert verdict.corroboration is not None
        assert verdict.corroboration.agreed == verdict.corroboration.compared >= CONFIG.minimum_agreements, family.slug
        _, _, entry = middle(family)
        assert [one.status for one in verdict.properties] == ["verified"] * len(entry.properties), family.slug


@pytest.mark.parametrize("family", FAMILIES[::60], ids=lambda one: one.slug)
async def test_a_misconception_shared_by_lesson_and_exam_is_found_by_an_independent_solution(
    sandbox: Sandbox, family: Family
) -> None:
    place, parameters, entry = middle(family)
    kind = FaultKind.DEEP_MISCONCEPTION
    lesson, exam = spoil_lesson(entry, kind), spoil_exam(entry, kind)
    concept = index.concept_at(place, parameters)
    verifier = Verifier(sandbox, CONFIG)
    fooled = await verifier.verify(concept, lesson, exam)
    assert (fooled.kind, fooled.grade) == (VerdictKind.VERIFIED, Grade.TESTED)  # no execution of its own can tell
    solve, _ = answering(entry.alternative)
    verdict = await verifier.verify(concept, lesson, exam, solve)
    assert (verdict.kind, verdict.grade, verdict.reached) == (
        VerdictKind.INCONCLUSIVE,
        Grade.REPRODUCIBLE,
        Stage.TESTED,
    )
    assert verdict.failure is not None
    assert verdict.failure.reason == "corroborated.disagreement"
    solve, _ = answering(wrong_code(entry, kind))  # a solution that shares the misconception cannot tell either
    shared = await verifier.verify(concept, lesson, exam, solve)
    await verifier.close()
    assert shared.grade is Grade.CORROBORATED


async def test_one_difference_is_not_outvoted_and_names_the_input_and_both_values(sandbox: Sandbox) -> None:
    exam_knows = {question for question in TOTIENT.exam.checks if "25" in question}
    assert not exam_knows
    solve, _ = answering(WRONG_ELSEWHERE.replace("25", "97"))
    verdict = await verified(sandbox, solve)
    assert verdict.failure is not None
    assert verdict.failure.reason == "corroborated.disagreement"
    assert "(97)" in verdict.failure.artifact
    assert "code: 96" in verdict.failure.artifact
    assert "independently: false" in verdict.failure.artifact
    assert verdict.corroboration is None
    assert verdict.quality == 0
    witness = verdict.evidence[-1]
    assert (witness.rung, witness.purpose, witness.supports) == ("corroborated", "solution", False)
    assert witness.run.code == WRONG_ELSEWHERE.replace("25", "97")


@pytest.mark.parametrize(
    ("codes", "asked", "reason"),
    [
        ((BRUTE_FORCE,), [0], None),
        (("def totient(n", BRUTE_FORCE), [0, 1], None),  # not Python
        (("import os\n" + BRUTE_FORCE, BRUTE_FORCE), [0, 1], None),  # may not be used
        (("def totient(n):\n    return [][n]\n", BRUTE_FORCE), [0, 1], None),  # raises
        (("def totient(n):\n    return object()\n", BRUTE_FORCE), [0, 1], None),  # no plain data
        (("def totient(n):\n    while n: pass\n", BRUTE_FORCE), [0, 1], None),  # never ends
        (("", BRUTE_FORCE), [0, 1], None),  # none could be had
        (("", ""), [0, 1], "no_solution"),
        (("def totient(n):\n    return [][n]\n",) * 2, [0, 1], "solution_broken"),
    ],
)
async def test_a_broken_solution_is_asked_for_once_more_and_never_costs_the_lesson_its_grade(
    trusted: Sandbox, codes: tuple[str, ...], asked: list[int], reason: str | None
) -> None:
    solve, calls = answering(*codes)
    verdict = await verified(trusted, solve, VerificationConfig(cpu_seconds=0.5, batch_seconds=0.01))
    assert calls == asked
    assert (verdict.kind, verdict.failure) == (VerdictKind.VERIFIED, None)
    assert verdict.grade is (Grade.CORROBORATED if reason is None else Grade.TESTED)


async def test_where_corroboration_is_the_minimum_a_lesson_without_it_is_not_kept(trusted: Sandbox) -> None:
    config = VerificationConfig(minimum_grade="corroborated", batch_seconds=0.01)
    solve, _ = answering("", "")
    for verdict in (await verified(trusted, solve, config), await verified(trusted, None, config)):
        assert (verdict.kind, verdict.grade) == (VerdictKind.INCONCLUSIVE, Grade.TESTED)
        assert verdict.failure is not None
        assert verdict.failure.reason == "corroborated.no_solution"
    solve, _ = answering(BRUTE_FORCE)
    assert (await verified(trusted, solve, config)).grade is Grade.CORROBORATED


async def test_a_lesson_that_fails_pays_for_no_solution(trusted: Sandbox) -> None:
    solve, asked = answering(BRUTE_FORCE)
    verifier = Verifier(trusted, CONFIG)
    wrong = TOTIENT.with_code("def totient(n):\n    return n - 1\n")
    verdict = await verifier.verify(wrong.concept, wrong.lesson, wrong.exam, solve)
    await verifier.close()
    assert verdict.kind is VerdictKind.REFUTED
    assert asked == []


async def test_corroboration_can_be_turned_off(trusted: Sandbox) -> None:
    solve, asked = answering(BRUTE_FORCE)
    verdict = await verified(trusted, solve, VerificationConfig(corroborate=False, batch_seconds=0.01))
    assert (verdict.grade, asked) == (Grade.TESTED, [])


@pytest.mark.parametrize(
    ("law", "status", "reason"),
    [
        ("import math\nassert totient(n) == sum(math.gcd(k, n) == 1 for k in range(1, n + 1))", "verified", None),
        ("assert totient(n) == totient(n)", "unverified", None),  # nothing can break it
        ("assert totient(n) == undefined", "unverified", None),  # badly written itself
        ("open('/etc/passwd')\nassert totient(n)", "unverified", None),
        ("assert totient(n) % 2 == 0", "refuted", "tested.property_failed"),
    ],
)
async def test_a_law_of_the_exam_has_to_hold_and_to_be_able_to_fail(
    sandbox: Sandbox, law: str, status: str, reason: str | None
) -> None:
    verifier = Verifier(sandbox, CONFIG)
    exam = replace(TOTIENT.exam, properties=(law,))
    verdict = await verifier.verify(TOTIENT.concept, TOTIENT.lesson, exam)
    await verifier.close()
    assert [(one.claim.check, one.status) for one in verdict.properties] == [(law, status)]
    assert (verdict.failure and verdict.failure.reason) == reason
    if verdict.failure is not None:
        assert verdict.kind is VerdictKind.REFUTED
        assert law in verdict.failure.artifact
