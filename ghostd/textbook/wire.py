"""The bytes that the textbook teacher reads and writes: OpenAI's chat completions, and the task inside a prompt."""

import json
import re
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

MODEL = "textbook"
_JSON_BLOCK = re.compile(r"```json\s*\n(.*?)\n?```", re.DOTALL)
_TASK_LINE = re.compile(r"\s*Task:\s*(\w+)\s*(?:\n|$)")
_TOKEN = re.compile(r"\s*(?:\w{1,6}|[^\w\s])")


class BadRequest(Exception):
    """The request is not one that the endpoint answers."""

    def __init__(self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.param, self.code = status, param, code

    def body(self) -> dict[str, Any]:
        """OpenAI's error object."""
        kind = "invalid_request_error"
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


class ContentPart(BaseModel):
    """One part of a message; the textbook reads text only."""

    type: Literal["text"]
    text: str


class Message(BaseModel):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[ContentPart] | None = None

    @property
    def text(self) -> str:
        """The message's text, its parts joined."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(BaseModel):
    """What a stream carries beside the text."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """The body of POST /v1/chat/completions; fields that make no difference to a textbook are accepted and unread."""

    model: str
    messages: list[Message] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    stop: str | list[str] | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    seed: int | None = None
    temperature: float | None = Field(default=None, ge=0.0, le=2.0)

    @property
    def stops(self) -> list[str]:
        """The stop sequences, possibly none."""
        return [self.stop] if isinstance(self.stop, str) else self.stop or []

    @property
    def token_limit(self) -> int | None:
        """The most tokens that the answer may have."""
        return self.max_completion_tokens or self.max_tokens


class DomainNamed(BaseModel):
    """A domain in a task."""

    slug: str = ""
    title: str = ""
    description: str = ""


class ConceptNamed(BaseModel):
    """A concept in a task; the textbook goes by its title."""

    domain: str = ""
    title: str
    statement: str = ""
    signature: str = ""


class DomainsTask(BaseModel):
    """Propose fields of knowledge."""

    seeds: list[str] = []
    known: list[str] = []
    count: int = Field(default=1, ge=1)


class ConceptsTask(BaseModel):
    """Propose concepts of a domain."""

    domain: DomainNamed
    count: int = Field(default=1, ge=1)
    known_count: int = Field(default=0, ge=0)
    known_titles: list[str] = []
    focus: str = ""


class LessonTask(BaseModel):
    """Write a lesson."""

    concept: ConceptNamed


class ExamTask(BaseModel):
    """Write an exam."""

    concept: ConceptNamed


class SolutionTask(BaseModel):
    """Write code from the statement alone."""

    concept: ConceptNamed


class RepairTask(BaseModel):
    """Write the lesson again; what failed makes no difference to a textbook, which round it is does."""

    concept: ConceptNamed
    round: int = Field(default=1, ge=1)


Task = DomainsTask | ConceptsTask | LessonTask | ExamTask | SolutionTask | RepairTask

_TASKS: dict[str, type[DomainsTask | ConceptsTask | LessonTask | ExamTask | SolutionTask | RepairTask]] = {
    "domains": DomainsTask,
    "concepts": ConceptsTask,
    "lesson": LessonTask,
    "exam": ExamTask,
    "solution": SolutionTask,
    "repair": RepairTask,
}


def parse_request(body: bytes) -> ChatRequest:
    """Raises BadRequest: 400 for what is not a chat request, 404 for another model."""
    try:
        request = ChatRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or None
        raise BadRequest(f"{where or 'body'}: {first['msg']}", param=where) from error
    if request.model != MODEL:
        message = f"The model {request.model!r} does not exist; this endpoint serves {MODEL!r}."
        raise BadRequest(message, status=404, param="model", code="model_not_found")
    return request


def parse_task(messages: list[Message]) -> Task | None:
    """The task that the messages set; None for a plain conversation. Raises BadRequest for a task without a payload."""
    system = next((message.text for message in messages if message.role in ("system", "developer")), "")
    named = _TASK_LINE.match(system)
    if named is None:
        return None
    kind = named.group(1)
    if kind not in _TASKS:
        raise BadRequest(f"unknown task {kind!r}; known are {', '.join(_TASKS)}", param="messages")
    block = next((found for m in messages if m.role == "user" and (found := _JSON_BLOCK.search(m.text))), None)
    if block is None:
        raise BadRequest(f"task {kind!r} needs a user message with one fenced json block", param="messages")
    try:
        return _TASKS[kind].model_validate_json(block.group(1))
    except ValidationError as error:
        first = error.errors()[0]
        raise BadRequest(f"task {kind!r}: {first['loc']}: {first['msg']}", param="messages") from error


def tokens(text: str) -> list[str]:
    """The text in pieces as a tokenizer might cut it: at most six letters, or one sign, with the space before it."""
    pieces = _TOKEN.findall(text)
    rest = text[sum(map(len, pieces)) :]
    return [*pieces, rest] if rest else pieces


def as_json(value: Any) -> str:
    """Compact JSON with its characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
