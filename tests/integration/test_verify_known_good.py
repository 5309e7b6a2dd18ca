"""Right lessons of many kinds climb the whole ladder in real cells."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ghostd.core.crystal import Grade, Stage, VerdictKind
from ghostd.core.identity import crystallise
from ghostd.verify.config import VerificationConfig
from ghostd.verify.pipeline import Verifier
from tests.unit.verify.cells import EVERY_BACKEND, started
from tests.unit.verify.lessons import GOOD, TOTIENT, Case

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=EVERY_BACKEND)
async def verifier(request: pytest.FixtureRequest) -> AsyncIterator[Verifier]:
    async with started(request.param) as sandbox:
        one = Verifier(sandbox, VerificationConfig(batch_seconds=0.01))
        yield one
        await one.close()


@pytest.mark.parametrize("good", GOOD, ids=lambda one: one.concept.title)
async def test_a_right_lesson_is_verified(verifier: Verifier, good: Case) -> None:
    verdict = await verifier.verify(good.concept, good.lesson, good.exam)
    assert verdict.failure is None
    assert (verdict.kind, verdict.grade, verdict.reached) == (VerdictKind.VERIFIED, Grade.TESTED, Stage.TESTED)
    assert 0.5 < verdict.quality <= 1
    assert verdict.mutants_killed >= 0.8 * verdict.mutants_total >= 0.8
    assert [one.arguments for one in verdict.exercises] == [one.arguments for one in good.lesson.exercises]
    assert all(one.status == "verified" for one in verdict.claims)


async def test_the_evidence_names_every_execution_and_the_replays_in_another_cell(verifier: Verifier) -> None:
    verdict = await verifier.verify(TOTIENT.concept, TOTIENT.lesson, TOTIENT.exam)
    purposes = [one.purpose for one in verdict.evidence]
    assert purposes[0] == "exercise"
    assert [one for one in purposes if one.startswith("replay:")] == [f"replay:{number}" for number in range(5)]
    stubs = {one.purpose: one for one in verdict.evidence if one.purpose.startswith("stub:")}
    assert {"stub:none", "stub:identity", "stub:raise", "stub:exit", "stub:always_equal", "stub:constant"} <= set(stubs)
    assert all(one.supports for one in stubs.values())
    replays = [one for one in verdict.evidence if one.purpose.startswith("replay:")]
    assert len({one.result_hash for one in replays} | {verdict.evidence[0].result_hash}) == 1
    assert {one.run.variation.hash_seed for one in replays} == {0, 1, 2}
    own = verdict.evidence[0].place.cell_id
    assert [one.place.cell_id == own for one in replays] == [True, True, False, False, False]


async def test_the_same_lesson_gives_the_same_crystal(verifier: Verifier) -> None:
    verdicts = [await verifier.verify(TOTIENT.concept, TOTIENT.lesson, TOTIENT.exam) for _ in range(2)]
    one, two = (
        crystallise(TOTIENT.concept, TOTIENT.lesson, TOTIENT.exam, verdict, "teacher", "", now)
        for verdict, now in zip(verdicts, (1.0, 2.0), strict=True)
    )
    assert one.id == two.id


async def test_a_crystal_replays_as_it_was_recorded(verifier: Verifier) -> None:
    verdict = await verifier.verify(TOTIENT.concept, TOTIENT.lesson, TOTIENT.exam)
    crystal = crystallise(TOTIENT.concept, TOTIENT.lesson, TOTIENT.exam, verdict, "teacher", "", 0.0)
    replayed = await verifier.replay(crystal)
    assert (replayed.kind, replayed.grade, replayed.failure) == (VerdictKind.VERIFIED, Grade.AUDITED, None)
    assert all(one.supports for one in replayed.evidence)


async def test_a_crystal_whose_code_was_changed_does_not_replay(verifier: Verifier) -> None:
    verdict = await verifier.verify(TOTIENT.concept, TOTIENT.lesson, TOTIENT.exam)
    changed = TOTIENT.with_code(TOTIENT.lesson.code.replace("return result", "return result + 1"))
    crystal = crystallise(changed.concept, changed.lesson, changed.exam, verdict, "teacher", "", 0.0)
    replayed = await verifier.replay(crystal)
    assert replayed.kind is VerdictKind.REFUTED
    assert replayed.failure is not None
    assert replayed.failure.reason == "audited.drift"
