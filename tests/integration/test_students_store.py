"""Training runs, variations and nearness in Postgres: one unfinished run at most, and what revocation reaches."""

import asyncio

import pytest

from ghostd.core.training import RunStatus
from ghostd.core.variation import Answered, Variation
from ghostd.db.store import PostgresStore
from ghostd.errors import AlreadyRunning, NotFound, TrainingError
from tests.crystals import crystal
from tests.integration.test_training import populate

pytest_plugins = ["tests.postgres"]


async def test_many_who_ask_for_a_training_get_the_same_run(store: PostgresStore) -> None:
    asked = await asyncio.gather(*(store.request_training("transformer") for _ in range(8)))
    assert all(run == asked[0] for run in asked)
    assert (asked[0].status, await store.unfinished_training()) == (RunStatus.WAITING, asked[0])
    assert len(await store.training_runs()) == 1


async def test_a_run_goes_through_its_states_and_stays_finished(store: PostgresStore) -> None:
    run = await store.request_training("transformer")
    await store.begin_training(run.id, "/students/1", None)
    await store.interrupt_training(run.id)
    found = await store.unfinished_training()
    assert found is not None
    assert (found.status, found.folder) == (RunStatus.INTERRUPTED, "/students/1")
    await store.finish_training(run.id, RunStatus.OK, {"verdict": "first"}, promoted=True)
    await store.finish_training(run.id, RunStatus.FAILED, {"verdict": "late"})
    await store.interrupt_training(run.id)
    ended = await store.training_run(run.id)
    assert (ended.status, ended.metrics, ended.promoted) == (RunStatus.OK, {"verdict": "first"}, True)
    assert ended.finished_at is not None and await store.unfinished_training() is None
    assert await store.champion() == ended
    with pytest.raises(NotFound, match="99"):
        await store.training_run(99)


async def test_a_failed_run_is_opened_again_unless_another_is_unfinished(store: PostgresStore) -> None:
    run = await store.request_training("transformer")
    with pytest.raises(TrainingError, match="waiting"):
        await store.reopen_training(run.id)
    await store.begin_training(run.id, "/students/1", None)
    await store.finish_training(run.id, RunStatus.FAILED, {"verdict": "the exam broke off"})
    other = await store.request_training("transformer")
    with pytest.raises(AlreadyRunning, match="unfinished"):
        await store.reopen_training(run.id)
    await store.finish_training(other.id, RunStatus.OK, {})
    reopened = await store.reopen_training(run.id)
    assert (reopened.status, reopened.folder, reopened.finished_at) == (RunStatus.INTERRUPTED, "/students/1", None)
    assert await store.unfinished_training() == reopened
    with pytest.raises(NotFound):
        await store.reopen_training(99)


async def test_crystals_are_new_since_the_newest_run_began(store: PostgresStore) -> None:
    await populate(store, range(3))
    assert await store.crystals_since_training() == 3
    await store.request_training("transformer")
    assert await store.crystals_since_training() == 0
    await populate(store, range(3, 5))
    assert await store.crystals_since_training() == 2


async def test_a_run_knows_what_of_its_dataset_was_revoked_since(store: PostgresStore) -> None:
    await populate(store, range(2))
    ids = [crystal(0).id, crystal(1).id]
    dataset = await store.record_dataset("/students/1/dataset", "ab" * 32, 2, {}, ids)
    run = await store.request_training("transformer")
    await store.begin_training(run.id, "/students/1", dataset)
    await store.revoke(ids[0], "wrong")
    found = await store.training_run(run.id)
    assert (found.root, found.crystals, found.revoked) == ("ab" * 32, 2, 1)


async def test_variations_are_kept_once_and_fall_with_their_crystal(store: PostgresStore) -> None:
    await populate(store, range(2))
    ids = [crystal(0).id, crystal(1).id]
    found = [
        Answered(Variation(one, crystal(n).concept.lineage, f"q{m}?", str(m)), "1", "k", "r", -0.1, answered=m > 0)
        for n, one in enumerate(ids)
        for m in range(2)
    ]
    assert await store.keep_variations(found) == 4
    assert await store.keep_variations(found) == 0
    assert await store.variations(ids) == found
    await store.revoke(ids[0], "wrong")
    assert await store.variations(ids) == found[2:]
    late = Answered(Variation(ids[0], "l", "late?", "9"), "1", "k", "r", -0.1, answered=False)
    assert await store.keep_variations([late]) == 0
    assert await store.keep_variations([]) == 0


async def test_what_is_near_a_question_shares_most_of_its_words(store: PostgresStore) -> None:
    await populate(store, range(10))
    (nearest, *_) = await store.about("What is a Caesar shift of letters in the alphabet?", 5)
    assert nearest.title.startswith("Caesar shift") and nearest.coverage == 1.0
    far = await store.about("Who won the football match yesterday evening?", 5)
    assert all(one.coverage < 0.5 for one in far)
    assert await store.about("the of and", 5) == []
    (common,) = {one.coverage for one in await store.about("Return football", 20)}
    assert common < 0.5, "a word that every crystal has says little, one that none has says much"
    assert await store.about("'; DROP TABLE crystals; -- \0 | & !", 5) == await store.about("drop table crystals", 5)
    await store.revoke(nearest.crystal_id, "wrong")
    assert nearest.crystal_id not in {one.crystal_id for one in await store.about("Caesar shift", 5)}


async def test_the_crystal_of_that_very_name_comes_before_its_siblings(store: PostgresStore) -> None:
    await populate(store, range(40))
    for number in range(0, 40, 3):
        concept = crystal(number).concept
        (first, *_) = await store.about(f"What is {concept.title}?", 5)
        assert first.title == concept.title
