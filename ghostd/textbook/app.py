"""The textbook teacher as an ASGI app that speaks OpenAI's chat completions; what it says comes from `answers`."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from ghostd.textbook.answers import Answer, answer
from ghostd.textbook.config import TextbookConfig
from ghostd.textbook.faults import FaultKind
from ghostd.textbook.wire import MODEL, BadRequest, ChatRequest, as_json, parse_request, tokens

_STARTED = 1_700_000_000  # the model's `created`; the textbook is as old as its text, not as its process
_STREAM_PIECE = 8  # tokens in one event of a stream


class _Endpoint:
    """One running teacher: its settings, and which faults of the wire it has committed."""

    def __init__(self, config: TextbookConfig) -> None:
        self._config = config
        self._plan = config.plan()
        self._committed: Counter[str] = Counter()

    async def models(self, request: Request) -> Response:
        """GET /v1/models."""
        del request
        model = {"id": MODEL, "object": "model", "created": _STARTED, "owned_by": "ghostd"}
        return JSONResponse({"object": "list", "data": [model]})

    async def chat(self, request: Request) -> Response:
        """POST /v1/chat/completions."""
        try:
            asked = parse_request(await request.body())
            said = _cut(answer(asked, self._plan), asked)
        except BadRequest as error:
            return JSONResponse(error.body(), status_code=error.status)
        slow = False
        if said.wire is not None and self._committed[said.key] == 0:
            self._committed[said.key] += 1
            if said.wire is not FaultKind.SLOW_TOKENS:
                return self._failure(said.wire)
            slow = True
        seconds = self._config.slow_seconds if slow else 0.0
        if asked.stream:
            events = _events(asked, said, seconds)
            return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
        await asyncio.sleep(seconds)
        return Response(as_json(_completion(asked, said)), media_type="application/json")

    def _failure(self, kind: FaultKind) -> Response:
        if kind is FaultKind.HTTP_429:
            error = {"message": "Rate limit reached.", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
            headers = {"Retry-After": str(self._config.retry_after_seconds)}
            return JSONResponse({"error": error}, status_code=429, headers=headers)
        error = {"message": "The server had an error.", "type": "server_error", "param": None, "code": None}
        return JSONResponse({"error": error}, status_code=500)


def _cut(said: Answer, asked: ChatRequest) -> Answer:
    """The answer up to the first stop sequence and within the token limit."""
    ends = [at for stop in asked.stops if stop and (at := said.text.find(stop)) >= 0]
    if ends:
        said = replace(said, text=said.text[: min(ends)], finish_reason="stop")
    pieces = tokens(said.text)
    if asked.token_limit is not None and len(pieces) > asked.token_limit:
        said = replace(said, text="".join(pieces[: asked.token_limit]), finish_reason="length")
    return said


def _usage(asked: ChatRequest, said: Answer) -> dict[str, int]:
    prompt = sum(len(tokens(message.text)) for message in asked.messages)
    completion = len(tokens(said.text))
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _frame(kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": MODEL}


def _completion(asked: ChatRequest, said: Answer) -> dict[str, Any]:
    message = {"role": "assistant", "content": said.text, "refusal": said.text if said.refusal else None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": said.finish_reason}
    return {**_frame("chat.completion"), "choices": [choice], "usage": _usage(asked, said)}


async def _events(asked: ChatRequest, said: Answer, seconds: float) -> AsyncIterator[str]:
    """Server-sent events: the role, the text piece by piece over `seconds`, the end, the usage where it was asked."""
    frame = _frame("chat.completion.chunk")

    def event(delta: dict[str, Any], finish_reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return f"data: {as_json({**frame, 'choices': [choice]})}\n\n"

    pieces = tokens(said.text)
    yield event({"role": "assistant", "content": ""})
    for start in range(0, len(pieces), _STREAM_PIECE):
        await asyncio.sleep(seconds * _STREAM_PIECE / len(pieces))
        yield event({"content": "".join(pieces[start : start + _STREAM_PIECE])})
    yield event({}, said.finish_reason)
    if asked.stream_options is not None and asked.stream_options.include_usage:
        yield f"data: {as_json({**frame, 'choices': [], 'usage': _usage(asked, said)})}\n\n"
    yield "data: [DONE]\n\n"


async def _not_found(request: Request, error: Exception) -> Response:
    """OpenAI's error object for the framework's own 404 and 405."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    refusal = BadRequest(f"{request.method} {request.url.path} is not served here", status=status, code="unknown_url")
    return JSONResponse(refusal.body(), status_code=status)


def create_app(config: TextbookConfig | None = None) -> ASGIApp:
    """The app of one teacher; faults of the wire are counted per app."""
    endpoint = _Endpoint(config or TextbookConfig())
    routes = [
        Route("/v1/models", endpoint.models, methods=["GET"]),
        Route("/v1/chat/completions", endpoint.chat, methods=["POST"]),
    ]
    return Starlette(routes=routes, exception_handlers={404: _not_found, 405: _not_found})
