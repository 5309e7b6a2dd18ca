"""One call to the teacher from key to durable result: cache, permit, reservation, delivery, settlement."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ghostd.core.budget import CallStatus, Prices, Reservation, Settlement
from ghostd.errors import TeacherError, TeacherRejected
from ghostd.teacher import wire
from ghostd.teacher.answers import looks_like_refusal
from ghostd.teacher.config import TeacherConfig
from ghostd.teacher.delivery import Delivery, Flight
from ghostd.teacher.ledger import Ledger
from ghostd.teacher.translate import Translated
from ghostd.teacher.transport import HttpReply

RecordT = TypeVar("RecordT")
Read = Callable[[str], Translated[RecordT]]  # raises ValueError, with what to tell the teacher, on a malformed answer

_OK = 200
_WRONG_KEY = {401, 403}
_NO_CREDIT = 402
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Call(Generic[RecordT]):
    """One call's result: a value, or the problem with the answer."""

    call_id: int
    text: str
    value: RecordT | None
    problem: str = ""  # refusal, truncated, empty, malformed or rejected; '' when there is a value
    detail: str = ""  # what is wrong, or what was dropped


class Caller:
    """Makes calls to one endpoint and model, each of them accounted for."""

    def __init__(self, config: TeacherConfig, base_url: str, delivery: Delivery, ledger: Ledger) -> None:
        self.model = config.model
        self._config = config
        self._base_url = base_url
        self._delivery = delivery
        self._ledger = ledger
        self._prices: Prices = config.prices
        self._key_prefixes: dict[tuple[str, str], bytes] = {}
        self._prompt_scale = (
            1.0  # the endpoint's count over ours, at its highest; its tokenizer decides what a cap means
        )

    async def call(self, question: wire.Question, read: Read[RecordT]) -> Call[RecordT]:
        """The answer, from the store where the same was answered before; durable when this returns.

        Raises TeacherUnavailable, TeacherRejected or BudgetExceeded.
        """
        encoded = question.encoded()
        key = wire.cache_key(self._key_prefix(question), encoded)
        cached = await self._ledger.find(key)
        if cached is not None:
            return _read(cached.call_id, wire.Completion(cached.answer), read)
        permit = await self._delivery.permit()
        try:
            reservation = self._reservation(key, question, encoded)
            call_id = await self._ledger.reserve(reservation)
        except BaseException:
            self._delivery.give_back(permit)
            raise
        flight = Flight(permit)
        try:
            reply = await self._delivery.deliver(question, self.model, encoded, flight)
        except (TeacherError, asyncio.CancelledError) as error:
            rejected = isinstance(error, TeacherRejected)
            reason = f"{'cancelled' if isinstance(error, asyncio.CancelledError) else type(error).__name__}: {error}"
            lost = self._lost(call_id, reservation, flight, "rejected" if rejected else "failed", reason)
            settled = self._ledger.settle_later(lost)
            if not isinstance(error, asyncio.CancelledError):
                await settled
            raise
        if reply.status != _OK:
            await self._ledger.settle(self._lost(call_id, reservation, flight, "rejected", f"rejected: {reply.shown}"))
            self._raise_if_rejected(reply)
            return Call(call_id, "", None, "rejected", f"{reply.status}: {reply.shown}")
        completion = wire.read_completion(reply.body)
        if completion.prompt_tokens is not None:
            counted = completion.prompt_tokens / wire.estimated_tokens(encoded)
            self._prompt_scale = max(self._prompt_scale, counted)
        call = _read(call_id, completion, read)
        await self._ledger.settle(self._settlement(call, completion, reservation, flight))
        return call

    def _key_prefix(self, question: wire.Question) -> bytes:
        prefix = self._key_prefixes.get((self.model, question.kind))
        if prefix is None:
            prefix = wire.key_prefix(question, self.model, self._base_url, self._config)
            self._key_prefixes[self.model, question.kind] = prefix
        return prefix

    def _reservation(self, key: str, question: wire.Question, encoded: str) -> Reservation:
        body = self._delivery.body(question, self.model, encoded)
        prompt = math.ceil(wire.estimated_tokens(encoded) * self._prompt_scale)
        completion = self._config.max_tokens
        cost = self._prices.cost(prompt, completion)
        return Reservation(key, question.kind, self.model, self._base_url, prompt, completion, cost, body)

    def _settlement(
        self, call: Call[RecordT], completion: wire.Completion, reservation: Reservation, flight: Flight
    ) -> Settlement:
        prompt, answer = completion.prompt_tokens, completion.completion_tokens
        measured = prompt is not None and answer is not None
        prompt = reservation.prompt_tokens_estimated if prompt is None else prompt
        answer = wire.estimated_tokens(completion.text) if answer is None else answer
        return Settlement(
            call_id=call.call_id,
            status="failed" if call.problem else "ok",
            answer=completion.text,
            prompt_tokens=prompt,
            completion_tokens=answer,
            cost=self._prices.cost(prompt, answer),
            measured=measured,
            latency_seconds=flight.seconds,
            http_status=flight.status,
            error=f"{call.problem}: {call.detail}" if call.problem else "",
        )

    def _lost(
        self, call_id: int, reservation: Reservation, flight: Flight, status: CallStatus, reason: str
    ) -> Settlement:
        """A call without an answer; where the endpoint may have charged for it, the estimates stand."""
        charged = flight.may_be_charged
        prompt = reservation.prompt_tokens_estimated if charged else 0
        answer = reservation.completion_tokens_estimated if charged else 0
        cost = reservation.cost_estimated if charged else 0.0
        measured = not charged
        return Settlement(
            call_id, status, "", prompt, answer, cost, measured, flight.seconds, flight.status, reason[:2000]
        )

    def _raise_if_rejected(self, reply: HttpReply) -> None:
        """TeacherRejected for what holds for every call: the key, the credit, the path. The model is `client`'s."""
        if reply.status in _WRONG_KEY:
            raise TeacherRejected(
                f"{self._base_url} refuses the key ({reply.status}: {reply.shown}); check teacher.api_key"
            )
        if reply.status == _NO_CREDIT:
            raise TeacherRejected(f"{self._base_url} asks for payment ({reply.shown}); top up the account")
        if reply.status < 400:  # noqa: PLR2004 - redirects
            raise TeacherRejected(
                f"{self._base_url} redirects ({reply.status}); set teacher.base_url to where it leads"
            )
        if reply.status == _NOT_FOUND and "model" not in reply.body.lower():
            raise TeacherRejected(
                f"{self._base_url} has no chat completions (404: {reply.shown}); teacher.base_url usually ends in /v1"
            )


def _read(call_id: int, completion: wire.Completion, read: Read[RecordT]) -> Call[RecordT]:
    """What the text says, validated whatever the endpoint claims to enforce."""
    if completion.problem:
        return Call(call_id, completion.text, None, completion.problem, completion.detail)
    try:
        translated = read(completion.text)
    except ValueError as error:
        problem = "refusal" if looks_like_refusal(completion.text) else "malformed"
        detail = completion.text.strip()[:300] if problem == "refusal" else str(error)
        return Call(call_id, completion.text, None, problem, detail)
    problem = "malformed" if translated.value is None else ""
    return Call(call_id, completion.text, translated.value, problem, translated.detail)
