"""Calibration over fakes: what counts as accepted, what an outage costs, when crystallisation pauses and goes on."""

import pytest

from ghostd.core.calibration import Label, Order, Planted, Tally, items_needed
from ghostd.core.crystal import CheckedClaim, Verdict
from ghostd.core.lesson import Claim
from ghostd.cycles.calibration import Calibration
from ghostd.errors import CrystallisationPaused, SandboxUnavailable
from ghostd.ports import Reply
from ghostd.testing.scripted import ScriptedTeacher, ScriptedVerifier
from tests.crystals import crystal
from tests.unit.cycles.world import World, failed, passed

CRYSTAL = crystal(0)
ORDER = Order(1, 0)
DOWN = SandboxUnavailable("the cell died")


def planted(label: Label, count: int = 1, lies: tuple[str, ...] = ()) -> list[Planted]:
    return [Planted("some_kind", label, crystal(number).concept, frozenset(lies)) for number in range(count)]


def world(items: list[Planted], *verdicts: Verdict | Exception, lesson: bool = True) -> World:
    teacher = ScriptedTeacher(
        lessons=[Reply(CRYSTAL.lesson) if lesson else Reply(None, "refusal")], exams=[Reply(CRYSTAL.exam)]
    )
    made = World(teacher, ScriptedVerifier(verdicts))
    made.planter.items = items
    return made


async def calibrated(one: World) -> Tally:
    (tally,) = await one.calibration.run(ORDER, "for the test", 1)
    return tally


async def test_a_verified_lesson_counts_as_accepted_and_no_other() -> None:
    tally = await calibrated(world(planted(Label.FALSE, 2), passed(CRYSTAL), failed("tested.exam_failed")))
    assert (tally.planted, tally.accepted, tally.reasons) == (2, 1, (("tested.exam_failed", 1),))


async def test_an_answer_that_is_no_lesson_counts_as_rejected() -> None:
    tally = await calibrated(world(planted(Label.HARMLESS), lesson=False))
    assert (tally.accepted, tally.reasons) == (0, (("lesson.refusal", 1),))


@pytest.mark.parametrize(("status", "accepted"), [("verified", 1), ("refuted", 0), ("unverified", 0)])
async def test_of_a_false_claim_only_belief_in_it_counts(status: str, accepted: int) -> None:
    claims = (
        CheckedClaim(Claim("It is so.", "f(1) == 2"), status),
        CheckedClaim(Claim("And so.", "f(1) == 1"), "verified"),
    )
    verdict = Verdict(**{**{name: getattr(passed(CRYSTAL), name) for name in Verdict.__slots__}, "claims": claims})
    tally = await calibrated(world(planted(Label.FALSE, lies=("f(1) == 2",)), verdict))
    assert tally.accepted == accepted


async def test_an_outage_is_tried_again_and_says_nothing_about_the_verifier() -> None:
    tally = await calibrated(world(planted(Label.FALSE), DOWN, DOWN, failed("tested.exam_failed")))
    assert (tally.planted, tally.accepted) == (1, 0)


async def test_outages_without_end_fail_the_run_and_nothing_is_recorded() -> None:
    one = world(planted(Label.FALSE, 30), DOWN)
    with pytest.raises(SandboxUnavailable):
        await calibrated(one)
    assert one.calibrations.runs == []
    assert [run.status for run in one.store.runs.values()] == ["failed"]


async def test_progress_is_told_from_nothing_to_all() -> None:
    one, told = world(planted(Label.FALSE, 3), failed("static.parse")), []
    await one.calibration.run(ORDER, "for the test", 2, lambda done, items: told.append((done, items)))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


async def test_a_verifier_that_is_fooled_pauses_crystallisation_until_a_good_run() -> None:
    one = world(planted(Label.FALSE, 3), passed(CRYSTAL))
    await one.calibration.require_trust()
    await calibrated(one)
    with pytest.raises(CrystallisationPaused, match="3 of 3 false items"):
        await one.calibration.require_trust()
    needed = items_needed(0.01)
    await one.calibrations.record_calibration(0, [Tally("some_kind", Label.FALSE, needed - 3, 0)])
    mended = World(one.teacher, ScriptedVerifier([failed("tested.exam_failed")]))
    mended.planter.items = planted(Label.FALSE, 2)
    again = Calibration(mended.verifier, mended.planter, one.calibrations, one.store, one.clock, one.calibration.config)
    await again.run(ORDER, "one item too few", 1)
    with pytest.raises(CrystallisationPaused):
        await again.require_trust()
    await again.run(ORDER, "enough", 1)
    await again.require_trust()
    assert one.calibrations.cleared_by == ["calibration"]


async def test_an_operator_ends_the_pause_and_the_bad_runs_count_no_more() -> None:
    one = world(planted(Label.FALSE, 3), passed(CRYSTAL))
    await calibrated(one)
    await calibrated(one)
    assert await one.calibrations.clear_calibration_alarm("operator")
    await one.calibration.require_trust()
    assert not await one.calibrations.clear_calibration_alarm("operator")
    assert await one.calibrations.calibration_window(1.0) == ()


async def test_the_days_sample_is_planted_when_due_and_grows_while_crystallisation_pauses() -> None:
    one = world(planted(Label.FALSE, 3), passed(CRYSTAL))
    assert await one.calibration.calibrate_if_due() == {}
    one.calibrations.due = True
    counts = await one.calibration.calibrate_if_due()
    assert (counts["false_planted"], counts["false_accepted"]) == (3, 3)
    await one.calibration.calibrate_if_due()
    small, large = one.planter.orders
    assert small.false + small.true + small.deep + small.harmless == one.calibration.config.items_per_day
    assert large.false == items_needed(0.01)
