"""`OpenAITeacher`: the Teacher port over any OpenAI-compatible endpoint, or over an ASGI app in this process."""

import json
from collections.abc import Sequence
from typing import Any, TypeVar

import structlog

from ghostd.core.concept import Concept, Domain
from ghostd.core.lesson import Exam, Failure, Lesson, Solution
from ghostd.core.limiter import Limiter
from ghostd.errors import ConfigurationError, TeacherRejected
from ghostd.ports import Reply
from ghostd.teacher import questions, translate, wire
from ghostd.teacher.answers import (
    ConceptsAnswer,
    DomainsAnswer,
    ExamAnswer,
    LessonAnswer,
    SolutionAnswer,
    read_answer,
)
from ghostd.teacher.calls import Caller, Read
from ghostd.teacher.config import TeacherConfig
from ghostd.teacher.delivery import Delivery
from ghostd.teacher.ledger import CallStore, Ledger
from ghostd.teacher.throttle import Throttle
from ghostd.teacher.transport import HttpReply, Transport

_OK = 200
_WRONG_KEY = {401, 403}
_MISSING = {400, 404}
_LONGEST_REPEATED_CHARACTERS = 20_000  # of a malformed answer in the question that asks again

RecordT = TypeVar("RecordT")
log = structlog.get_logger(__name__)


class OpenAITeacher:
    """One model at one endpoint. `start` before the first question, `close` after the last."""

    def __init__(self, config: TeacherConfig, calls: CallStore, *, app: Any | None = None, name: str = "") -> None:
        """`app`: an ASGI application to call in place of a socket; `name`: recorded in place of the model's."""
        if not config.base_url and app is None:
            raise ConfigurationError("teacher.base_url is not set; set it, or leave it to discovery")
        self.name = name or config.model
        self.licence = config.licence
        self._named = bool(name)
        self._config = config
        self._transport = Transport(config, app)
        self._throttle = Throttle(Limiter(config.concurrency))
        self._delivery = Delivery(self._transport, self._throttle, config)
        self._ledger = Ledger(calls)
        self._caller = Caller(config, self._transport.base_url, self._delivery, self._ledger)

    @property
    def base_url(self) -> str:
        """Where the teacher is asked."""
        return self._transport.base_url

    @property
    def limiter(self) -> Limiter:
        """What the endpoint's 429s taught: window, pace and counts; for `ghostd status`."""
        return self._throttle.limiter

    @property
    def structured_output(self) -> str:
        """The rung of the structured output ladder in use."""
        return self._delivery.dialect.rung.value

    async def start(self) -> None:
        """Check the endpoint, and take its model where none is set.

        Raises TeacherUnavailable when nothing answers, TeacherRejected when the key or the model is refused.
        """
        reply = await self._transport.get("/models")
        if reply.status in _WRONG_KEY:
            raise TeacherRejected(
                f"{self.base_url} refuses the key ({reply.status}: {reply.shown}); check teacher.api_key"
            )
        offered = _offered(reply)
        if not self._caller.model:
            self._caller.model = self._only(offered)
        elif offered and not _lists(offered, self._caller.model):
            # Some endpoints list a part of what they serve or load models on demand: only they can say.
            log.warning("teacher.model_not_listed", model=self._caller.model, offered=offered[:20])
            await self._try_model()
        if not self._named:
            self.name = self._caller.model
        log.info("teacher.ready", base_url=self.base_url, model=self._caller.model)

    async def close(self) -> None:
        """Wait until every call is accounted for, then close the connections."""
        await self._ledger.close()
        await self._transport.close()

    async def models(self) -> tuple[str, ...]:
        """The models that the endpoint lists; () when it lists none or cannot list. Raises TeacherUnavailable."""
        return _offered(await self._transport.get("/models"))

    async def propose_domains(
        self, seeds: Sequence[str], known: Sequence[str], count: int
    ) -> Reply[tuple[Domain, ...]]:
        """See `ports.Teacher`."""
        return await self._ask(
            questions.domains(seeds, known, count),
            lambda text: translate.domains(read_answer(text, DomainsAnswer), known),
        )

    async def propose_concepts(
        self, domain: Domain, count: int, known_count: int, known_titles: Sequence[str], focus: str
    ) -> Reply[tuple[Concept, ...]]:
        """See `ports.Teacher`."""
        return await self._ask(
            questions.concepts(domain, count, known_count, known_titles, focus),
            lambda text: translate.concepts(read_answer(text, ConceptsAnswer), domain),
        )

    async def write_lesson(self, concept: Concept) -> Reply[Lesson]:
        """See `ports.Teacher`."""
        return await self._ask(questions.lesson(concept), _read_lesson)

    async def write_exam(self, concept: Concept, repair_round: int = 0) -> Reply[Exam]:
        """See `ports.Teacher`."""
        question = questions.exam(concept, repair_round)
        return await self._ask(question, lambda text: translate.exam(read_answer(text, ExamAnswer)))

    async def write_solution(self, concept: Concept, asked_before: int = 0) -> Reply[Solution]:
        """See `ports.Teacher`."""
        question = questions.solution(concept, asked_before)
        return await self._ask(question, lambda text: translate.solution(read_answer(text, SolutionAnswer), self.name))

    async def repair_lesson(
        self, concept: Concept, lesson: Lesson, failure: Failure, repair_round: int
    ) -> Reply[Lesson]:
        """See `ports.Teacher`."""
        return await self._ask(questions.repair(concept, lesson, failure, repair_round), _read_lesson)

    async def _ask(self, question: wire.Question, read: Read[RecordT]) -> Reply[RecordT]:
        """Ask, and after a malformed answer ask again with what was wrong, as often as configured."""
        call_ids: list[int] = []
        asked = question
        for left in range(self._config.reasks, -1, -1):
            call = await self._caller.call(asked, read)
            call_ids.append(call.call_id)
            if call.problem == "rejected":
                await self._raise_if_model_is_missing(call.detail)
            if call.problem != "malformed" or not left:
                break
            log.info("teacher.asked_again", kind=question.kind, call=call.call_id, complaint=call.detail[:300])
            asked = questions.asked_again(question, call.text[:_LONGEST_REPEATED_CHARACTERS], call.detail)
        if call.problem:
            log.info("teacher.answer_unusable", kind=question.kind, call=call.call_id, problem=call.problem)
        return Reply(call.value, call.problem, call.detail, tuple(call_ids))

    async def _try_model(self) -> None:
        """One token from a model that the endpoint does not list; raises TeacherRejected when it is not there."""
        body = {"model": self._caller.model, "messages": [{"role": "user", "content": "ping"}], "max_tokens": 1}
        reply = await self._transport.post("/chat/completions", json.dumps(body).encode())
        if reply.status in _MISSING:
            await self._raise_if_model_is_missing(reply.shown)

    async def _raise_if_model_is_missing(self, refusal: str) -> None:
        """Tell a request that was refused for its own sake from a model that is not there."""
        model, offered = self._caller.model, await self.models()
        speaks_of_model = "model" in refusal.lower() and any(
            words in refusal.lower()
            for words in ("not found", "does not exist", "not exist", "pinned", "no such", "unknown")
        )
        if _lists(offered, model) or not (offered or speaks_of_model):
            return
        offer = f"it offers {', '.join(offered[:20])}" if offered else "it lists no models"
        raise TeacherRejected(f"{self.base_url} does not serve {model!r} ({refusal}); {offer}: set teacher.model")

    def _only(self, offered: tuple[str, ...]) -> str:
        """The model to take where none is set."""
        chat = tuple(model for model in offered if "embed" not in model.lower()) or offered
        if len(chat) == 1:
            return chat[0]
        if not chat:
            raise TeacherRejected(f"{self.base_url} lists no models; name one in teacher.model")
        raise TeacherRejected(
            f"{self.base_url} serves several models; set teacher.model to one of {', '.join(chat[:20])}"
        )


def _read_lesson(text: str) -> translate.Translated[Lesson]:
    return translate.lesson(read_answer(text, LessonAnswer))


def _offered(reply: HttpReply) -> tuple[str, ...]:
    return wire.read_models(reply.body) or () if reply.status == _OK else ()


def _lists(offered: tuple[str, ...], model: str) -> bool:
    """Whether a model is on offer; Ollama lists `name:latest` for `name`."""
    return model in offered or f"{model}:latest" in offered
