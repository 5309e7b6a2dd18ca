"""Getting one question answered over HTTP: permits, retries and the dialect; it reads no answer and no ledger.

Each kind of failure has one owner. Connection errors and 5xx are retried here (stamina: exponential, jittered, capped).
A 429 goes to the limiter alone. A refusal of the dialect leads to the next dialect. All else is the caller's.
"""

import time
from dataclasses import dataclass

import stamina
import structlog

from ghostd.core.limiter import Permit
from ghostd.errors import TeacherRejected, TeacherUnavailable
from ghostd.teacher import wire
from ghostd.teacher.config import TeacherConfig
from ghostd.teacher.throttle import Throttle
from ghostd.teacher.transport import HttpReply, TransientFailure, Transport

_PATH = "/chat/completions"
_OK, _TOO_MANY, _SERVER_ERROR = 200, 429, 500
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS, _JITTER_SECONDS = 0.1, 5.0, 0.2
_LONGEST_RETRY_AFTER_SECONDS = 30.0  # of a 503; a longer outage is for the scheduler to wait out

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Flight:
    """What is known about one call while it is under way, for whoever must account for it."""

    permit: Permit | None = None  # for the first attempt
    attempts: int = 0
    status: int = 0  # of the last response; 0 without one
    seconds: float = 0.0  # spent in HTTP exchanges
    may_be_charged: bool = False  # the last attempt was sent and not seen to fail


class Delivery:
    """Sends questions to one endpoint and model, and remembers what they accept."""

    def __init__(self, transport: Transport, throttle: Throttle, config: TeacherConfig) -> None:
        self._transport = transport
        self._throttle = throttle
        self._config = config
        rung = wire.Rung.JSON_SCHEMA if config.structured_output == "auto" else wire.Rung(config.structured_output)
        self.dialect = wire.Dialect(rung)
        self._proven = False  # whether the dialect was ever answered with a 200
        self._around: dict[tuple[str, wire.Dialect], tuple[str, str]] = {}

    async def permit(self) -> Permit:
        """The right to make one call; waits for it."""
        return await self._throttle.acquire()

    def give_back(self, permit: Permit) -> None:
        """Return a permit unused."""
        self._throttle.dropped(permit)

    def body(self, question: wire.Question, model: str, encoded: str, dialect: wire.Dialect | None = None) -> str:
        """The request's body around the encoded messages, in the dialect that is in use where none is given."""
        dialect = dialect or self.dialect
        around = self._around.get((question.shape, dialect))
        if around is None:
            around = wire.body_around(question, model, self._config, dialect)
            self._around[question.shape, dialect] = around
        return f"{around[0]}{encoded}{around[1]}"

    async def deliver(self, question: wire.Question, model: str, encoded: str, flight: Flight) -> HttpReply:
        """The endpoint's 200, or the refusal that no dialect changes.

        Raises TeacherUnavailable after the retries, TeacherRejected when the account has no credit left.
        """
        dialect, tries = self.dialect, self._config.retries + 1
        refusal: HttpReply | None = None
        failure: TransientFailure | None = None
        while True:
            body = self.body(question, model, encoded, dialect).encode(errors="backslashreplace")
            proven = self._proven and dialect == self.dialect
            other: wire.Dialect | None
            try:
                reply = await self._persist(body, flight, tries, None if proven else dialect)
            except TransientFailure as error:
                # llama.cpp's Python server answers 500 to a response_format that it does not know.
                other = None if proven or error.status < _SERVER_ERROR else wire.stepped_down(dialect)
                failure = failure or error
            else:
                if reply.status == _OK:
                    self._learn(dialect)
                    return reply
                other = wire.adapted(dialect, reply.status, reply.body)
                refusal = refusal or reply
            if other is None and refusal is not None:
                return refusal  # the first one: later ones are about our attempts to please
            if other is None and failure is not None:
                raise failure
            if other is not None:
                dialect, tries = other, 1 if failure else tries

    async def _persist(self, body: bytes, flight: Flight, tries: int, unproven: wire.Dialect | None) -> HttpReply:
        """A response that is not a 5xx, within so many tries; a 5xx too where it blames an unproven dialect."""
        try:
            return await self._try(body, flight, unproven)
        except TransientFailure as error:
            first = error
        async for attempt in stamina.retry_context(
            on=_worth_a_retry,
            attempts=tries,
            timeout=None,
            wait_initial=_FIRST_WAIT_SECONDS,
            wait_max=_LONGEST_WAIT_SECONDS,
            wait_jitter=_JITTER_SECONDS,
        ).with_name("teacher.call", (), {}):
            with attempt:
                if attempt.num == 1:
                    raise first  # made above: the machinery would cost every call that needs no retry a tenth
                return await self._try(body, flight, unproven)
        raise AssertionError("stamina always tries once")  # pragma: no cover

    async def _try(self, body: bytes, flight: Flight, unproven: wire.Dialect | None) -> HttpReply:
        reply = await self._send(body, flight)
        if reply.status < _SERVER_ERROR:
            return reply
        if unproven is not None and wire.adapted(unproven, reply.status, reply.body) is not None:
            return reply
        raise TransientFailure(
            f"{self._transport.base_url} fails with {reply.status}: {reply.shown}; see the server's own log",
            status=reply.status,
            retry_after=reply.retry_after,
        )

    async def _send(self, body: bytes, flight: Flight) -> HttpReply:
        """One exchange that is not a 429, however many it takes."""
        patience, refused_at = self._config.timeouts.rate_limit_seconds, None
        while True:
            permit, flight.permit = flight.permit, None
            if permit is None:
                permit = await self._throttle.acquire(first=True)
            flight.attempts += 1
            flight.may_be_charged = True
            started = time.monotonic()
            try:
                reply = await self._transport.post(_PATH, body)
            except BaseException as error:
                self._throttle.dropped(permit)
                flight.status = 0
                flight.may_be_charged = not isinstance(error, TransientFailure)
                raise
            finally:
                flight.seconds += time.monotonic() - started
            status = wire.hidden_status(reply.body) if reply.status == _OK else reply.status
            flight.status, flight.may_be_charged = status, status == _OK
            if status != _TOO_MANY:
                self._throttle.succeeded(permit)
                return reply if status == reply.status else HttpReply(status, reply.body, reply.retry_after)
            if "insufficient_quota" in reply.body:
                self._throttle.dropped(permit)
                raise TeacherRejected(
                    f"{self._transport.base_url} says that the account is out of credit: {reply.shown}"
                )
            self._throttle.refused(permit, reply.retry_after)
            log.debug("teacher.rate_limited", retry_after=reply.retry_after, window=self._throttle.limiter.window)
            refused_at = refused_at or time.monotonic()
            if time.monotonic() - refused_at + (reply.retry_after or 0) > patience:
                raise TeacherUnavailable(
                    f"{self._transport.base_url} keeps answering 429 (Retry-After: {reply.retry_after}); "
                    "lower teacher.concurrency or raise teacher.timeouts.rate_limit_seconds"
                )

    def _learn(self, dialect: wire.Dialect) -> None:
        if dialect != self.dialect:
            self.dialect = dialect
            log.info(
                "teacher.dialect_learned",
                structured_output=dialect.rung.value,
                length_field=dialect.length_field,
                omitted=sorted(dialect.omitted),
            )
        self._proven = True


def _worth_a_retry(error: Exception) -> bool | float:
    """Whether to retry, or after how many seconds: a backoff hook for stamina."""
    if not isinstance(error, TransientFailure):
        return False
    if error.retry_after is not None:
        return min(error.retry_after, _LONGEST_RETRY_AFTER_SECONDS)
    return True
