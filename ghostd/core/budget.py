"""What calls to a teacher cost, and when one more is refused: records and arithmetic only, no clock and no storage."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

CallStatus = Literal["ok", "failed", "rejected"]


@dataclass(frozen=True, slots=True)
class Reservation:
    """A call about to be sent. It is stored in state 'sent' and counts with its estimates until it is settled."""

    key: str  # sha256 over everything that changes the answer; names the call in the cache
    kind: str  # domains, concepts, lesson, exam or repair
    model: str
    base_url: str
    prompt_tokens_estimated: int
    completion_tokens_estimated: int  # upper bound where the request caps its answer
    cost_estimated: float  # in the currency of the configured prices
    request_json: str  # the body as sent; holds no credential

    @property
    def amount(self) -> "Amount":
        """What the call may cost."""
        return Amount(self.prompt_tokens_estimated + self.completion_tokens_estimated, self.cost_estimated)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a reserved call; its figures replace the estimates."""

    call_id: int
    status: CallStatus  # ok: a usable answer, found by key later; failed: outage or bad answer; rejected: refused there
    answer: str  # the message's text, also of a bad answer; '' when there was none
    prompt_tokens: int
    completion_tokens: int
    cost: float  # in the currency of the configured prices
    measured: bool  # False when the endpoint reported no usage and the token counts are estimates
    latency_seconds: float  # from the first byte sent to the last received, waits for a place left out
    http_status: int  # of the last response; 0 when there was none
    error: str = ""  # stable and short first word: truncated, malformed, refusal, empty, unreachable ...


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """The answer of an earlier call with the same key and status 'ok'."""

    call_id: int
    answer: str
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Amount:
    """Tokens (prompt and completion together) and money."""

    tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.tokens + other.tokens, self.cost + other.cost)


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that may be spent; None leaves a figure without a cap. A day is a UTC calendar day."""

    daily_tokens: int | None = None
    total_tokens: int | None = None
    daily_cost: float | None = None
    total_cost: float | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent: settled calls with their figures, calls still in state 'sent' with their estimates."""

    today: Amount = Amount()
    total: Amount = Amount()


@dataclass(frozen=True, slots=True)
class Prices:
    """Money for a million tokens, in any one currency."""

    prompt_per_million: float = 0.0
    completion_per_million: float = 0.0

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """What so many tokens cost."""
        return (prompt_tokens * self.prompt_per_million + completion_tokens * self.completion_per_million) / 1_000_000


def total_of(reservations: Iterable[Reservation]) -> Amount:
    """What the calls may cost together."""
    tokens, cost = 0, 0.0
    for reservation in reservations:
        tokens += reservation.prompt_tokens_estimated + reservation.completion_tokens_estimated
        cost += reservation.cost_estimated
    return Amount(tokens, cost)


def refuse(spent: Spent, reservation_total: Amount, caps: Caps) -> str | None:
    """Why calls of this size must not be sent, naming the setting to raise; None when they fit under every cap."""
    after_today, after_total = spent.today + reservation_total, spent.total + reservation_total
    checks = (
        ("daily_tokens", after_today.tokens, caps.daily_tokens),
        ("total_tokens", after_total.tokens, caps.total_tokens),
        ("daily_cost", after_today.cost, caps.daily_cost),
        ("total_cost", after_total.cost, caps.total_cost),
    )
    for name, after, cap in checks:
        if cap is not None and after > cap:
            return f"the next call could bring spending to {after:,.6g}, past teacher.budget.{name} = {cap:,.6g}"
    return None
