"""The official client against the server over real sockets: texts, streams, scores, states, refusals."""

import socket
import threading
import time
from collections.abc import Iterator

import httpx
import numpy as np
import openai
import pytest
import torch
import uvicorn

from tests.unit.trainer.decode.models import model_of
from trainer.bytes import BOUNDARY
from trainer.decode.eager import EagerDecoder
from trainer.generate import Reader, Writer, prompt_ids
from trainer.sampling import Sampler, Sampling, log_probabilities
from trainer.serve.app import create_app
from trainer.serve.server import Draft, desk_of, listen

MODEL = model_of(mixers=("mamba",), width=32, head_width=16, layers=2, states=4)
with torch.no_grad():
    MODEL.head.weight[BOUNDARY] = 0  # some byte is always likelier than the end
NAME = "tiny"


class Running:
    """A server on a port of its own, in a thread."""

    def __init__(self, folder, draft: Draft = "none", active: int = 4, waiting: int = 4) -> None:
        self.desk = desk_of(MODEL, folder, weights="float32", draft=draft)
        self.socket: socket.socket = listen("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        app = create_app(self.desk, NAME, active=active, waiting=waiting)
        self.server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]})
        self.thread.start()

    def health(self) -> dict:
        return httpx.get(f"{self.url}/health").json()

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()
        self.socket.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    server = Running(tmp_path_factory.mktemp("states"))
    yield server
    server.stop()


@pytest.fixture
def client(running: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0) as made:
        yield made


def written(prompt: bytes, *, chat: bool = False, most: int = 16, temperature: float = 1.0, seed: int = 7) -> str:
    reader = Reader.of(EagerDecoder(MODEL), prompt_ids(prompt, chat=chat))
    tokens = Writer(reader, most=most, sampler=Sampler(Sampling(temperature), seed)).tokens()
    return bytes(token.byte for token in tokens).decode(errors="replace")


def test_the_model_is_listed_under_its_name(client: openai.OpenAI, running: Running) -> None:
    assert [model.id for model in client.models.list()] == [NAME]
    assert client.models.retrieve(NAME).owned_by == "trainer"
    assert running.health()["status"] == "ok"


def test_a_completion_says_what_the_model_says_with_that_seed(client: openai.OpenAI) -> None:
    done = client.completions.create(model=NAME, prompt="hello", seed=7, max_tokens=20)
    assert done.choices[0].text == written(b"hello", most=20)
    assert (done.usage.prompt_tokens, done.usage.completion_tokens) == (6, 20)
    assert done.choices[0].finish_reason == "length"


def test_a_conversation_is_answered_and_streamed_alike(client: openai.OpenAI) -> None:
    messages = [{"role": "user", "content": "hé?"}]
    whole = client.chat.completions.create(model=NAME, messages=messages, seed=3, max_completion_tokens=40)
    expected = written("hé?".encode(), chat=True, most=40, seed=3)
    assert whole.choices[0].message.content == expected
    stream = client.chat.completions.create(
        model=NAME,
        messages=[{"role": "user", "content": [{"type": "text", "text": "hé?"}]}],
        seed=3,
        max_tokens=40,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == expected
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == whole.choices[0].finish_reason
    assert chunks[-1].usage == whole.usage


def test_several_prompts_with_several_choices_each_have_their_own_place(client: openai.OpenAI) -> None:
    done = client.completions.create(model=NAME, prompt=["a", "b"], n=2, seed=1, max_tokens=8)
    assert [choice.index for choice in done.choices] == [0, 1, 2, 3]
    assert [choice.text for choice in done.choices] == [
        written(prompt, most=8, seed=1 + index) for index, prompt in enumerate([b"a", b"a", b"b", b"b"])
    ]
    pieces: dict[int, str] = {}
    for chunk in client.completions.create(model=NAME, prompt=["a", "b"], n=2, seed=1, max_tokens=8, stream=True):
        pieces[chunk.choices[0].index] = pieces.get(chunk.choices[0].index, "") + chunk.choices[0].text
    assert [pieces[index] for index in range(4)] == [choice.text for choice in done.choices]


def test_an_echo_has_the_scores_of_every_id_of_the_prompt(client: openai.OpenAI) -> None:
    ids = [BOUNDARY, *b"the cat \xff"]
    done = client.completions.create(model=NAME, prompt=ids, echo=True, logprobs=2, max_tokens=1, temperature=0)
    scores = done.choices[0].logprobs
    decoder = EagerDecoder(MODEL)
    expected = log_probabilities(decoder.read(decoder.begin(), np.array(ids)))
    assert scores.token_logprobs[0] is None
    found = scores.token_logprobs[1 : len(ids)]
    assert found == pytest.approx([expected[at, each] for at, each in enumerate(ids[1:])], abs=1e-4)
    assert len(scores.token_logprobs) == len(ids) + 1
    assert scores.tokens[:3] == ["", "t", "h"]
    assert scores.tokens[len(ids) - 1] == "bytes:\\xff"
    assert [max(top.values()) for top in scores.top_logprobs[1:]] == pytest.approx(expected.max(1).tolist(), abs=1e-4)
    plain = client.completions.create(model=NAME, prompt="the cat ", echo=True, logprobs=0, max_tokens=1)
    assert plain.choices[0].logprobs.token_logprobs[:8] == pytest.approx(found[:8])
    assert plain.choices[0].text.startswith("the cat ")


def test_a_chat_s_scores_name_the_bytes(client: openai.OpenAI) -> None:
    messages = [{"role": "user", "content": "x"}]
    done = client.chat.completions.create(
        model=NAME, messages=messages, seed=1, max_tokens=5, logprobs=True, top_logprobs=3
    )
    entries = done.choices[0].logprobs.content
    assert bytes(entry.bytes[0] for entry in entries).decode(errors="replace") == done.choices[0].message.content
    assert all(len(entry.top_logprobs) == 3 and entry.logprob <= entry.top_logprobs[0].logprob for entry in entries)


def test_it_ends_before_a_stop(client: openai.OpenAI) -> None:
    whole = client.completions.create(model=NAME, prompt="q", seed=11, max_tokens=60).choices[0].text
    stop = next(whole[at : at + 2] for at in range(10, 50) if whole[at : at + 2].isascii())
    done = client.completions.create(model=NAME, prompt="q", seed=11, max_tokens=60, stop=["never?", stop])
    assert done.choices[0].text == whole[: whole.index(stop)]
    assert done.choices[0].finish_reason == "stop"


def test_a_saved_state_is_gone_on_from_as_often_as_wanted_even_by_another_server(
    client: openai.OpenAI, running: Running
) -> None:
    first = client.completions.create(
        model=NAME, prompt="abc", temperature=0, max_tokens=9, extra_body={"save_state": True}
    )
    state, text = first.model_extra["state_id"], first.choices[0].text
    whole = client.completions.create(
        model=NAME, prompt=[BOUNDARY, *b"abc", *first_bytes(b"abc", 9), *b"def"], temperature=0, max_tokens=12
    )
    other = Running(running.desk.states._folder)
    try:
        for url in (running.url, running.url, other.url):
            body = {"model": NAME, "prompt": "def", "temperature": 0, "max_tokens": 12, "state_id": state}
            done = httpx.post(f"{url}/v1/completions", json=body).json()
            assert done["choices"][0]["text"] == whole.choices[0].text, text
    finally:
        other.stop()
    assert state in {each["id"] for each in httpx.get(f"{running.url}/v1/states").json()["data"]}
    assert httpx.delete(f"{running.url}/v1/states/{state}").json()["deleted"] is True
    with pytest.raises(openai.NotFoundError, match="There is no state"):
        client.completions.create(model=NAME, prompt="x", extra_body={"state_id": state})
    with pytest.raises(openai.NotFoundError, match="There is no state"):
        client.completions.create(model=NAME, prompt="x", extra_body={"state_id": "../../etc/passwd"})


def first_bytes(prompt: bytes, most: int) -> list[int]:
    reader = Reader.of(EagerDecoder(MODEL), prompt_ids(prompt, chat=False))
    return [token.byte for token in Writer(reader, most=most, sampler=Sampler(Sampling(0), 0)).tokens()]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"temperature": 9}, "temperature must lie between 0 and 2"),
        ({"temperature": "warm"}, "temperature must be a number"),
        ({"prompt": [999]}, "whole numbers from 0 to 263"),
        ({"prompt": {}}, "prompt must be a text"),
        ({"n": 0}, "n must lie between 1"),
        ({"stop": 3}, "stop must be a text"),
        ({"logit_bias": {"3": 1}}, "logit_bias is not served"),
        ({"logprobs": 99}, "from 0 to 20"),
        ({"echo": True, "suffix": "x"}, "cannot be had with suffix"),
        ({"n": 2, "save_state": True}, "save_state needs one prompt"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_openai_s_form(client: openai.OpenAI, body: dict, message: str) -> None:
    with pytest.raises(openai.BadRequestError, match=message) as refused:
        client.completions.create(model=NAME, prompt="x", extra_body=body)
    assert refused.value.type == "invalid_request_error"


def test_unknown_models_and_paths_are_named(client: openai.OpenAI, running: Running) -> None:
    with pytest.raises(openai.NotFoundError, match="this server has 'tiny'") as refused:
        client.completions.create(model="gpt", prompt="x")
    assert refused.value.code == "model_not_found"
    assert httpx.get(f"{running.url}/v2").json()["error"]["code"] == "unknown_url"
    assert httpx.post(f"{running.url}/v1/completions", content=b"{").json()["error"]["message"].startswith("The body")
    with pytest.raises(openai.BadRequestError, match="role must be one of"):
        client.chat.completions.create(model=NAME, messages=[{"role": "tool", "content": "x", "tool_call_id": "1"}])


def test_requests_that_come_together_take_turns_and_get_what_they_would_alone(running: Running) -> None:
    bodies = [{"model": NAME, "prompt": "x" * size, "max_tokens": 150, "seed": size} for size in (1, 2, 3, 4)]
    texts: dict[int, str] = {}

    def ask(index: int) -> None:
        done = httpx.post(f"{running.url}/v1/completions", json=bodies[index], timeout=60).json()
        texts[index] = done["choices"][0]["text"]

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [texts[index] for index in range(4)] == [written(b"x" * size, most=150, seed=size) for size in (1, 2, 3, 4)]


def give_up(url: str, body: dict[str, object]) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(url, json={**body, "stream": False}, timeout=httpx.Timeout(60, read=2))


def wait_for_requests(server: Running, count: int) -> None:
    until = time.monotonic() + 60
    while server.health()["requests"] != count and time.monotonic() < until:
        time.sleep(0.05)
    assert server.health()["requests"] == count


def test_when_the_client_goes_away_the_work_ends_and_when_too_many_wait_the_next_is_refused(tmp_path) -> None:
    server = Running(tmp_path, active=1, waiting=1)
    endless = {"model": NAME, "prompt": "x", "max_tokens": 10**8, "temperature": 0, "stream": True}
    try:
        with httpx.Client(timeout=60) as client:
            with client.stream("POST", f"{server.url}/v1/completions", json=endless) as streamed:
                lines = streamed.iter_lines()  # by name: were it collected, httpx would hang up
                next(lines)
                waiting = threading.Thread(target=give_up, args=(f"{server.url}/v1/completions", endless))
                waiting.start()
                wait_for_requests(server, 2)
                refused = client.post(f"{server.url}/v1/completions", json=endless)
                assert (refused.status_code, refused.json()["error"]["type"]) == (429, "requests")
                waiting.join()
                wait_for_requests(server, 1)  # who hangs up while waiting leaves the queue
            wait_for_requests(server, 0)
            short = {"model": NAME, "prompt": "x", "max_tokens": 3}
            assert client.post(f"{server.url}/v1/completions", json=short).status_code == 200
    finally:
        server.stop()


def test_ids_and_texts_are_exchanged_as_evaluation_harnesses_ask(running: Running) -> None:
    info = httpx.get(f"{running.url}/tokenizer_info").json()
    ask = {"prompt": f"é{info['eos_token']}x", "add_special_tokens": False}
    tokens = httpx.post(f"{running.url}/tokenize", json=ask).json()["tokens"]
    assert tokens == [*"é".encode(), BOUNDARY, ord("x")]
    assert httpx.post(f"{running.url}/detokenize", json={"tokens": tokens}).json()["prompt"] == ask["prompt"]
    assert httpx.post(f"{running.url}/tokenize", json={}).status_code == 400


def test_guessing_ahead_changes_nothing_that_a_client_sees(client: openai.OpenAI, tmp_path) -> None:
    guessing = Running(tmp_path, draft="lookup")
    try:
        body = {"model": NAME, "prompt": "abcabcabc" * 5, "max_tokens": 80, "seed": 5, "temperature": 0.4}
        found = httpx.post(f"{guessing.url}/v1/completions", json=body).json()["choices"][0]["text"]
        assert found == client.completions.create(**body).choices[0].text
    finally:
        guessing.stop()
