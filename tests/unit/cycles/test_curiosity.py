"""Curiosity: when it asks, whom, what for, and what it takes for new."""

import dataclasses

import pytest

from ghostd.core.concept import Concept, Domain
from ghostd.cycles.config import CuriosityConfig
from ghostd.cycles.curiosity import Curiosity
from ghostd.errors import TeacherUnavailable
from ghostd.ports import Reply
from ghostd.testing.scripted import ScriptedTeacher, SettableClock
from ghostd.testing.store import MemoryStore
from tests.crystals import crystal

TEXT, MUSIC = Domain("text", "Text"), Domain("music", "Music")
WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"]


def concepts(domain: str, count: int, prerequisites: tuple[str, ...] = ()) -> tuple[Concept, ...]:
    """So many concepts that resemble each other in nothing."""
    return tuple(
        Concept(
            domain,
            f"{WORDS[number % 12]} {number}",
            f"Return {number} {WORDS[-number % 12]}s",
            "def f() -> int",
            prerequisites=prerequisites,
        )
        for number in range(count)
    )


def curious(teacher: ScriptedTeacher, store: MemoryStore, **config: object) -> Curiosity:
    return Curiosity(
        teacher, store, store, store, CuriosityConfig(**{"domains": 2, "backlog": 20, "batch": 5, **config})
    )


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(SettableClock())


async def test_the_first_exploration_opens_domains_and_admits_concepts_with_a_reason(store: MemoryStore) -> None:
    teacher = ScriptedTeacher(
        domains=[Reply((TEXT, MUSIC))], concepts=[Reply(concepts("music", 5)), Reply(concepts("text", 9)[5:])]
    )
    counts = await curious(teacher, store).explore()
    assert counts == {"domains": 2, "proposed": 9, "admitted": 9, "saturated": 0}
    assert [kind for kind, *_ in teacher.asked] == ["domains", "concepts", "concepts"]
    assert {one.reason for one in store.known.values()} == {"coverage: 0 concepts known"}
    (run,) = store.runs.values()
    assert (run.cycle, run.status, run.counts) == ("curiosity", "ok", counts)


async def test_it_asks_around_its_seeds_for_as_many_domains_as_are_missing(store: MemoryStore) -> None:
    await store.add_domains([TEXT], "seeds")
    teacher = ScriptedTeacher(domains=[Reply((MUSIC,))], concepts=[Reply(concepts("text", 1))])
    await curious(teacher, store, domains=4, seeds=("letters",)).explore()
    assert teacher.asked[0] == ("domains", ("letters",), ("Text",), 3)


async def test_a_backlog_that_is_half_full_is_left_alone(store: MemoryStore) -> None:
    await store.admit_concepts(concepts("text", 11), "for the test")
    teacher = ScriptedTeacher()
    assert await curious(teacher, store).explore() == {}
    assert teacher.asked == []
    assert store.runs == {}


async def test_what_is_in_flight_counts_as_backlog(store: MemoryStore) -> None:
    admitted = concepts("text", 11)
    await store.admit_concepts(admitted, "for the test")
    for one in admitted[:10]:
        await store.mark(one.slug, "scheduled")
    assert await curious(ScriptedTeacher(), store).explore() == {}


async def test_a_low_backlog_is_refilled_from_the_thinnest_domains(store: MemoryStore) -> None:
    await store.add_domains([TEXT, MUSIC, Domain("maths", "Maths")], "seeds")
    await store.admit_concepts(concepts("text", 7), "for the test")
    await store.admit_concepts(
        [dataclasses.replace(one, title=f"{one.title} of music") for one in concepts("music", 1)], ""
    )
    teacher = ScriptedTeacher(concepts=[Reply(())])
    await curious(teacher, store, domains=3, backlog=18, batch=5).explore()
    assert [question[1] for question in teacher.asked] == ["maths", "music"]


async def test_known_concepts_and_rewordings_are_refused(store: MemoryStore) -> None:
    known = crystal(2).concept
    await store.admit_concepts([known], "for the test")
    reworded = dataclasses.replace(
        known, title=known.title + "!", statement=known.statement.replace("Return", "return")
    )
    teacher = ScriptedTeacher(concepts=[Reply((known, reworded, crystal(3).concept))])
    counts = await curious(teacher, store, domains=1).explore()
    assert (counts["proposed"], counts["admitted"]) == (3, 1)
    assert list(store.known) == [known.slug, crystal(3).concept.slug]


async def test_the_teacher_is_shown_what_is_known_of_the_domain(store: MemoryStore) -> None:
    await store.admit_concepts(concepts("text", 3), "for the test")
    teacher = ScriptedTeacher(concepts=[Reply(())])
    await curious(teacher, store, domains=1).explore()
    assert teacher.asked == [("concepts", "text", 5, 3, ("gamma 2", "beta 1", "alpha 0"), "")]


async def test_a_missing_prerequisite_is_asked_for_first_and_named_as_the_reason(store: MemoryStore) -> None:
    await store.admit_concepts(concepts("text", 2, prerequisites=("Code points",)), "for the test")
    teacher = ScriptedTeacher(concepts=[Reply((Concept("text", "Code points", "Return the numbers", "def f()"),))])
    await curious(teacher, store, domains=1).explore()
    assert teacher.asked[0][-1] == "Code points"
    assert store.known["text/code-points"].reason == "gap: Code points is a missing prerequisite"
    assert await store.missing_prerequisites("text", 5) == []


async def test_a_teacher_that_repeats_itself_is_recorded_as_saturated(store: MemoryStore) -> None:
    known = concepts("text", 9)
    await store.admit_concepts(known, "for the test")
    teacher = ScriptedTeacher(concepts=[Reply(known * 5)])
    counts = await curious(teacher, store, domains=1).explore()
    assert counts == {"domains": 1, "proposed": 45, "admitted": 0, "saturated": 1}
    assert store.runs[1].reason == "novelty has dried up"


async def test_a_domain_with_nothing_but_duplicates_is_asked_further_on_the_next_time(store: MemoryStore) -> None:
    known = concepts("text", 3)
    await store.admit_concepts(known, "for the test")
    teacher = ScriptedTeacher(concepts=[Reply(known), Reply(())])
    curiosity = curious(teacher, store, domains=1)
    for _ in range(3):  # a fruitless round is followed by one that is sat out
        await curiosity.explore()
    assert [question[3] for question in teacher.asked] == [3, 6], "or the cache would answer the same for ever"


async def test_a_teacher_that_brings_nothing_is_asked_ever_more_rarely_until_it_does(store: MemoryStore) -> None:
    await store.add_domains([TEXT], "seeds")
    silent = [Reply(None, "refusal")] * 4
    teacher = ScriptedTeacher(concepts=[*silent, Reply(concepts("text", 1)), Reply(())])
    curiosity = curious(teacher, store, domains=1)
    rounds = []
    for _ in range(40):
        before = len(teacher.asked)
        await curiosity.explore()
        rounds.append(len(teacher.asked) - before)
    asked = [number for number, count in enumerate(rounds) if count]
    assert asked[:6] == [0, 2, 6, 14, 30, 31], "1, 3, 7 and 15 rounds are sat out, and none after a success"


async def test_a_problem_of_the_teacher_is_recorded_and_changes_nothing(store: MemoryStore) -> None:
    await store.add_domains([TEXT], "seeds")
    teacher = ScriptedTeacher(domains=[Reply(None, "refusal", "no")], concepts=[Reply(None, "malformed", "{")])
    counts = await curious(teacher, store).explore()
    assert counts == {"domains": 1, "proposed": 0, "admitted": 0, "saturated": 0}
    assert store.known == {}
    assert (store.runs[1].status, store.runs[1].reason) == ("ok", "the teacher proposed nothing that could be used")


async def test_an_outage_closes_the_run_as_failed_and_goes_on_its_way(store: MemoryStore) -> None:
    await store.add_domains([TEXT], "seeds")
    teacher = ScriptedTeacher(concepts=[TeacherUnavailable("it does not answer")])
    with pytest.raises(TeacherUnavailable):
        await curious(teacher, store, domains=1).explore()
    assert (store.runs[1].status, store.runs[1].reason) == ("failed", "it does not answer")
