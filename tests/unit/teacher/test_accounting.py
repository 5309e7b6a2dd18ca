"""The cache, the caps, group commit and cancellation: what a call costs, and who says so."""

import asyncio
import json
import time

import pytest

from ghostd.core.budget import Amount, Caps, Reservation, Settlement, Spent, refuse
from ghostd.core.concept import Concept
from ghostd.errors import BudgetExceeded, StoreUnavailable
from ghostd.teacher.batch import Batcher
from ghostd.teacher.config import BudgetConfig
from ghostd.teacher.ledger import Ledger, MemoryCallStore

from .endpoint import CONCEPT, LESSON, Endpoint, completion, teacher_for

CAP_NAMES = ["daily_tokens", "total_tokens", "daily_cost", "total_cost"]


def good(*_):
    return completion(json.dumps(LESSON))


def reservation(key="k", tokens=10, cost=1.0):
    return Reservation(key, "lesson", "tiny", "http://here/v1", tokens, 0, cost, "{}")


@pytest.mark.parametrize("name", CAP_NAMES)
def test_a_cap_may_be_reached_but_not_passed_and_the_refusal_names_it(name):
    spent = Spent(Amount(90, 90.0), Amount(90, 90.0))
    caps = Caps(**{name: 100})
    assert refuse(spent, Amount(10, 10.0), caps) is None
    reason = refuse(spent, Amount(11, 10.5), caps)
    assert f"teacher.budget.{name}" in reason


def test_without_caps_nothing_is_refused():
    assert refuse(Spent(Amount(10**12, 1e12), Amount(10**12, 1e12)), Amount(10**9, 1e9), Caps()) is None


async def test_a_call_past_the_cap_is_refused_before_anything_is_sent():
    endpoint = Endpoint(good)
    store = MemoryCallStore(BudgetConfig(total_tokens=1000).caps())
    teacher = teacher_for(endpoint, store, max_tokens=2000)
    with pytest.raises(BudgetExceeded, match="total_tokens"):
        await teacher.write_lesson(CONCEPT)
    assert endpoint.bodies == []
    assert store.rows == []
    assert teacher.limiter.in_flight == 0
    await teacher.close()


async def test_the_estimate_is_replaced_by_what_was_measured():
    store = MemoryCallStore(Caps(total_tokens=3000))
    teacher = teacher_for(Endpoint(good), store, max_tokens=1000)
    for number in range(8):  # 120 tokens each when measured; three estimates would already pass the cap
        await teacher.write_lesson(Concept("d", f"title {number}", CONCEPT.statement, CONCEPT.signature))
    assert store.spent().total == Amount(960, 0.0)
    await teacher.close()


async def test_concurrent_calls_cannot_pass_a_cap_together():
    store = MemoryCallStore(Caps(total_cost=5.0))
    ledger = Ledger(store)
    results = await asyncio.gather(*(ledger.reserve(reservation(str(n))) for n in range(9)), return_exceptions=True)
    assert sum(isinstance(one, BudgetExceeded) for one in results) == 4
    assert sum(isinstance(one, int) for one in results) == 5
    assert store.spent().total.cost == 5.0


async def test_a_daily_cap_opens_again_on_the_next_day_in_utc_and_a_total_cap_does_not():
    now = [86_399.0]
    store = MemoryCallStore(Caps(daily_tokens=10, total_tokens=20), clock=lambda: now[0])
    await store.reserve([reservation()])
    with pytest.raises(BudgetExceeded, match="daily_tokens"):
        await store.reserve([reservation()])
    now[0] = 86_400.0
    await store.reserve([reservation()])
    now[0] = 2 * 86_400.0
    with pytest.raises(BudgetExceeded, match="total_tokens"):
        await store.reserve([reservation()])


async def test_the_same_question_is_answered_from_the_store():
    endpoint, store = Endpoint(good), MemoryCallStore()
    first = teacher_for(endpoint, store)
    answered = await first.write_lesson(CONCEPT)
    await first.close()
    second = teacher_for(endpoint, store)
    assert await second.write_lesson(CONCEPT) == answered
    assert len(endpoint.bodies) == 1
    await second.close()


async def test_a_bad_answer_is_not_kept_for_the_next_time():
    endpoint = Endpoint(lambda _, number: completion("{" if number == 1 else json.dumps(LESSON)))
    teacher = teacher_for(endpoint, reasks=0)
    assert (await teacher.write_lesson(CONCEPT)).problem == "malformed"
    assert (await teacher.write_lesson(CONCEPT)).value is not None
    await teacher.close()


@pytest.mark.parametrize(
    "changed",
    [
        {"base_url": "http://elsewhere/v1"},
        {"model": "small"},
        {"temperature": 0.1},
        {"top_p": 0.5},
        {"seed": 1},
        {"max_tokens": 100},
    ],
    ids=lambda changed: next(iter(changed)),
)
async def test_whatever_changes_the_answer_changes_the_key(changed):
    endpoint, store = Endpoint(good, models=("tiny", "small")), MemoryCallStore()
    for settings in ({}, changed):
        teacher = teacher_for(endpoint, store, **settings)
        await teacher.write_lesson(CONCEPT)
        await teacher.close()
    assert len(endpoint.bodies) == 2
    keys = {row.reservation.key for row in store.rows}
    assert len(keys) == 2


async def test_what_only_changes_how_it_is_asked_does_not_change_the_key():
    endpoint, store = Endpoint(good), MemoryCallStore()
    for settings in ({}, {"structured_output": "prompt", "concurrency": 3, "retries": 0}):
        teacher = teacher_for(endpoint, store, **settings)
        await teacher.write_lesson(CONCEPT)
        await teacher.close()
    assert len(endpoint.bodies) == 1


async def test_a_cancelled_call_gives_its_permit_back_and_is_settled():
    entered = asyncio.Event()

    async def never(scope, receive, send):
        entered.set()
        await asyncio.Event().wait()

    endpoint, store = Endpoint(good), MemoryCallStore()
    teacher = teacher_for(endpoint, store)
    teacher._transport._http.app = never
    task = asyncio.create_task(teacher.write_lesson(CONCEPT))
    await entered.wait()
    assert store.rows[0].settlement is None
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await teacher.close()
    settled = store.rows[0].settlement
    assert settled.status == "failed"
    assert settled.error.startswith("cancelled")
    assert settled.completion_tokens > 0  # it was sent: the endpoint may have charged for it
    assert teacher.limiter.in_flight == 0


async def test_calls_cancelled_in_the_queue_cost_nothing_and_block_nobody():
    entered, release = asyncio.Event(), asyncio.Event()

    async def slow(scope, receive, send):
        entered.set()
        await release.wait()
        await good()(scope, receive, send)

    store = MemoryCallStore()
    teacher = teacher_for(Endpoint(good), store, concurrency=1)
    teacher._transport._http.app = slow
    concepts = [Concept("d", f"title {number}", CONCEPT.statement, CONCEPT.signature) for number in range(3)]
    first, second, third = (asyncio.create_task(teacher.write_lesson(concept)) for concept in concepts)
    await entered.wait()
    second.cancel()
    release.set()
    assert (await first).value is not None
    assert (await third).value is not None
    assert second.cancelled()
    assert len(store.rows) == 2
    await teacher.close()


async def test_a_reservation_cancelled_while_it_is_written_is_settled_as_never_sent():
    class Slow(MemoryCallStore):
        async def reserve(self, calls):
            await asyncio.sleep(0.02)
            return await super().reserve(calls)

    store = Slow()
    ledger = Ledger(store)
    task = asyncio.create_task(ledger.reserve(reservation()))
    await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await ledger.close()
    assert store.rows[0].settlement.error == "cancelled: never sent"
    assert store.spent().total == Amount(0, 0.0)


async def test_items_that_arrive_while_a_batch_is_written_share_the_next_one():
    batches = []

    async def write(items):
        batches.append(list(items))
        await asyncio.sleep(0.005)
        return [item * 10 for item in items]

    batcher = Batcher(write)
    first = batcher.submit(1)
    await asyncio.sleep(0.001)
    assert await asyncio.gather(first, *(batcher.submit(item) for item in (2, 3, 4))) == [10, 20, 30, 40]
    assert batches == [[1], [2, 3, 4]]


async def test_an_error_of_the_store_reaches_everybody_who_waits_and_the_batcher_lives_on():
    broken = [True]

    async def write(items):
        if broken[0]:
            raise StoreUnavailable
        return items

    batcher = Batcher(write)
    results = await asyncio.gather(*(batcher.submit(item) for item in range(3)), return_exceptions=True)
    assert [type(one) for one in results] == [StoreUnavailable] * 3
    broken[0] = False
    assert await batcher.submit(7) == 7


async def test_an_answer_is_returned_only_once_it_is_durable():
    class Slow(MemoryCallStore):
        async def settle(self, results):
            await asyncio.sleep(0.03)
            await super().settle(results)

    store = Slow()
    teacher = teacher_for(Endpoint(good), store)
    started = time.monotonic()
    reply = await teacher.write_lesson(CONCEPT)
    assert time.monotonic() - started >= 0.03
    assert isinstance(store.rows[reply.call_ids[0] - 1].settlement, Settlement)
    await teacher.close()
