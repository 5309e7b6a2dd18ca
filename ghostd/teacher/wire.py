"""The chat completions dialects: request bodies, the ladder of structured output, and what a response says.

Endpoints that call themselves compatible differ in what they refuse. What one refuses is learned from its 400s
and 500s and remembered as a `Dialect`; whatever an endpoint claims to enforce, answers are validated all the same.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ghostd.teacher.config import TeacherConfig

_FORMAT_WORDS = ("response_format", "json_schema", "json_object", "structured", "grammar", "schema")
_OPTIONAL_FIELDS = ("temperature", "top_p", "seed")
_SERVER_ERROR = 500
_REFUSED_WORDS = (
    "unsupported",
    "not supported",
    "unknown",
    "unrecognized",
    "not permitted",
    "extra",
    "does not support",
)

Message = dict[str, str]  # role and content


class Rung(StrEnum):
    """How the endpoint is asked to hold to the schema, best first."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    PROMPT = "prompt"

    @property
    def below(self) -> "Rung | None":
        """The next rung down."""
        rungs = list(Rung)
        place = rungs.index(self) + 1
        return rungs[place] if place < len(rungs) else None


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one endpoint and model accept."""

    rung: Rung = Rung.JSON_SCHEMA
    length_field: str = "max_tokens"  # newer cloud models want max_completion_tokens
    omitted: frozenset[str] = frozenset()  # sampling fields that the endpoint refuses


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to ask: messages, and the shape that the answer must have."""

    kind: str  # domains, concepts, lesson, exam or repair
    shape: str  # name of the schema: the kind, except that a repair asks for a lesson
    messages: tuple[Message, ...]
    schema: dict[str, Any]

    def encoded(self) -> str:
        """The messages as JSON."""
        return json.dumps(self.messages, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Completion:
    """What a response said."""

    text: str
    problem: str = ""  # refusal, truncated, empty or malformed; '' when there is text to read
    detail: str = ""
    prompt_tokens: int | None = None  # None when the endpoint reported no usage
    completion_tokens: int | None = None


def body_around(question: Question, model: str, config: TeacherConfig, dialect: Dialect) -> tuple[str, str]:
    """What stands before and after the encoded messages in the JSON body of POST /chat/completions.

    It is the same for every question of a shape, so that whoever sends many encodes it once.
    """
    body: dict[str, Any] = {"model": model, "stream": False}
    body[dialect.length_field] = config.max_tokens
    for name in _OPTIONAL_FIELDS:
        value = getattr(config, name)
        if value is not None and name not in dialect.omitted:
            body[name] = value
    if dialect.rung is Rung.JSON_SCHEMA:
        named = {"name": question.shape, "strict": True, "schema": question.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    elif dialect.rung is Rung.JSON_OBJECT:
        body["response_format"] = {"type": "json_object", "schema": question.schema}
    return '{"messages": ', f", {json.dumps(body, ensure_ascii=False)[1:]}"


def key_prefix(question: Question, model: str, base_url: str, config: TeacherConfig) -> bytes:
    """What a cache key covers besides the messages; the same for every question of a kind."""
    sampling = [config.temperature, config.top_p, config.seed, config.max_tokens]
    parts = [1, base_url, model, question.kind, question.shape, question.schema, sampling]
    return json.dumps(parts, sort_keys=True).encode()


def cache_key(prefix: bytes, encoded_messages: str) -> str:
    """sha256 over everything that changes the answer. The dialect is how the same is asked for, so it is left out."""
    return hashlib.sha256(prefix + b"\n" + encoded_messages.encode(errors="backslashreplace")).hexdigest()


def estimated_tokens(text: str) -> int:
    """A rough count, four bytes of UTF-8 to a token; for endpoints that report no usage."""
    return max(1, -(-len(text.encode(errors="replace")) // 4)) if text else 0


def adapted(dialect: Dialect, status: int, body: str) -> Dialect | None:
    """The dialect to try next after a refusal; None when the refusal was not about the dialect.

    A 400 or 422 on a request with response_format counts as one about it even when it does not say so, and so
    does a 500 that does say so. Whether the next dialect is to be remembered shows when it is answered.
    """
    text = body.lower()
    if status in {400, 422}:
        if dialect.length_field == "max_tokens" and "max_completion_tokens" in text:
            return replace(dialect, length_field="max_completion_tokens")
        if any(word in text for word in _REFUSED_WORDS):
            for name in _OPTIONAL_FIELDS:
                if name in text and name not in dialect.omitted:
                    return replace(dialect, omitted=dialect.omitted | {name})
    about_format = status in {400, 422} or (status >= _SERVER_ERROR and any(word in text for word in _FORMAT_WORDS))
    return stepped_down(dialect) if about_format else None


def stepped_down(dialect: Dialect) -> Dialect | None:
    """The dialect with the next lower rung; None at the bottom."""
    below = dialect.rung.below
    return None if below is None else replace(dialect, rung=below)


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Message(_Lenient):
    content: str | list[dict[str, Any]] | None = None
    refusal: str | None = None


class _Choice(_Lenient):
    message: _Message = _Message()
    finish_reason: str | None = None


class _Usage(_Lenient):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Response(_Lenient):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


class _Model(_Lenient):
    id: str


class _Models(_Lenient):
    data: list[_Model]


def read_completion(body: str) -> Completion:
    """What a 200's body says. Never raises: a body that is not a completion is a malformed one."""
    try:
        response = _Response.model_validate_json(body)
    except ValidationError as error:
        return Completion("", "malformed", f"the response is not a chat completion: {error.errors()[0]['msg']}")
    if not response.choices:
        return Completion("", "malformed", "the response holds no choices")
    usage = response.usage or _Usage()
    choice = response.choices[0]
    content = choice.message.content
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content)
    text, problem, detail = (content or "").replace("\0", "\ufffd"), "", ""  # Postgres stores no NUL
    if choice.message.refusal or choice.finish_reason == "content_filter":
        problem, detail = "refusal", choice.message.refusal or "the endpoint's content filter"
    elif choice.finish_reason == "length":
        problem, detail = "truncated", "the answer reached teacher.max_tokens"
    elif not text.strip():
        problem, detail = "empty", "the answer holds no text"
    return Completion(text, problem, detail, _count(usage.prompt_tokens), _count(usage.completion_tokens))


def hidden_status(body: str) -> int:
    """The status of an error that came with a 200 (some routers do that); 200 when there is none."""
    if '"error"' not in body or '"choices"' in body:
        return 200
    try:
        error = _Response.model_validate_json(body).error
    except ValidationError:
        return 200
    if not error:
        return 200
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code <= 599 else 502  # noqa: PLR2004 - HTTP error statuses


def read_models(body: str) -> tuple[str, ...] | None:
    """The model ids of GET /models; None when the body is not such a list."""
    try:
        listed = _Models.model_validate_json(body)
    except ValidationError:
        return None
    return tuple(model.id for model in listed.data)


def _count(tokens: int | None) -> int | None:
    return tokens if tokens is not None and tokens >= 0 else None
