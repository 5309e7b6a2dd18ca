"""Verification: crystals, duplicates, repairs and their end."""

import pytest

from ghostd.core.crystal import Stage, VerdictKind
from ghostd.core.identity import crystal_id
from ghostd.errors import SandboxUnavailable
from ghostd.testing.scripted import ScriptedVerifier
from tests.crystals import crystal
from tests.unit.cycles.world import World, failed, passed

DOWN = SandboxUnavailable("the engine is away")


async def test_what_is_verified_is_stored_under_the_hash_of_its_content() -> None:
    one = crystal(0)
    world = World(verifier=ScriptedVerifier([passed(one)]))
    _, attempt = await world.answered(0)
    await world.verification.verify(attempt)
    name = crystal_id(one.concept, one.lesson, one.claims, one.exercises)
    stored = world.store.stored[name]
    assert (stored.grade, stored.teacher, stored.teacher_licence) == (one.grade, one.teacher, "CC0-1.0")
    assert stored.created_at == world.clock.now()
    assert world.state(one) == "crystal"
    assert world.store.attempts[1].stage is Stage.STORED


async def test_what_another_crystal_says_already_ends_as_a_duplicate() -> None:
    one, other = crystal(0), crystal(1)
    world = World(verifier=ScriptedVerifier([passed(one)]))
    await world.crystallised(0)
    await world.admit([1])
    attempt = await world.store.open_attempt(other.concept, "a teacher")
    await world.store.record_lesson(attempt.id, one.lesson, one.exam)
    await world.verification.verify(await world.store.load_attempt(attempt.id))
    assert await world.store.crystal_count() == 1
    assert world.store.attempts[2].verdict == "duplicate"
    assert world.state(other) == "duplicate"


async def test_a_rejected_lesson_goes_back_so_often_and_no_more() -> None:
    world = World(verifier=ScriptedVerifier([failed("executed.error")]), repairs=2)
    one, attempt = await world.answered(0)
    rounds = 0
    while True:
        await world.verification.verify(attempt)
        jobs = world.jobs.take()
        if not jobs:
            break
        assert [(job.task, job.arguments) for job in jobs] == [("repair", {"attempt_id": attempt.id})]
        assert world.state(one) == "scheduled"
        rounds += 1
        repaired = await world.store.open_attempt(one.concept, "a teacher", rounds, attempt.id)
        await world.store.record_lesson(repaired.id, one.lesson, one.exam)
        attempt = await world.store.load_attempt(repaired.id)
    assert rounds == 2
    assert world.state(one) == "failed"
    assert [one.verdict for one in world.store.attempts.values()] == ["refuted"] * 3


async def test_without_repairs_the_first_rejection_is_the_last() -> None:
    world = World(verifier=ScriptedVerifier([failed("tested.exam_failed")]), repairs=0)
    one, attempt = await world.answered(0)
    await world.verification.verify(attempt)
    assert world.jobs.take() == []
    assert world.state(one) == "failed"


async def test_a_rejection_keeps_stage_kind_and_reason() -> None:
    world = World(verifier=ScriptedVerifier([failed("reproducible.clock", VerdictKind.FLAKY)]))
    _, attempt = await world.answered(0)
    await world.verification.verify(attempt)
    kept = world.store.attempts[1]
    assert (kept.stage, kept.verdict) == (Stage.EXECUTED, "flaky")
    assert kept.failure is not None and kept.failure.reason == "reproducible.clock"


async def test_an_outage_decides_nothing() -> None:
    world = World(verifier=ScriptedVerifier([DOWN]))
    one, attempt = await world.answered(0)
    with pytest.raises(SandboxUnavailable):
        await world.verification.verify(attempt)
    assert (world.store.attempts[1].verdict, world.state(one), world.deferred()) == ("", "scheduled", [])


async def test_a_finished_or_unanswered_attempt_is_not_verified_again() -> None:
    world = World()
    await world.crystallised(0)
    await world.verification.verify(world.store.attempts[1])
    (one,) = await world.admit([1])
    await world.verification.verify(await world.store.open_attempt(one.concept, "a teacher"))
    assert world.verifier.verified == []


async def test_of_two_who_verify_the_same_attempt_one_finishes_it() -> None:
    one = crystal(0)
    world = World(verifier=ScriptedVerifier([passed(one), failed("executed.error")]))
    _, attempt = await world.answered(0)
    await world.verification.verify(attempt)
    await world.verification.verify(attempt)  # read before the first finished
    assert (world.store.attempts[1].verdict, world.state(one), world.deferred()) == ("verified", "crystal", [])
