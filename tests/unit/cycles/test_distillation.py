"""Distillation: what is chosen, what comes of a good and of a bad answer, what a repair asks for."""

from dataclasses import replace

import pytest

from ghostd.core.crystal import Stage, VerdictKind
from ghostd.core.lesson import Exam, Failure, Solution
from ghostd.errors import NotFound, TeacherUnavailable
from ghostd.ports import AttemptRecord, Reply
from ghostd.testing.scripted import ScriptedTeacher
from tests.crystals import crystal
from tests.unit.cycles.world import World, teacher_of


async def rejected(world: World, reason: str) -> AttemptRecord:
    """An attempt at concept 0 that failed for the reason."""
    _, attempt = await world.answered(0)
    failure = Failure(reason.split(".", maxsplit=1)[0], reason, "what was seen")
    await world.store.reject(attempt.id, Stage.PARSED, VerdictKind.REFUTED, failure, ())
    return await world.store.load_attempt(attempt.id)


async def test_as_many_are_chosen_as_there_is_room_for() -> None:
    world = World(in_flight=3)
    ones = await world.admit(range(8))
    await world.store.mark(ones[0].concept.slug, "scheduled")
    assert await world.distillation.choose() == 2
    assert await world.store.in_flight() == 3
    assert await world.distillation.choose() == 0
    tasks = world.jobs.take()
    assert [job.task for job in tasks] == ["distil"] * 2
    assert all(world.store.known[str(job.arguments["slug"])].state == "scheduled" for job in tasks)


async def test_the_reason_of_a_choice_is_kept() -> None:
    world = World()
    (one,) = await world.admit([0])
    await world.distillation.choose()
    choice = world.store.known[one.concept.slug].choice
    assert set(choice) == {"score", "coverage", "yield", "prerequisites", "novelty"}


async def test_thin_domains_come_first() -> None:
    world = World(in_flight=1)
    await world.crystallised(0)
    await world.admit([1, 5])
    await world.distillation.choose()
    (job,) = world.jobs.take()
    assert str(job.arguments["slug"]).split("/")[0] == crystal(1).concept.domain


async def test_a_lesson_and_its_exam_wait_for_verification() -> None:
    one = crystal(0)
    world = World(teacher_of(one))
    await world.admit([0])
    await world.distillation.distil(one.concept.slug)
    (attempt,) = world.store.attempts.values()
    assert (attempt.lesson, attempt.exam, attempt.teacher) == (one.lesson, one.exam, "scripted")
    assert world.deferred() == [("verify", attempt.id)]


async def test_the_exam_is_asked_for_without_the_lesson() -> None:
    one = crystal(0)
    world = World(teacher_of(one))
    await world.admit([0])
    await world.distillation.distil(one.concept.slug)
    assert sorted(world.teacher.asked) == [("exam", one.concept.slug, 0), ("lesson", one.concept.slug)]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ({"lessons": [Reply(None, "refusal", "I cannot")]}, "lesson.refusal"),
        ({"exams": [Reply(None, "truncated", "ended early")]}, "exam.truncated"),
        ({"lessons": [Reply(None, "malformed", "{")], "exams": [Reply(None, "empty")]}, "lesson.malformed"),
    ],
)
async def test_an_answer_that_cannot_be_used_fails_the_concept_and_says_why(
    script: dict[str, object], reason: str
) -> None:
    one = crystal(0)
    world = World(teacher_of(one, **script))
    await world.admit([0])
    await world.distillation.distil(one.concept.slug)
    (attempt,) = world.store.attempts.values()
    assert (attempt.stage, attempt.verdict) == (Stage.ASKED, "inconclusive")
    assert attempt.failure is not None and attempt.failure.reason == reason
    assert world.state(one) == "failed"
    assert world.deferred() == []


async def test_an_outage_leaves_the_attempt_open_for_the_next_try() -> None:
    one = crystal(0)
    world = World(teacher_of(one, lessons=[TeacherUnavailable(), Reply(one.lesson)]))
    await world.admit([0])
    with pytest.raises(TeacherUnavailable):
        await world.distillation.distil(one.concept.slug)
    assert [attempt.verdict for attempt in world.store.attempts.values()] == [""]
    await world.distillation.distil(one.concept.slug)
    assert len(world.store.attempts) == 1
    assert world.deferred() == [("verify", 1)]


async def test_a_repeat_after_a_crash_asks_nothing_again_and_hands_the_lesson_over() -> None:
    one = crystal(0)
    world = World(teacher_of(one))
    await world.admit([0])
    await world.distillation.distil(one.concept.slug)
    world.jobs.take()  # the job was lost with the process
    asked = len(world.teacher.asked)
    await world.distillation.distil(one.concept.slug)
    assert len(world.teacher.asked) == asked
    assert world.deferred() == [("verify", 1)]
    assert len(world.store.attempts) == 1


async def test_an_unknown_concept_is_named() -> None:
    with pytest.raises(NotFound, match="maths/nothing"):
        await World().distillation.distil("maths/nothing")


@pytest.mark.parametrize("reason", ["executed.error", "tested.exam_failed", "tested.claims_refuted", "static.parse"])
async def test_a_failed_lesson_goes_back_with_what_was_seen_and_keeps_its_exam(reason: str) -> None:
    one, better = crystal(0), crystal(5).lesson
    world = World(teacher_of(one, repairs=[Reply(better)]))
    attempt = await rejected(world, reason)
    assert attempt.failure is not None
    await world.distillation.repair(attempt, attempt.failure)
    assert world.teacher.asked == [("repair", one.concept.slug, one.lesson, attempt.failure, 1)]
    repaired = await world.store.load_attempt(2)
    assert (repaired.lesson, repaired.exam, repaired.repair_round, repaired.parent_id) == (better, one.exam, 1, 1)
    assert world.deferred() == [("verify", 2)]


@pytest.mark.parametrize(
    "reason",
    ["static.exam_tautological", "tested.stub_accepted:none", "tested.mutants_survived", "tested.too_few_mutants"],
)
async def test_a_weak_exam_is_written_afresh_and_the_lesson_stays(reason: str) -> None:
    one, better = crystal(0), Exam(("assert True",))
    world = World(teacher_of(one, exams=[Reply(better)]))
    attempt = await rejected(world, reason)
    assert attempt.failure is not None
    await world.distillation.repair(attempt, attempt.failure)
    assert world.teacher.asked == [("exam", one.concept.slug, 1)]
    repaired = await world.store.load_attempt(2)
    assert (repaired.lesson, repaired.exam) == (one.lesson, better)


async def test_after_a_disagreement_lesson_and_exam_are_both_written_again() -> None:
    one, better, other = crystal(0), crystal(5).lesson, Exam(("assert True",))
    world = World(teacher_of(one, repairs=[Reply(better)], exams=[Reply(other)]))
    attempt = await rejected(world, "corroborated.disagreement")
    assert attempt.failure is not None
    await world.distillation.repair(attempt, attempt.failure)
    assert sorted(kind for kind, *_ in world.teacher.asked) == ["exam", "repair"]
    repaired = await world.store.load_attempt(2)
    assert (repaired.lesson, repaired.exam) == (better, other)


async def test_a_second_teacher_solves_and_examines_only_where_it_is_told_to() -> None:
    one = crystal(0)
    right, other = Reply(Solution("def f(): ...", "first")), Reply(Solution("def f(): ...", "second"))
    for examines in (False, True):
        world = World(teacher_of(one, solutions=[right]))
        await world.admit([0])
        second = teacher_of(one, solutions=[other])
        distillation = replace(world.distillation, corroborator=second, examines=examines)
        await distillation.distil(one.concept.slug)
        assert await distillation.solve(one.concept, 1) == other.value
        asked = [("exam", one.concept.slug, 0)] if examines else []
        assert second.asked == [*asked, ("solution", one.concept.slug, 1)]
        assert await world.distillation.solve(one.concept, 0) == right.value


async def test_a_solution_that_cannot_be_used_is_none_and_an_outage_is_raised() -> None:
    world = World(teacher_of(crystal(0), solutions=[Reply(None, "refusal"), TeacherUnavailable()]))
    assert await world.distillation.solve(crystal(0).concept, 0) is None
    with pytest.raises(TeacherUnavailable):
        await world.distillation.solve(crystal(0).concept, 0)


async def test_a_repair_that_cannot_be_used_fails_the_concept() -> None:
    one = crystal(0)
    world = World(teacher_of(one, repairs=[Reply(None, "refusal")]))
    attempt = await rejected(world, "executed.error")
    assert attempt.failure is not None
    await world.distillation.repair(attempt, attempt.failure)
    assert world.state(one) == "failed"
    assert world.store.attempts[2].failure == Failure("distillation", "lesson.refusal", "")


async def test_a_repair_repeated_after_a_crash_makes_no_second_attempt_and_asks_nothing() -> None:
    world = World(teacher_of(crystal(0)))
    attempt = await rejected(world, "executed.error")
    assert attempt.failure is not None
    for _ in range(2):
        await world.distillation.repair(attempt, attempt.failure)
    assert len(world.store.attempts) == 2
    assert len(world.teacher.asked) == 1


async def test_an_attempt_without_a_lesson_has_nothing_to_repair() -> None:
    world = World(ScriptedTeacher())
    (one,) = await world.admit([0])
    attempt = await world.store.open_attempt(one.concept, "scripted")
    await world.distillation.repair(attempt, Failure("executed", "executed.error"))
    assert len(world.store.attempts) == 1


async def test_what_has_ended_is_not_abandoned() -> None:
    world = World()
    one = await world.crystallised(0)
    await world.distillation.abandon(world.store.attempts[1], Failure("internal", "internal.ValueError"))
    assert world.state(one) == "crystal"
    assert world.store.attempts[1].verdict == "verified"
