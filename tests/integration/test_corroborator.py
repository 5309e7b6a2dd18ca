"""The cycles with one teacher and with two, over real HTTP, a real Postgres and real cells: who is believed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ghostd.app import ChosenTeacher, SystemClock, choose_corroborator
from ghostd.core.crystal import Grade
from ghostd.cycles.config import DistillationConfig
from ghostd.cycles.distillation import Distillation
from ghostd.cycles.verification import Verification
from ghostd.db.store import PostgresStore
from ghostd.errors import ConfigurationError
from ghostd.ports import Sandbox
from ghostd.sandbox.config import Backend
from ghostd.settings import Settings
from ghostd.teacher.client import OpenAITeacher
from ghostd.teacher.config import CorroboratorConfig, TeacherConfig
from ghostd.testing.scripted import MemoryJobs
from ghostd.textbook import index
from ghostd.textbook.app import create_app
from ghostd.textbook.config import TextbookConfig
from ghostd.textbook.faults import FaultKind
from ghostd.verify.config import VerificationConfig
from ghostd.verify.pipeline import Verifier
from tests.unit.textbook.test_app import MODULAR, served
from tests.unit.verify.cells import started

pytest_plugins = ["tests.postgres"]

MISTAKEN = TextbookConfig(faults={FaultKind.DEEP_MISCONCEPTION: 1.0}, repair_rate=0.0)
CONCEPT = index.concept_at(*index.find(MODULAR, "number-theory"))


def textbook(config: TextbookConfig, store: PostgresStore, name: str = "textbook") -> OpenAITeacher:
    return OpenAITeacher(TeacherConfig(model="textbook"), store.calls, app=create_app(config), name=name)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with started(Backend.TRUSTED) as one:
        yield one


@asynccontextmanager
async def cycles(
    store: PostgresStore,
    sandbox: Sandbox,
    teacher: OpenAITeacher,
    second: OpenAITeacher | None,
    *,
    examines: bool = False,
) -> AsyncIterator[Verification]:
    jobs = MemoryJobs()
    distillation = Distillation(
        teacher, store, store, jobs, DistillationConfig(repairs=0), corroborator=second, examines=examines
    )
    verifier = Verifier(sandbox, VerificationConfig(batch_seconds=0.01))
    yield Verification(verifier, store, store, distillation, SystemClock(), "CC0-1.0")
    await verifier.close()
    for one in (teacher, second):
        if one is not None:
            await one.close()


async def brought_to_its_end(store: PostgresStore, work: Verification) -> None:
    await store.admit_concepts([CONCEPT], "for the test")
    await work.distillation.distil(CONCEPT.slug)
    await work.verify(await store.load_attempt(1))


async def test_one_teacher_alone_corroborates_its_own_misconception(store: PostgresStore, sandbox: Sandbox) -> None:
    async with cycles(store, sandbox, textbook(MISTAKEN, store), None) as work:
        await brought_to_its_end(store, work)
    (fooled,) = [one async for one in store.crystals()]
    assert fooled.grade is Grade.CORROBORATED
    assert fooled.corroboration is not None
    assert fooled.corroboration.solution.teacher == fooled.teacher  # which is what the crystal admits


async def test_a_second_teacher_over_http_finds_it_and_the_attempt_tells_why(
    store: PostgresStore, sandbox: Sandbox
) -> None:
    with served(create_app()) as url:
        second = OpenAITeacher(TeacherConfig(base_url=url, model="textbook"), store.calls, name="another")
        async with cycles(store, sandbox, textbook(MISTAKEN, store), second) as work:
            await brought_to_its_end(store, work)
    assert [one async for one in store.crystals(Grade.EXECUTED)] == []
    attempt = await store.find_attempt(CONCEPT.slug)
    assert attempt.verdict == "inconclusive"
    assert attempt.failure is not None and attempt.failure.reason == "corroborated.disagreement"
    assert "arguments: (" in attempt.failure.artifact
    evidence = await store.evidence_of_attempt(attempt.id)
    assert [one.purpose for one in evidence if one.rung == "corroborated"] == ["solution"]
    assert {cost.rung for cost in await store.rung_costs()} == {"executed", "reproducible", "tested", "corroborated"}


async def test_a_second_teacher_that_examines_stops_it_a_rung_sooner(store: PostgresStore, sandbox: Sandbox) -> None:
    second = textbook(TextbookConfig(), store, "another")
    async with cycles(store, sandbox, textbook(MISTAKEN, store), second, examines=True) as work:
        await brought_to_its_end(store, work)
    attempt = await store.find_attempt(CONCEPT.slug)
    assert attempt.failure is not None and attempt.failure.reason == "tested.exam_failed"


async def test_a_right_lesson_is_kept_with_the_solution_and_a_repeated_job_pays_for_nothing_again(
    store: PostgresStore, sandbox: Sandbox
) -> None:
    second = textbook(TextbookConfig(), store, "another")
    async with cycles(store, sandbox, textbook(TextbookConfig(), store), second) as work:
        await store.admit_concepts([CONCEPT], "for the test")
        await work.distillation.distil(CONCEPT.slug)
        # The job is killed after everything was asked and run, and before anything of it was stored.
        attempt = await store.load_attempt(1)
        assert attempt.lesson is not None and attempt.exam is not None
        first = await work.verifier.verify(
            CONCEPT, attempt.lesson, attempt.exam, lambda number: work.distillation.solve(CONCEPT, number)
        )
        paid = (await store.spend())["calls"]
        await work.verify(await store.load_attempt(1))
        await work.verify(await store.load_attempt(1))
    assert paid == (await store.spend())["calls"] == 3
    (kept,) = [one async for one in store.crystals(Grade.CORROBORATED)]
    assert kept.corroboration == first.corroboration
    assert kept.corroboration is not None and kept.corroboration.solution.teacher == "another"
    assert kept.properties and {one.status for one in kept.properties} == {"verified"}
    assert await store.get(kept.id) == kept


async def test_who_corroborates_follows_from_the_settings(store: PostgresStore) -> None:
    teacher = OpenAITeacher(TeacherConfig(base_url="http://127.0.0.1:9/v1", model="a"), store.calls)
    own = ChosenTeacher(teacher, "", is_textbook=False)
    book = ChosenTeacher(textbook(TextbookConfig(), store), "", is_textbook=True)

    def chosen(config: CorroboratorConfig, first: ChosenTeacher = own) -> ChosenTeacher | None:
        return choose_corroborator(Settings(corroborator=config), store, first)

    assert chosen(CorroboratorConfig()) is None
    same = chosen(CorroboratorConfig(model="b"))
    assert same is not None
    assert (same.teacher.base_url, same.teacher.name) == (teacher.base_url, "b")
    other = chosen(CorroboratorConfig(base_url="http://127.0.0.1:10/v1", model="b", exams=True), book)
    assert other is not None and not other.is_textbook
    assert other.teacher.base_url == "http://127.0.0.1:10/v1"
    assert "solutions and exams" in other.sentence
    with pytest.raises(ConfigurationError, match=r"corroborator\.base_url"):
        chosen(CorroboratorConfig(model="b"), book)
    for one in (own, book, same, other):
        await one.teacher.close()
