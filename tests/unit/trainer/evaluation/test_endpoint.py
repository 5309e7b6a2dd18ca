"""Endpoints over real HTTP: the textbook teacher as it is served, and a server whose tempers a test chooses."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ghostd.textbook.app import create_app
from tests.unit.trainer.evaluation.datasets import served
from trainer.errors import EndpointError
from trainer.evaluation.candidate import Asking
from trainer.evaluation.endpoint import Endpoint


class Moody:
    """A server of one answer, which is first refused in as many ways as it is told."""

    def __init__(self, refusals: list[Response], *, streams: bool = True, logprobs: bool = True) -> None:
        self.refusals, self.streams, self.logprobs = refusals, streams, logprobs
        self.asked: list[dict[str, Any]] = []

    async def chat(self, request: Request) -> Response:
        body = json.loads(await request.body())
        self.asked.append(body)
        if self.refusals:
            return self.refusals.pop(0)
        if body.get("logprobs") and not self.logprobs:
            return JSONResponse({"error": {"message": "logprobs are not supported"}}, status_code=400)
        if not self.streams:
            message = {"role": "assistant", "content": "[1, 2]"}
            return JSONResponse({"choices": [{"message": message, "finish_reason": "length"}]})
        return StreamingResponse(self.events(told=bool(body.get("logprobs"))), media_type="text/event-stream")

    async def events(self, *, told: bool) -> AsyncIterator[str]:
        for token, cost in (("[1", -0.5), (", 2]", -0.25)):
            choice: dict[str, Any] = {"delta": {"content": token}, "finish_reason": None}
            if told:
                choice["logprobs"] = {"content": [{"token": token, "logprob": cost}]}
            yield f"data: {json.dumps({'choices': [choice]})}\n\n"
        yield 'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/v1/chat/completions", self.chat, methods=["POST"])])


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client() as one:
        yield one


def busy(status: int) -> Response:
    return JSONResponse({"error": {"message": "not now"}}, status_code=status, headers={"Retry-After": "0"})


def test_the_textbook_teacher_answers_as_it_does_to_any_client(client: httpx.Client) -> None:
    with served(create_app()) as url:
        endpoint = Endpoint(url, "textbook", client)
        said = endpoint.answer("Explain powers of 3 modulo 7.", Asking(most=500))
        again = endpoint.answer("Explain powers of 3 modulo 7.", Asking(most=500))
        assert endpoint.answer("Explain powers of 3 modulo 7.", Asking(most=3)).complete is False
    assert "modulo 7" in said.text and said.text == again.text
    assert said.complete and said.log_probability is None
    assert 0 < said.first_byte_seconds <= said.seconds
    assert endpoint.name == "textbook" and "textbook" in endpoint.fingerprint


def test_log_probabilities_are_averaged_where_they_are_told(client: httpx.Client) -> None:
    moody = Moody([])
    with served(moody.app()) as url:
        said = Endpoint(url, "m", client).answer("?", Asking(most=9, temperature=0.5, seed=4))
    assert (said.text, said.log_probability, said.complete) == ("[1, 2]", -0.375, True)
    asked = moody.asked[0]
    assert (asked["model"], asked["max_tokens"], asked["temperature"], asked["seed"]) == ("m", 9, 0.5, 4)
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]


def test_a_server_that_refuses_log_probabilities_is_asked_once_more_without(client: httpx.Client) -> None:
    moody = Moody([], logprobs=False)
    with served(moody.app()) as url:
        endpoint = Endpoint(url, "m", client, system="")
        assert endpoint.answer("?", Asking(most=9)).log_probability is None
        assert endpoint.answer("!", Asking(most=9)).text == "[1, 2]"
    assert ["logprobs" in asked for asked in moody.asked] == [True, False, False]
    assert all(len(asked["messages"]) == 1 for asked in moody.asked)


def test_a_server_that_does_not_stream_is_understood(client: httpx.Client) -> None:
    with served(Moody([], streams=False).app()) as url:
        said = Endpoint(url, "m", client).answer("?", Asking(most=9))
    assert (said.text, said.complete) == ("[1, 2]", False)


def test_what_may_pass_is_waited_for(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    with served(Moody([busy(429), busy(503), busy(500)]).app()) as url:
        assert Endpoint(url, "m", client).answer("?", Asking(most=9)).text == "[1, 2]"
    assert len(waits) == 3


def test_what_does_not_pass_is_said_after_five_tries(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    moody = Moody([busy(503) for _ in range(9)])
    with served(moody.app()) as url:
        endpoint = Endpoint(url, "m", client)
        with pytest.raises(EndpointError, match=r"503.*not now.*look at its log"):
            endpoint.answer("?", Asking(most=9))
    assert len(moody.asked) == 5
    with pytest.raises(EndpointError, match="cannot be reached"):
        endpoint.answer("?", Asking(most=9))


def test_a_wrong_key_is_not_tried_again(client: httpx.Client) -> None:
    moody = Moody([JSONResponse({"error": {"message": "bad key"}}, status_code=401)])
    with served(moody.app()) as url, pytest.raises(EndpointError, match=r"401.*bad key.*check the model and the key"):
        Endpoint(url, "m", client).answer("?", Asking(most=9))
    assert len(moody.asked) == 1


def test_what_is_no_chat_completion_is_named(client: httpx.Client) -> None:
    moody = Moody([JSONResponse({"hello": "world"})])
    with served(moody.app()) as url, pytest.raises(EndpointError, match="no chat completion"):
        Endpoint(url, "m", client).answer("?", Asking(most=9))
