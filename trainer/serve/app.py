"""The routes of the server, as an ASGI app; what a request means is said in `wire`, what it does in `work`."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from trainer.bytes import BOUNDARY, VOCABULARY, decode
from trainer.errors import CheckpointError
from trainer.serve.answers import Answers, error_event
from trainer.serve.engine import Engine
from trainer.serve.wire import Asked, BadRequest, ids_of_text, parse_request
from trainer.serve.work import Desk

BOUNDARY_TEXT: Final = "<|boundary|>"  # how the boundary is written where only text can be
_LONGEST: Final = 2**31  # ids of a prompt that a client may count on; the state is constant in size
_CLIENT_LEFT: Final = 499  # nginx's status for a client that closed the connection; nobody reads it


class _Server:
    """The handlers and what they share."""

    def __init__(self, desk: Desk, model: str, active: int, waiting: int) -> None:
        self._desk, self._model = desk, model
        self._engine = Engine(active, waiting)
        self._began = int(time.time())

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """The engine's thread ends with the server."""
        yield
        await asyncio.to_thread(self._engine.close)

    async def health(self, _request: Request) -> Response:
        """GET /health."""
        desk = self._desk
        return JSONResponse(
            {
                "status": "ok",
                "model": self._model,
                "decoder": desk.decoder.description,
                "requests": self._engine.requests,
                "prefix_cache": {"memories": len(desk.cache), "bytes": desk.cache.size, "ids_saved": desk.cache.saved},
            }
        )

    async def models(self, request: Request) -> Response:
        """GET /v1/models and GET /v1/models/NAME."""
        model = {"id": self._model, "object": "model", "created": self._began, "owned_by": "trainer"}
        named = request.path_params.get("name")
        if named not in {None, self._model}:
            raise BadRequest(f"The model {named!r} does not exist.", status=404, param="model", code="model_not_found")
        return JSONResponse(model if named else {"object": "list", "data": [model]})

    async def completions(self, request: Request) -> Response:
        """POST /v1/completions."""
        asked = parse_request(await request.body(), self._model, chat=False)
        if asked.options.echo and (asked.options.suffix or asked.options.state_id):
            raise BadRequest("echo repeats a whole prompt; it cannot be had with suffix or state_id.", param="echo")
        return await self._answer(request, asked)

    async def chat(self, request: Request) -> Response:
        """POST /v1/chat/completions."""
        return await self._answer(request, parse_request(await request.body(), self._model, chat=True))

    async def _answer(self, request: Request, asked: Asked) -> Response:
        if asked.options.stream:
            self._engine.check_room()  # while a refusal can still have its own status
            headers = {"Cache-Control": "no-cache"}
            return StreamingResponse(self._events(asked), media_type="text/event-stream", headers=headers)
        whole = asyncio.ensure_future(self._whole(asked))
        left = asyncio.ensure_future(request.receive())  # after the body comes only that the client left
        try:
            await asyncio.wait({whole, left}, return_when=asyncio.FIRST_COMPLETED)
            return JSONResponse(await whole) if whole.done() else Response(status_code=_CLIENT_LEFT)
        finally:
            for task in (whole, left):
                task.cancel()
            await asyncio.wait({whole, left})

    async def _whole(self, asked: Asked) -> dict[str, Any]:
        answers = Answers(asked)
        async with self._engine.place(), aclosing(self._engine.run(self._desk.work(asked))) as slices:
            async for events in slices:
                for event in events:
                    if event is not None:
                        answers.choices[event.choice].take(event)
        return answers.whole()

    async def _events(self, asked: Asked) -> AsyncIterator[str]:
        """Server-sent events. When the client leaves, Starlette cancels this, and the work ends with its slice."""
        answers = Answers(asked)
        try:
            async with self._engine.place(), aclosing(self._engine.run(self._desk.work(asked))) as slices:
                for line in answers.beginning():
                    yield line
                async for events in slices:
                    for event in events:
                        if event is not None:
                            answers.choices[event.choice].take(event)
                    for index in sorted({event.choice for event in events if event is not None}):
                        for line in answers.piece(answers.choices[index]):
                            yield line
            for line in answers.end():
                yield line
        except (BadRequest, CheckpointError) as error:
            yield error_event(_refusal(error).body())

    async def states(self, request: Request) -> Response:
        """GET /v1/states, DELETE /v1/states/ID."""
        name = request.path_params.get("name")
        if name is None:
            names = await asyncio.to_thread(self._desk.states.names)
            return JSONResponse({"object": "list", "data": [{"id": each, "object": "state"} for each in names]})
        await self._engine.call(lambda: self._desk.states.remove(name))
        return JSONResponse({"id": name, "object": "state", "deleted": True})

    async def tokenizer_info(self, _request: Request) -> Response:
        """GET /tokenizer_info, as vLLM has it: evaluation harnesses learn from it which ids stand for what."""
        return JSONResponse(
            {
                "tokenizer_class": "bytes",
                "vocabulary": VOCABULARY,
                "bos_token": BOUNDARY_TEXT,
                "eos_token": BOUNDARY_TEXT,
                "pad_token": BOUNDARY_TEXT,
                "chat_template": "{% for message in messages %}{{ message['content'] }}\n{% endfor %}",
            }
        )

    async def tokenize(self, request: Request) -> Response:
        """POST /tokenize: a text as ids; the boundary's own text is the boundary."""
        prompt = _field(await request.body(), "prompt", str)
        parts = [ids_of_text(part).tolist() for part in prompt.split(BOUNDARY_TEXT)]
        ids = parts[0] + [each for part in parts[1:] for each in (BOUNDARY, *part)]
        return JSONResponse({"tokens": ids, "count": len(ids), "max_model_len": _LONGEST})

    async def detokenize(self, request: Request) -> Response:
        """POST /detokenize: the text of ids; bytes that are no UTF-8 become replacement characters."""
        ids = np.array(_field(await request.body(), "tokens", list), np.uint16)
        parts = np.split(ids, np.flatnonzero(ids == BOUNDARY))
        text = BOUNDARY_TEXT.join(decode(part).decode(errors="replace") for part in parts)
        return JSONResponse({"prompt": text})


def _field(body: bytes, name: str, kind: type) -> Any:
    try:
        value = json.loads(body)[name]
    except (ValueError, KeyError, TypeError) as error:
        raise BadRequest(f"The body must be a JSON object with {name}.", param=name) from error
    wrong = isinstance(value, list) and not all(type(each) is int and 0 <= each < VOCABULARY for each in value)
    if wrong or not isinstance(value, kind):
        raise BadRequest(f"{name} must be {'a text' if kind is str else 'a list of ids'}.", param=name)
    return value


def _refusal(error: Exception) -> BadRequest:
    """OpenAI's error for any exception."""
    match error:
        case BadRequest():
            return error
        case HTTPException():
            return BadRequest(error.detail, status=error.status_code, code="unknown_url")
        case CheckpointError():
            return BadRequest(str(error), status=507)
        case _:
            return BadRequest("The server had an error; see its log.", status=500)


async def _refuse(_request: Request, error: Exception) -> Response:
    refusal = _refusal(error)
    return JSONResponse(refusal.body(), status_code=refusal.status)


async def _client_left(_request: Request, _error: Exception) -> Response:
    return Response(status_code=_CLIENT_LEFT)


def create_app(desk: Desk, model: str, *, active: int = 8, waiting: int = 64) -> ASGIApp:
    """The app of one model.

    Args:
        desk: the model's decoder and what requests share.
        model: the name that requests must say.
        active: requests that take turns.
        waiting: more that may wait for that.

    """
    server = _Server(desk, model, active, waiting)
    gets: dict[str, Callable[[Request], Awaitable[Response]]] = {
        "/health": server.health,
        "/v1/models": server.models,
        "/v1/models/{name}": server.models,
        "/v1/states": server.states,
        "/tokenizer_info": server.tokenizer_info,
    }
    posts: dict[str, Callable[[Request], Awaitable[Response]]] = {
        "/v1/completions": server.completions,
        "/v1/chat/completions": server.chat,
        "/tokenize": server.tokenize,
        "/detokenize": server.detokenize,
    }
    routes = [
        *(Route(path, handler, methods=["GET"]) for path, handler in gets.items()),
        *(Route(path, handler, methods=["POST"]) for path, handler in posts.items()),
        Route("/v1/states/{name}", server.states, methods=["DELETE"]),
    ]
    kinds = (BadRequest, CheckpointError, HTTPException, Exception)
    handlers = {**dict.fromkeys(kinds, _refuse), ClientDisconnect: _client_left}
    return Starlette(routes=routes, exception_handlers=handlers, lifespan=server.lifespan)
