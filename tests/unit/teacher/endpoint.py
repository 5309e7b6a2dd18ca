"""A scripted chat completions endpoint as an ASGI app: each test says what it answers, and reads what it was sent."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ghostd.core.concept import Concept, Domain
from ghostd.teacher.client import OpenAITeacher
from ghostd.teacher.config import TeacherConfig
from ghostd.teacher.ledger import MemoryCallStore

CONCEPT = Concept(
    "number-theory", "Square", "Return n * n for every integer n, negative ones included.", "def square(n: int) -> int"
)
DOMAIN = Domain("number-theory", "Number theory", "Whole numbers.")
LESSON = {
    "explanation": "A square is a number times itself.",
    "code": "def square(n: int) -> int:\n    return n * n\n",
    "claims": [{"text": "The square of 3 is 9.", "check": "square(3) == 9"}],
    "exercises": [{"question": "What is the square of 4?", "arguments": "4", "answer": "16"}],
}
EXAM = {"checks": ["assert square(3) == 9", "assert square(-2) == 4"]}


def completion(content: str | None, *, finish: str = "stop", usage: bool = True, **message: Any) -> JSONResponse:
    """A chat completion with this text."""
    body: dict[str, Any] = {
        "id": "1",
        "object": "chat.completion",
        "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **message}}
        ],
    }
    if usage:
        body["usage"] = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    return JSONResponse(body)


def failure(status: int, message: str, **headers: str) -> JSONResponse:
    """An error as OpenAI words it."""
    return JSONResponse({"error": {"message": message}}, status_code=status, headers=headers)


@dataclass
class Endpoint:
    """Answers with `answer(body, number of the request)`; keeps every body and header it was sent."""

    answer: Callable[[dict[str, Any], int], Response]
    models: tuple[str, ...] = ("tiny",)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def app(self) -> Starlette:
        async def chat(request: Request) -> Response:
            self.bodies.append(json.loads(await request.body()))
            self.headers.append(dict(request.headers))
            return self.answer(self.bodies[-1], len(self.bodies))

        async def models(_: Request) -> Response:
            if not self.models:
                return PlainTextResponse("Internal Server Error", status_code=500)
            return JSONResponse({"object": "list", "data": [{"id": model} for model in self.models]})

        return Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"]), Route("/v1/models", models)])


def teacher_for(endpoint: Endpoint, store: MemoryCallStore | None = None, **settings: Any) -> OpenAITeacher:
    """The real client on the endpoint, in this process."""
    return OpenAITeacher(
        TeacherConfig(**{"model": "tiny", "retries": 2, **settings}), store or MemoryCallStore(), app=endpoint.app
    )


def rung_of(body: dict[str, Any]) -> str:
    """How a request asked for structure."""
    asked = body.get("response_format")
    return str(asked["type"]) if asked else "prompt"
