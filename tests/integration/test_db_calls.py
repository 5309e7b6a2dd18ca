"""The ledger of teacher calls on a real database: cache, money, caps, and speed."""

import asyncio
import time

import pytest

from ghostd.core.budget import Caps, Reservation, Settlement
from ghostd.db.store import PostgresStore
from ghostd.errors import BudgetExceeded

pytest_plugins = ["tests.postgres"]


def reservation(key: str, tokens: int = 100, cost: float = 0.5) -> Reservation:
    return Reservation(key, "lesson", "a model", "http://teacher/v1", tokens, tokens, cost, '{"messages": []}')


def settlement(call_id: int, answer: str = "an answer", cost: float = 0.25, status: str = "ok") -> Settlement:
    return Settlement(call_id, status, answer, 10, 20, cost, True, 1.5, 200)


async def test_an_answer_is_found_by_its_key_once_it_is_settled(store: PostgresStore) -> None:
    first, second = await store.calls.reserve([reservation("a"), reservation("b")])
    assert first < second
    assert await store.calls.find(["a", "b"]) == {}
    await store.calls.settle([settlement(first, "odd \x00 \udfff"), settlement(second, status="failed")])
    found = await store.calls.find(["a", "b", "c"])
    assert set(found) == {"a"}
    assert (found["a"].call_id, found["a"].answer, found["a"].prompt_tokens) == (first, "odd \x00 \udfff", 10)


async def test_the_newest_answer_wins(store: PostgresStore) -> None:
    numbers = await store.calls.reserve([reservation("a"), reservation("a")])
    await store.calls.settle([settlement(numbers[1], "new"), settlement(numbers[0], "old")])
    assert (await store.calls.find(["a"]))["a"].answer == "new"


async def test_what_was_measured_replaces_the_estimate_once(store: PostgresStore) -> None:
    numbers = await store.calls.reserve([reservation("a"), reservation("b")])
    assert await store.calls.spend() == {
        "calls": 2,
        "prompt_tokens": 200,
        "completion_tokens": 200,
        "tokens": 400,
        "cost": 1.0,
    }
    for _ in range(2):  # a settlement that is repeated books nothing
        await store.calls.settle([settlement(numbers[0])])
    spent = await store.calls.spend()
    assert (spent["tokens"], spent["cost"]) == (200 + 30, 0.75)
    (today,) = await store.calls.spend_by_day()
    assert (today["calls"], today["cost"]) == (2, 0.75)


async def test_calls_past_a_cap_are_refused_and_leave_no_trace(store: PostgresStore) -> None:
    capped = store.calls.capped(Caps(total_cost=1.2))
    await capped.reserve([reservation("a"), reservation("b")])
    with pytest.raises(BudgetExceeded, match=r"teacher\.budget\.total_cost"):
        await capped.reserve([reservation("c")])
    assert (await store.calls.spend())["calls"] == 2


async def test_concurrent_reservations_never_pass_a_cap(store: PostgresStore) -> None:
    capped = store.calls.capped(Caps(daily_tokens=1000))  # room for five calls of 200

    async def one(number: int) -> bool:
        try:
            await capped.reserve([reservation(str(number))])
        except BudgetExceeded:
            return False
        return True

    assert sum(await asyncio.gather(*(one(number) for number in range(12)))) == 5


async def test_calls_are_recorded_by_the_thousand_each_second(store: PostgresStore) -> None:
    began = time.perf_counter()
    for batch in range(6):
        numbers = await store.calls.reserve([reservation(f"{batch}-{one}") for one in range(500)])
        await store.calls.settle([settlement(number) for number in numbers])
    assert 3000 / (time.perf_counter() - began) > 1000, "reserved and settled; 3,000/s on a quiet machine"
    assert (await store.calls.spend())["calls"] == 3000
