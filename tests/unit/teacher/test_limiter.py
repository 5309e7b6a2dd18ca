"""The limiter against simulated endpoints, in simulated time."""

import heapq
import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ghostd.core.limiter import Limiter, Permit


@dataclass
class Bucket:
    """An endpoint that admits `rate` calls a second and saves up at most `capacity`."""

    rate: float
    capacity: float
    retry_after: float | None = 1.0
    level: float = field(init=False)
    at: float = 0.0

    def __post_init__(self):
        self.level = self.capacity

    def admits(self, now: float) -> bool:
        self.level = min(self.capacity, self.level + (now - self.at) * self.rate)
        self.at = now
        if self.level < 1:
            return False
        self.level -= 1
        return True


@dataclass
class Campaign:
    """What came of a simulation."""

    finished_at: float = 0.0
    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)


def simulate(limiter, endpoint, *, calls=1000, latency=0.2, network=0.002, until=math.inf, changes=()):
    """Closed loop: as many calls as the limiter permits, refused ones again, until all are answered."""
    now, left, order, ends, seen = 0.0, calls, 0, [], Campaign()
    pending = list(changes)
    while len(seen.answered) < calls and now < until:
        while pending and now >= pending[0][0]:
            _, endpoint.rate, endpoint.capacity = pending.pop(0)
        granted = math.inf
        while left and isinstance(granted := limiter.acquire(now), Permit):
            left, order = left - 1, order + 1
            admitted = endpoint.admits(now + network)
            heapq.heappush(ends, (now + 2 * network + (latency if admitted else 0), order, admitted, granted))
        timers = [ends[0][0]] if ends else []
        if left and not isinstance(granted, Permit) and math.isfinite(granted):
            timers.append(now + max(granted, 0.001))
        now = min(timers)
        while ends and ends[0][0] <= now:
            _, _, admitted, permit = heapq.heappop(ends)
            if admitted:
                seen.answered.append(now)
                limiter.succeeded(permit, now)
            else:
                left += 1
                seen.refused.append(now)
                limiter.refused(permit, now, endpoint.retry_after)
    seen.finished_at = now
    return seen


def test_without_refusals_the_window_stays_at_its_ceiling_and_nothing_is_paced():
    limiter = Limiter(8)
    seen = simulate(limiter, Bucket(1e6, 1e6), calls=80)
    assert limiter.window == 8
    assert limiter.pace is None
    assert seen.finished_at == pytest.approx(10 * 0.204, abs=0.01)


def test_never_more_calls_in_flight_than_the_ceiling():
    limiter = Limiter(3)
    assert all(isinstance(limiter.acquire(0.0), Permit) for _ in range(3))
    assert limiter.acquire(0.0) == math.inf


def test_fifty_a_second_with_a_burst_of_fifty_takes_a_thousand_calls_in_under_twenty_and_a_half_seconds():
    limiter = Limiter(32)
    seen = simulate(limiter, Bucket(50, 50))
    assert len(seen.answered) == 1000
    assert seen.finished_at <= 20.5
    assert len(seen.refused) < 20
    assert limiter.pace == pytest.approx(50, rel=0.05)


@pytest.mark.parametrize("ceiling", [8, 16, 32, 64, 128])
@pytest.mark.parametrize("latency", [0.05, 0.2, 1.0])
def test_the_goal_holds_over_ceilings_and_latencies(ceiling, latency):
    seen = simulate(Limiter(ceiling), Bucket(50, 50), calls=2000, latency=latency)
    ideal = max((2000 - 50) / 50, 2000 * latency / ceiling)
    assert seen.finished_at <= ideal * 1.12 + 1.5
    steady = [at for at in seen.refused if at > 10]
    assert len(steady) < 0.02 * 2000


def test_one_burst_of_refusals_lowers_the_window_once():
    limiter = Limiter(16)
    permits = [limiter.acquire(0.0) for _ in range(16)]
    for permit in permits:
        limiter.refused(permit, 0.1, 1.0)
    assert limiter.window == 12
    assert limiter.bursts == 1
    assert limiter.refusals == 16
    assert limiter.in_flight == 0


def test_retry_after_is_honoured_to_the_millisecond():
    limiter = Limiter(4)
    limiter.refused(limiter.acquire(0.0), 0.1, 7.5)
    assert limiter.acquire(7.59) == pytest.approx(0.01)
    assert isinstance(limiter.acquire(7.6), Permit)


def test_without_retry_after_the_pause_doubles_until_something_gets_through():
    limiter, now, pauses = Limiter(4), 0.0, []
    for _ in range(4):
        permit = limiter.acquire(now)
        while not isinstance(permit, Permit):
            now += permit
            permit = limiter.acquire(now)
        limiter.refused(permit, now, None)
        pauses.append(limiter.paused_until - now)
    assert pauses == [0.5, 1.0, 2.0, 4.0]
    now += 4.0
    permit = limiter.acquire(now)
    while not isinstance(permit, Permit):
        now += permit
        permit = limiter.acquire(now)
    limiter.succeeded(permit, now)
    assert limiter.paused_until <= now


def test_after_a_limit_is_raised_fourfold_most_of_it_is_used_within_a_minute():
    limiter = Limiter(256)
    seen = simulate(limiter, Bucket(50, 50), calls=40_000, until=95, changes=[(30, 200, 200)])
    late = [at for at in seen.answered if 85 < at <= 95]
    assert len(late) >= 0.9 * 200 * 10


def test_after_a_limit_is_cut_to_a_quarter_it_is_kept_within_seconds():
    limiter = Limiter(256)
    seen = simulate(limiter, Bucket(200, 200), calls=40_000, until=90, changes=[(30, 50, 50)])
    late = [at for at in seen.answered if 60 < at <= 90]
    assert len(late) >= 0.9 * 50 * 30
    assert len([at for at in seen.refused if at > 60]) < 0.02 * len(late)


def test_a_limit_on_concurrency_alone_is_found_with_few_refusals():
    limiter, now, flying, refused, admitted = Limiter(32), 0.0, [], 0, 0
    for _ in range(4000):
        permit = limiter.acquire(now)
        if isinstance(permit, Permit):
            if len(flying) >= 8:
                refused += 1
                limiter.refused(permit, now, None)
            else:
                admitted += 1
                heapq.heappush(flying, (now + 0.2, permit.sequence, permit))
            continue
        now = min(flying[0][0] if flying else math.inf, now + permit if math.isfinite(permit) else math.inf)
        while flying and flying[0][0] <= now:
            limiter.succeeded(heapq.heappop(flying)[2], now)
    assert refused < 0.1 * admitted
    assert admitted / now > 0.4 * 8 / 0.2


@settings(max_examples=60, deadline=None)
@given(
    rate=st.floats(1, 500),
    capacity=st.floats(1, 500),
    retry_after=st.one_of(st.none(), st.floats(0, 5)),
    ceiling=st.integers(1, 64),
    latency=st.floats(0.001, 2),
)
def test_every_call_is_answered_whatever_the_endpoint_is_like(rate, capacity, retry_after, ceiling, latency):
    limiter = Limiter(ceiling)
    seen = simulate(limiter, Bucket(rate, capacity, retry_after), calls=60, latency=latency)
    assert len(seen.answered) == 60
    assert limiter.in_flight == 0
    assert 1 <= limiter.window <= ceiling


def test_one_caller_that_is_refused_twice_in_a_row_is_not_slowed_down_for_good():
    limiter = Limiter(4)
    limiter.refused(limiter.acquire(0.0), 0.01, 0.05)
    limiter.refused(limiter.acquire(0.065), 0.07, 0.05)
    assert isinstance(limiter.acquire(0.125), Permit)


def test_time_in_which_nobody_called_does_not_count_as_slowness():
    limiter, now = Limiter(4), 0.0
    limiter.refused(limiter.acquire(now), now, 1.0)
    for _ in range(5):
        now += 100.0
        limiter.succeeded(limiter.acquire(now), now + 0.1)
    now += 100.0
    limiter.refused(limiter.acquire(now), now, 1.0)
    assert limiter.pace > 1.0
