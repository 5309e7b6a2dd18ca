"""What every implementation of ports.Store and its sisters must do: the one on Postgres, and the one in memory."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import URL

from ghostd.app import SystemClock
from ghostd.core.concept import Concept, Domain
from ghostd.core.crystal import Crystal, Grade, Stage, Verdict, VerdictKind
from ghostd.core.evidence import (
    CallOutcome,
    CheckOutcome,
    Evidence,
    ExitClass,
    Outcome,
    Place,
    Run,
    Variation,
)
from ghostd.core.frontier import Choice
from ghostd.core.lesson import Exam, Failure, Lesson
from ghostd.core.reverification import Image, Policy, judge, rank
from ghostd.db.config import StoreConfig
from ghostd.db.engine import Database
from ghostd.db.store import PostgresStore
from ghostd.errors import NotFound
from ghostd.ports import AttemptRecord
from ghostd.testing.store import MemoryStore
from tests.crystals import crystal

pytest_plugins = ["tests.postgres"]

AnyStore = PostgresStore | MemoryStore
on_every_store = pytest.mark.parametrize("store", ["postgres", "memory"], indirect=True)

REFUTED = Failure("tested", "tested.exam_failed", "assert f(1) == 2")
REFUTING = Verdict(VerdictKind.REFUTED, Grade.NONE, Stage.TESTED, Failure("audited", "audited.drift", "1 != 2"), ())
PLACE = Place("docker", "sha256:1234", "abcd", "cell-1")
SOUND = {"teacher": "one for all", "quality": 0.9}
IMAGE = Image(PLACE.backend, PLACE.image_id, PLACE.cell_version)


@pytest.fixture
async def store(request: pytest.FixtureRequest, database_url: URL) -> AsyncIterator[AnyStore]:
    """The store on a migrated database of the test's own, or the one in memory where the test asks for it."""
    if getattr(request, "param", "postgres") == "memory":
        yield MemoryStore(SystemClock())
    else:
        async with PostgresStore(Database(database_url, StoreConfig())) as opened:
            yield opened


def executions(one: Crystal, count: int) -> tuple[Evidence, ...]:
    """Evidence of every shape: values, exceptions, failed and unreached checks, output that no database likes."""
    return tuple(
        Evidence(
            rung="tested",
            purpose=f"mutant:{number}",
            run=Run(
                f"{one.lesson.code}\n# {number}",
                one.concept.entry,
                calls=("1", "2"),
                checks=one.exam.checks,
                variation=Variation(hash_seed=number % 3),
            ),
            outcome=Outcome(
                ExitClass.OK if number % 2 else ExitClass.ASSERTION,
                calls=(CallOutcome('{"int":1}'), CallOutcome(exception="ValueError: no")),
                checks=(CheckOutcome(True, True), CheckOutcome(True, False, "no"), CheckOutcome(False, False)),
                stdout="nul \x00, half a pair \ud800",
                wall_seconds=0.001 * number,
                peak_memory_bytes=1 << 20,
                taints=("clock",) if number % 2 else (),
            ),
            place=PLACE,
            run_key=f"{number:064x}",
            result_hash=f"{number + 1:064x}",
            supports=bool(number % 2),
        )
        for number in range(count)
    )


def verdict(one: Crystal, count: int = 3) -> Verdict:
    return Verdict(
        VerdictKind.VERIFIED,
        one.grade,
        Stage.TESTED,
        None,
        executions(one, count),
        one.claims,
        one.exercises,
        one.quality,
        mutants_killed=9,
        mutants_total=10,
    )


async def answered(store: AnyStore, one: Crystal) -> AttemptRecord:
    await store.admit_concepts([one.concept], "for the test")
    attempt = await store.open_attempt(one.concept, one.teacher)
    assert await store.record_lesson(attempt.id, one.lesson, one.exam)
    return await store.load_attempt(attempt.id)


async def stored(store: AnyStore, numbers: Sequence[int], **changes: object) -> list[Crystal]:
    all_of_them = [dataclasses.replace(crystal(number), **changes) for number in numbers]
    for one in all_of_them:
        attempt = await answered(store, one)
        assert await store.crystallise(attempt.id, one, verdict(one))
    return all_of_them


@on_every_store
async def test_a_concept_is_admitted_once(store: AnyStore) -> None:
    concept = crystal(0).concept
    first, second = await store.admit_concepts([concept, concept], "twice")
    assert first.admitted
    assert (second.admitted, second.duplicate_of) == (False, concept.slug)
    (again,) = await store.admit_concepts([concept], "later")
    assert (again.admitted, again.duplicate_of, again.similarity) == (False, concept.slug, 1.0)
    assert await store.concept(concept.slug) == concept


@on_every_store
async def test_a_rewording_is_a_duplicate_and_another_number_is_not(store: AnyStore) -> None:
    words = "Return the sum of the squares of the first n positive integers for an integer n that is at least {}"
    original = Concept("maths", "Sum of squares", words.format(1), "def f(n: int) -> int")
    reworded = dataclasses.replace(original, title="Sum of squares!", statement=words.format(1) + ".")
    different = dataclasses.replace(original, title="Sum of squares from two", statement=words.format(2))
    await store.admit_concepts([original], "first")
    twin, other = await store.admit_concepts([dataclasses.replace(reworded, domain="sums"), different], "second")
    assert (twin.admitted, twin.duplicate_of) == (False, original.slug)
    assert twin.similarity > 0.7
    assert other.admitted


@on_every_store
async def test_concurrent_proposals_of_one_concept_admit_it_once(store: AnyStore) -> None:
    concepts = [crystal(number).concept for number in range(20)]
    answers = await asyncio.gather(*(store.admit_concepts(concepts, f"proposer {number}") for number in range(4)))
    assert sum(one.admitted for admissions in answers for one in admissions) == len(concepts)


@on_every_store
async def test_an_attempt_keeps_what_the_teacher_said(store: AnyStore) -> None:
    one = crystal(4)
    odd = dataclasses.replace(one.lesson, explanation="nul \x00 and half a pair \udfff")
    await store.admit_concepts([one.concept], "for the test")
    opened = await store.open_attempt(one.concept, "a teacher")
    assert (opened.stage, opened.verdict, opened.lesson, opened.failure) == (Stage.ASKED, "", None, None)
    assert await store.record_lesson(opened.id, odd, one.exam)
    loaded = await store.load_attempt(opened.id)
    assert (loaded.concept, loaded.lesson, loaded.exam, loaded.stage) == (one.concept, odd, one.exam, Stage.PARSED)
    assert not await store.record_lesson(opened.id, Lesson("other", "code"), Exam()), "the first answer stands"


@on_every_store
async def test_opening_an_attempt_again_gives_the_unfinished_one(store: AnyStore) -> None:
    one = crystal(1)
    await store.admit_concepts([one.concept], "for the test")
    opened = await asyncio.gather(*(store.open_attempt(one.concept, "a teacher") for _ in range(5)))
    assert len({attempt.id for attempt in opened}) == 1
    await store.reject(opened[0].id, Stage.ASKED, VerdictKind.REFUTED, REFUTED, ())
    repair = await store.open_attempt(one.concept, "a teacher", 1, opened[0].id)
    assert (repair.parent_id, repair.repair_round) == (opened[0].id, 1)
    assert repair.id != opened[0].id


@on_every_store
async def test_an_unknown_concept_or_attempt_is_named(store: AnyStore) -> None:
    with pytest.raises(NotFound, match="maths/nothing"):
        await store.open_attempt(Concept("maths", "Nothing", "", ""), "a teacher")
    with pytest.raises(NotFound, match="4711"):
        await store.load_attempt(4711)
    with pytest.raises(NotFound, match="maths/nothing"):
        await store.concept("maths/nothing")


async def test_a_rejection_is_recorded_with_its_evidence_and_only_once(store: PostgresStore) -> None:
    one = crystal(2)
    attempt = await answered(store, one)
    proof = executions(one, 5)
    assert await store.reject(attempt.id, Stage.REPRODUCIBLE, VerdictKind.REFUTED, REFUTED, proof)
    assert not await store.reject(attempt.id, Stage.ASKED, VerdictKind.FLAKY, REFUTED, proof)
    assert not await store.crystallise(attempt.id, one, verdict(one))
    loaded = await store.load_attempt(attempt.id)
    assert (loaded.stage, loaded.verdict, loaded.failure) == (Stage.REPRODUCIBLE, "refuted", REFUTED)
    assert tuple(await store.evidence_of_attempt(attempt.id)) == proof
    assert await store.crystal_count() == 0


async def test_a_crystal_comes_back_as_it_went_in_with_its_evidence_in_order(store: PostgresStore) -> None:
    one = crystal(0)
    attempt = await answered(store, one)
    proof = verdict(one, 50)
    assert await store.crystallise(attempt.id, one, proof)
    assert await store.get(one.id) == one
    assert await store.get(one.id[:12]) == one
    assert await store.get(one.concept.slug) == one
    assert tuple(await store.evidence_of(one.id)) == proof.evidence
    assert (await store.load_attempt(attempt.id)).stage is Stage.STORED
    assert await store.ledger_place(one.id) == {"leaf": 0, "size": 1}
    assert (await store.find_attempt(str(attempt.id))).id == attempt.id
    assert (await store.find_attempt(one.concept.slug)).id == attempt.id
    (cost,) = await store.rung_costs()
    assert (cost.rung, cost.lessons, cost.executions) == ("tested", 1, 50)
    assert cost.cpu_seconds == pytest.approx(sum(each.outcome.cpu_seconds for each in proof.evidence))
    assert cost.wall_seconds == pytest.approx(sum(each.outcome.wall_seconds for each in proof.evidence))
    refuted = [(c.claim.text, c.claim.check, c.result) for c in one.claims if c.status == "refuted"]
    assert refuted
    assert await store.refuted_claims(one.id) == refuted


async def test_of_many_who_finish_an_attempt_one_succeeds(store: PostgresStore) -> None:
    one = crystal(3)
    attempt = await answered(store, one)
    outcomes = await asyncio.gather(*(store.crystallise(attempt.id, one, verdict(one)) for _ in range(6)))
    assert sorted(outcomes) == [False] * 5 + [True]
    assert await store.crystal_count() == 1
    assert (await store.counts())["ledger_size"] == 1


@on_every_store
async def test_what_a_crystal_says_already_is_rejected_as_a_duplicate(store: AnyStore) -> None:
    (known,) = await stored(store, [0])
    copy = dataclasses.replace(
        known, id="f" * 64, concept=dataclasses.replace(known.concept, title="Another", statement="Something else")
    )
    attempt = await answered(store, copy)
    assert not await store.crystallise(attempt.id, copy, verdict(copy))
    finished = await store.load_attempt(attempt.id)
    assert (finished.stage, finished.verdict) == (Stage.TESTED, "duplicate")
    assert finished.failure == Failure("novel", "duplicate", known.id)
    assert await store.crystal_count() == 1


@on_every_store
@pytest.mark.parametrize(
    ("explanation", "code", "kept"),
    [
        ("{}", "# renamed\n{}", False),
        ("{} In short.", "{}", False),
        ("{}", "{}\nLIMIT = 7\n", True),
        ("It is something else altogether, told in other words.", "{}", True),
    ],
)
async def test_another_concept_with_the_same_function_is_novel_only_if_it_explains_something_else(
    store: AnyStore, explanation: str, code: str, kept: bool
) -> None:
    (known,) = await stored(store, [1])
    name = known.concept.entry
    lesson = dataclasses.replace(
        known.lesson,
        explanation=explanation.format(known.lesson.explanation),
        code=code.format(known.lesson.code.replace(name, "renamed")),
    )
    concept = dataclasses.replace(known.concept, title="Another", statement="Something else, stated in other words")
    other = dataclasses.replace(known, id="f" * 64, concept=concept, lesson=lesson)
    attempt = await answered(store, other)
    assert await store.crystallise(attempt.id, other, verdict(other)) == kept
    assert await store.crystal_count() == 1 + kept


@on_every_store
async def test_variants_of_one_family_are_all_stored(store: AnyStore) -> None:
    every = await stored(store, range(40))
    assert await store.crystal_count() == len(every)


@on_every_store
async def test_crystals_stream_by_id_and_by_grade_and_domain(store: AnyStore) -> None:
    every = sorted(await stored(store, range(12)), key=lambda one: one.id)
    assert [one async for one in store.crystals()] == every
    wanted = [one for one in every if one.grade >= Grade.CORROBORATED]
    assert [one async for one in store.crystals(Grade.CORROBORATED)] == wanted
    assert [one async for one in store.crystals(domain="text")] == [
        one for one in every if one.concept.domain == "text"
    ]


async def test_a_stream_is_not_torn_by_batches(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    every = sorted(await stored(store, range(9)), key=lambda one: one.id)
    for batch in (1, 3, 9, 10):
        monkeypatch.setattr("ghostd.db.crystals._BATCH", batch)
        assert [one async for one in store.crystals()] == every


async def test_search_finds_words_phrases_ids_and_slugs(store: PostgresStore) -> None:
    every = await stored(store, range(10))
    shifts = {one.id for one in every if one.concept.domain == "text"}
    assert {one.id for one in await store.search("caesar cipher")} == shifts
    assert {one.id for one in await store.search('"letters along the alphabet"')} == shifts
    assert await store.search('"alphabet the along"') == []
    assert {one.id for one in await store.search("kinetic OR caesar -cipher")} == {
        one.id for one in every if one.concept.domain == "physics"
    }
    assert (await store.search(every[3].id[:10]))[0] == every[3]
    assert (await store.search(every[4].concept.slug))[0] == every[4]
    assert await store.search("caesar", domain="physics") == []
    assert len(await store.search("the", limit=3)) <= 3
    assert await store.search("\x00'; DROP TABLE crystals; --") == []
    assert await store.crystal_count() == len(every)


@on_every_store
async def test_a_beginning_that_fits_two_crystals_is_refused(store: AnyStore) -> None:
    one, other = crystal(0), crystal(1)
    for number, sibling in enumerate((one, other)):
        twin = dataclasses.replace(sibling, id="abcdef" + str(number) * 58)
        attempt = await answered(store, twin)
        assert await store.crystallise(attempt.id, twin, verdict(twin))
    with pytest.raises(NotFound, match="more than one"):
        await store.get("abcdef")
    assert (await store.get("abcdef0")).concept == one.concept
    with pytest.raises(NotFound, match="there is no crystal 12345678"):
        await store.get("12345678")


@on_every_store
async def test_a_revoked_crystal_takes_its_descendants_along(store: AnyStore) -> None:
    parent, child, grandchild, great_grandchild, stranger = await stored(store, range(5))
    await store.record_lineage(child.id, [parent.id, stranger.id], "dream")
    await store.record_lineage(grandchild.id, [child.id], "generalisation")
    await store.record_lineage(great_grandchild.id, [grandchild.id, child.id], "dream")
    withdrawn = await store.revoke(parent.id, "it was wrong", "alice")
    assert withdrawn[0] == parent.id
    assert sorted(withdrawn[1:]) == sorted([child.id, grandchild.id, great_grandchild.id])
    assert await store.revoke(parent.id, "again", "bob") == ()
    assert [one async for one in store.crystals()] == [stranger]
    assert len([one async for one in store.crystals(include_revoked=True)]) == 5
    own, inherited = await store.revocation(parent.id), await store.revocation(great_grandchild.id)
    assert own is not None and (own.reason, own.revoked_by, own.origin_id) == ("it was wrong", "alice", "")
    assert inherited is not None and (inherited.revoked_by, inherited.origin_id) == ("alice", parent.id)
    assert inherited.reason == f"made of {parent.id}, which was revoked: it was wrong"
    assert own.revoked_at == inherited.revoked_at > 0
    assert await store.revocation(stranger.id) is None
    with pytest.raises(NotFound):
        await store.revoke("0" * 64, "unknown")


@on_every_store
async def test_what_is_made_of_a_revoked_crystal_falls_with_it_even_when_it_comes_later(store: AnyStore) -> None:
    parent, child, late = await stored(store, range(3))
    await store.record_lineage(child.id, [parent.id], "dream")
    await store.revoke(parent.id, "it was wrong", "alice")
    await store.record_lineage(late.id, [child.id], "dream")
    fallen = await store.revocation(late.id)
    assert fallen is not None and (fallen.origin_id, fallen.revoked_by) == (parent.id, "alice")
    assert fallen.reason == f"made of {parent.id}, which was revoked: it was wrong"


@on_every_store
async def test_a_revoked_text_is_not_learnt_twice_and_its_correction_is(store: AnyStore) -> None:
    (known,) = await stored(store, [5])
    await store.revoke(known.id, "wrong result")
    copy = dataclasses.replace(known, id="e" * 64)
    attempt = await store.open_attempt(known.concept, "a teacher")
    assert not await store.crystallise(attempt.id, copy, verdict(copy))
    assert (await store.load_attempt(attempt.id)).failure == Failure("novel", "duplicate", known.id)
    lesson = dataclasses.replace(known.lesson, code=known.lesson.code.replace("sum(", "sum(1 * "))
    assert lesson != known.lesson
    mended = dataclasses.replace(known, id="d" * 64, lesson=lesson)
    attempt = await store.open_attempt(known.concept, "a teacher")
    assert await store.crystallise(attempt.id, mended, verdict(mended))


@on_every_store
async def test_a_concept_is_open_again_after_its_first_revocation_and_failed_after_its_second(store: AnyStore) -> None:
    (known,) = await stored(store, [5])
    await store.revoke(known.id, "wrong result")
    assert [one.slug for one in await store.frontier(5)] == [known.concept.slug]
    await store.schedule([Choice(known.concept.slug, 1.0, {})])
    lesson = dataclasses.replace(known.lesson, explanation="Something else altogether, in other words.")
    again = dataclasses.replace(known, id="d" * 64, lesson=lesson)
    attempt = await store.open_attempt(known.concept, "a teacher")
    assert await store.crystallise(attempt.id, again, verdict(again))
    await store.revoke(again.id, "wrong as well")
    (view,) = await store.domains()
    assert (await store.frontier(5), view.crystals, view.open_concepts, await store.in_flight()) == ([], 0, 0, 0)


def policy(days: float, image: Image = IMAGE) -> Policy:
    """Due after so many days, whether weak or not."""
    return Policy(days * 86_400.0, days * 86_400.0, image)


async def due(store: AnyStore, wanted: Policy) -> list[str]:
    return [one.crystal_id for one in rank(await store.standings(wanted, 100), wanted, 100)]


@on_every_store
async def test_old_crystals_are_due_until_they_are_replayed(store: AnyStore) -> None:
    old, older = await stored(store, [1, 0])  # created_at is long ago in both, a second apart
    assert await due(store, policy(1)) == [older.id, old.id]
    assert await store.record_reverification(older.id, verdict(older)) == ()
    assert await due(store, policy(1)) == [old.id]
    await store.revoke(old.id, "for the test")
    assert await due(store, policy(1)) == []
    assert older.id in [one.id async for one in store.crystals(Grade.AUDITED)]


@on_every_store
async def test_how_a_crystal_stands_is_told_whole(store: AnyStore) -> None:
    one, sibling, stranger, fallen = await stored(store, [0, 5, 2, 10], **SOUND)  # of one lineage but for 2
    for checked in (one, sibling, stranger):
        await store.record_reverification(checked.id, verdict(checked))
    await store.record_reverification(one.id, REFUTING)
    await store.revoke(fallen.id, "for the test")
    standings = {found.crystal_id: found for found in await store.standings(policy(1), 100)}
    assert set(standings) == {one.id, sibling.id}, "the stranger was checked and is sound"
    found = standings[one.id]
    assert (found.grade, found.quality, found.mutants_total) == (one.grade, one.quality, 10)
    assert (found.verdict, found.image) == (VerdictKind.REFUTED, IMAGE)
    assert (found.failed_siblings, found.teacher_failed, found.teacher_crystals) == (1, 1, 3)
    assert 0 <= found.unchecked_seconds < 60


@on_every_store
async def test_what_broke_its_cell_waits_until_it_is_replayed(store: AnyStore) -> None:
    broken, other = await stored(store, [0, 1])
    await store.postpone([broken.id])
    assert await due(store, policy(1)) == [other.id]
    postponed = {one.crystal_id: one.postponed_seconds for one in await store.standings(policy(1), 100)}
    assert postponed[other.id] is None and 0 <= (postponed[broken.id] or 0.0) < 60
    await store.record_reverification(broken.id, REFUTING)
    assert await due(store, policy(1)) == [broken.id, other.id]


@on_every_store
async def test_another_image_makes_due_what_was_checked_elsewhere(store: AnyStore) -> None:
    (one,) = await stored(store, [0])
    await store.record_reverification(one.id, verdict(one))
    assert await due(store, policy(1)) == []
    for other in (
        dataclasses.replace(IMAGE, image_id="sha256:5678"),
        dataclasses.replace(IMAGE, cell_version="ef01"),
        dataclasses.replace(IMAGE, backend="bubblewrap"),
    ):
        assert await due(store, policy(1, other)) == [one.id]


@on_every_store
async def test_a_teacher_that_fails_repeatedly_in_a_domain_is_doubted_there(store: AnyStore) -> None:
    every = await stored(store, [0, 5, 30, 1], **SOUND)  # of one domain but for 1
    for one in every:
        await store.record_reverification(one.id, verdict(one))
    soon = Policy(86_400.0, 0.0, IMAGE)
    assert await due(store, soon) == []
    await store.revoke(every[0].id, "for the test")
    await store.revoke(every[1].id, "for the test")
    assert await due(store, soon) == [every[2].id]


@on_every_store
async def test_a_judgement_to_revoke_is_carried_out_with_the_replay(store: AnyStore) -> None:
    parent, child = await stored(store, [0, 1])
    await store.record_lineage(child.id, [parent.id], "dream")
    judgement = judge([REFUTING, REFUTING])
    assert await store.record_reverification(parent.id, REFUTING, judgement) == (parent.id, child.id)
    assert await store.record_reverification(parent.id, REFUTING, judgement) == ()
    fallen = await store.revocation(parent.id)
    assert fallen is not None and (fallen.reason, fallen.revoked_by) == ("audited.drift", "reverification")


async def test_the_waterfall_adds_up(store: PostgresStore) -> None:
    stored_ones = await stored(store, [0, 1])
    lost = await answered(store, crystal(2))
    await store.reject(lost.id, Stage.EXECUTED, VerdictKind.REFUTED, REFUTED, ())
    await answered(store, crystal(3))
    await store.admit_concepts([crystal(4).concept], "for the test")
    await store.open_attempt(crystal(4).concept, "a teacher")
    found = await store.waterfall()
    assert [found.passed[stage] for stage in Stage] == [5, 4, 3, 2, 2, 2, 2]
    assert found.open == {Stage.ASKED: 1, Stage.PARSED: 1}
    (rejection,) = found.rejections
    assert (rejection.stage, rejection.reason, rejection.count) == (Stage.EXECUTED, "tested.exam_failed", 1)
    assert (await store.counts())["crystals"] == len(stored_ones)
    assert (await store.waterfall(since=4e9)).passed[Stage.ASKED] == 0


@on_every_store
async def test_the_frontier_takes_domains_in_turn_and_knows_what_is_met(store: AnyStore) -> None:
    (base,) = await stored(store, [0])
    after = [
        Concept("text", "Needs a lineage", "alpha beta gamma delta", "def f()", prerequisites=(base.concept.parent,)),
        Concept(
            "text", "Needs two", "one two three four five", "def f()", prerequisites=(base.concept.title, "Unheard of")
        ),
        Concept("physics", "Needs nothing", "red green blue white", "def f()"),
    ]
    await store.admit_concepts(after, "for the test")
    found = {one.slug: one for one in await store.frontier(10)}
    assert set(found) == {one.slug for one in after}
    assert [found[one.slug].prerequisites_met for one in after] == [1.0, 0.5, 1.0]
    assert [one.domain for one in await store.frontier(2)] == ["physics", "text"]
    assert await store.missing_prerequisites("text", 5) == ["Unheard of"]
    assert await store.missing_prerequisites("physics", 5) == []
    assert await store.known_titles("text", 1) == ["Needs two"]


@on_every_store
async def test_a_concept_goes_from_open_to_scheduled_once(store: AnyStore) -> None:
    concept = crystal(0).concept
    await store.admit_concepts([concept], "for the test")
    choice = Choice(concept.slug, 0.5, {"coverage": 1.0})
    moved = await asyncio.gather(store.schedule([choice]), store.schedule([choice]))
    assert sorted(moved) == [[], [concept.slug]]
    assert await store.in_flight() == 1
    assert await store.frontier(5) == []
    await store.mark(concept.slug, "failed")
    assert await store.in_flight() == 0
    with pytest.raises(ValueError, match="nonsense"):
        await store.mark(concept.slug, "nonsense")


@on_every_store
async def test_scheduled_concepts_without_an_attempt_are_reopened(store: AnyStore) -> None:
    worked_on, forgotten = crystal(0).concept, crystal(1).concept
    await store.admit_concepts([worked_on, forgotten], "for the test")
    await store.schedule([Choice(worked_on.slug, 1, {}), Choice(forgotten.slug, 1, {})])
    await store.open_attempt(worked_on, "a teacher")
    assert await store.reopen_stalled(3600) == 0
    assert await store.reopen_stalled(0) == 1
    assert [one.slug for one in await store.frontier(5)] == [forgotten.slug]


@on_every_store
async def test_lessons_whose_job_was_lost_are_found(store: AnyStore) -> None:
    lost = await answered(store, crystal(0))
    done = await answered(store, crystal(1))
    await store.reject(done.id, Stage.PARSED, VerdictKind.REFUTED, REFUTED, ())
    assert await store.stranded_attempts(0) == [lost.id]
    assert await store.stranded_attempts(3600) == []


@on_every_store
async def test_domains_are_added_once_and_counted(store: AnyStore) -> None:
    assert await store.add_domains([Domain("text", "Text", "letters"), Domain("physics", "Physics")], "seeds") == 2
    assert await store.add_domains([Domain("text", "Again")], "seeds") == 0
    assert await store.add_domains([], "seeds") == 0
    await stored(store, [1])
    text, physics = await store.domains()
    assert (text.domain, text.concepts, text.crystals) == (Domain("text", "Text", "letters"), 1, 1)
    assert (text.attempts, text.verified, physics.concepts) == (1, 1, 0)


async def test_runs_and_decisions_are_listed_newest_first(store: PostgresStore) -> None:
    first = await store.start_run("curiosity", "backlog is low")
    second = await store.start_run("export", "a thousand are new")
    await store.finish_run(first, "ok", {"admitted": 3}, "refilled")
    await store.finish_run(first, "failed", {}, "too late")
    assert await store.interrupted_runs_close() == 1
    newest, oldest = await store.recent_runs(5)
    assert (newest["id"], newest["status"]) == (second, "interrupted")
    assert (oldest["status"], oldest["counts"], oldest["reason"]) == ("ok", {"admitted": 3}, "refilled")
    await store.record_decision("cognitive", "share", "dream", "0.2", {"yield": 0.8})
    (decision,) = await store.recent_decisions(5)
    assert (decision["choice"], decision["reason"]) == ("0.2", {"yield": 0.8})


async def test_a_dataset_marks_what_is_new_since(store: PostgresStore) -> None:
    recent = [dataclasses.replace(crystal(number), created_at=0.0) for number in range(3)]
    for one in recent[:2]:
        attempt = await answered(store, one)
        await store.crystallise(attempt.id, one, verdict(one))
    assert await store.crystals_since_last_dataset() == 2
    await store.record_dataset("/data/1", "root", 2, {"rows": {}}, tuple(one.id for one in recent[:2]))
    assert await store.crystals_since_last_dataset() == 0
    attempt = await answered(store, recent[2])
    await store.crystallise(attempt.id, recent[2], verdict(recent[2]))
    assert await store.crystals_since_last_dataset() == 1
    assert [one.path for one in await store.datasets_with([recent[0].id])] == ["/data/1"]
    assert await store.datasets_with([recent[2].id]) == []
