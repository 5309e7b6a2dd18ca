"""The textbook as an endpoint: the official client over a real port, and the wire contract of every task."""

import asyncio
import json
import socket
import threading
from contextlib import contextmanager

import httpx
import openai
import pytest
import uvicorn

from ghostd.textbook.app import create_app
from ghostd.textbook.config import TextbookConfig
from ghostd.textbook.faults import FaultKind
from ghostd.textbook.index import catalogue_summary, chapters, truth

MODULAR = "Powers of 3 modulo 7"


@contextmanager
def served(app):
    """The app on a free port of this machine; yields its base URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture(scope="module")
def base_url():
    with served(create_app()) as url:
        yield url


@pytest.fixture
def client(base_url):
    with openai.OpenAI(base_url=base_url, api_key="unused", max_retries=0) as one:
        yield one


def messages_for(kind, **payload):
    system = {"role": "system", "content": f"Task: {kind}\nAnswer with one JSON object."}
    return [system, {"role": "user", "content": f"Here it is:\n```json\n{json.dumps(payload)}\n```\n"}]


async def ask(app, kind, *, more=(), **payload):
    """The parsed answer to a task, in process."""
    body = {"model": "textbook", "messages": [*messages_for(kind, **payload), *more], "temperature": 0}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://textbook") as http:
        reply = await http.post("/v1/chat/completions", json=body)
    assert reply.status_code == 200, reply.text
    return json.loads(reply.json()["choices"][0]["message"]["content"])


def concept_named(title):
    return {"domain": "number-theory", "title": title, "statement": "", "signature": ""}


def test_the_official_client_lists_one_model(client):
    assert [model.id for model in client.models.list()] == ["textbook"]


def test_the_official_client_gets_an_answer_with_usage(client):
    reply = client.chat.completions.create(
        model="textbook",
        messages=messages_for("lesson", concept=concept_named(MODULAR)),
        response_format={"type": "json_object"},
    )
    lesson = json.loads(reply.choices[0].message.content)
    assert lesson["code"] == truth(MODULAR).code
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens > 100


def test_a_stream_carries_the_same_text_as_a_whole_answer(client):
    asked = {"model": "textbook", "messages": messages_for("exam", concept=concept_named(MODULAR)), "seed": 4}
    whole = client.chat.completions.create(**asked).choices[0].message.content
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == whole
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens > 0
    assert len(chunks) > 5


def test_a_stream_ends_with_done(base_url):
    body = {"model": "textbook", "messages": [{"role": "user", "content": "hello"}], "stream": True}
    reply = httpx.post(f"{base_url}/chat/completions", json=body, trust_env=False)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.text.endswith("data: [DONE]\n\n")


def test_another_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-9", messages=[{"role": "user", "content": "hi"}])
    assert caught.value.code == "model_not_found"
    assert "textbook" in caught.value.message


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"model": "textbook"}',
        b'{"model": "textbook", "messages": []}',
        b'{"model": "textbook", "messages": [{"role": "wizard", "content": "x"}]}',
        b'{"model": "textbook", "messages": [{"role": "user", "content": "x"}], "n": 2}',
        b'{"model": "textbook", "messages": [{"role": "system", "content": "Task: lesson"}]}',
        b'{"model": "textbook", "messages": [{"role": "system", "content": "Task: juggling"}]}',
    ],
)
def test_malformed_requests_get_an_error_object(base_url, body):
    reply = httpx.post(f"{base_url}/chat/completions", content=body, trust_env=False)
    assert reply.status_code == 400
    assert reply.json()["error"]["type"] == "invalid_request_error"
    assert reply.json()["error"]["message"]


def test_unknown_paths_get_an_error_object(base_url):
    reply = httpx.get(f"{base_url}/embeddings", trust_env=False)
    assert reply.status_code == 404
    assert reply.json()["error"]["code"] == "unknown_url"


def test_max_tokens_truncates_with_finish_reason_length(client):
    asked = {"model": "textbook", "messages": messages_for("lesson", concept=concept_named(MODULAR)), "temperature": 0}
    whole = client.chat.completions.create(**asked)
    short = client.chat.completions.create(**asked, max_tokens=20)
    assert short.choices[0].finish_reason == "length"
    assert short.usage.completion_tokens == 20
    assert whole.choices[0].message.content.startswith(short.choices[0].message.content)


def test_a_stop_sequence_ends_the_answer_before_it(client):
    asked = {"model": "textbook", "messages": messages_for("lesson", concept=concept_named(MODULAR)), "temperature": 0}
    short = client.chat.completions.create(**asked, stop=["never there", '"code"'])
    assert short.choices[0].finish_reason == "stop"
    assert short.choices[0].message.content.endswith(",")


def test_the_seed_chooses_the_paraphrase_and_repeats_itself(client):
    def explanation(**sampling):
        reply = client.chat.completions.create(
            model="textbook", messages=messages_for("lesson", concept=concept_named(MODULAR)), **sampling
        )
        return json.loads(reply.choices[0].message.content)["explanation"]

    told = [explanation(seed=seed) for seed in range(12)]
    assert told == [explanation(seed=seed) for seed in range(12)]
    assert set(told) == set(truth(MODULAR).explanations)
    assert explanation(temperature=0, seed=1) == explanation(temperature=0, seed=2) == truth(MODULAR).explanations[0]


async def test_domains_leave_out_the_known_and_put_what_fits_the_seeds_first():
    app = create_app()
    titles = [one["title"] for one in (await ask(app, "domains", seeds=["primes"], known=[], count=99))["domains"]]
    assert len(titles) == catalogue_summary().domains
    assert titles[0] == "Number theory"
    rest = (await ask(app, "domains", seeds=[], known=titles[:-1], count=5))["domains"]
    assert [one["title"] for one in rest] == titles[-1:]
    assert rest[0]["description"]


@pytest.mark.parametrize("slug", sorted(chapters()))
async def test_concepts_walk_the_whole_domain_in_steps(slug):
    app, domain = create_app(), chapters()[slug].domain
    named = {"slug": domain.slug, "title": domain.title, "description": domain.description}
    seen = []
    for _ in range(6):
        step = await ask(app, "concepts", domain=named, count=7, known_count=len(seen), known_titles=seen[-40:])
        seen += [one["title"] for one in step["concepts"]]
    assert len(set(seen)) == 42
    assert {one["parent"] for one in step["concepts"]} <= {family.title for family in chapters()[slug].families}


async def test_concepts_name_families_as_prerequisites_and_skip_known_titles():
    app = create_app()
    asked = {"domain": {"slug": "number-theory", "title": "Number theory"}, "count": 30}
    first = (await ask(app, "concepts", **asked, known_count=0, known_titles=[]))["concepts"]
    known = [one["title"] for one in first[:5]]
    again = (await ask(app, "concepts", **asked, known_count=0, known_titles=known))["concepts"]
    assert not {one["title"] for one in again} & set(known)
    assert set(first[0]) == {"title", "statement", "signature", "parent", "prerequisites"}
    order = [one["parent"] for one in first]
    for one in first:
        for before in one["prerequisites"]:
            if before in order:
                assert order.index(before) < order.index(one["parent"])


async def test_a_focus_prefers_the_family_that_it_names():
    asked = {"domain": {"slug": "number-theory", "title": "Number theory"}, "count": 9, "known_titles": []}
    concepts = (await ask(create_app(), "concepts", **asked, known_count=40, focus="Modular exponentiation"))[
        "concepts"
    ]
    assert {one["parent"] for one in concepts} == {"Modular exponentiation"}
    near = (await ask(create_app(), "concepts", **asked, known_count=0, focus=MODULAR))["concepts"]
    assert {one["parent"] for one in near} == {"Modular exponentiation"}


async def test_an_unknown_domain_has_no_concepts():
    asked = {"domain": {"slug": "heraldry", "title": "Heraldry"}, "count": 9, "known_count": 0}
    assert (await ask(create_app(), "concepts", **asked))["concepts"] == []


async def test_the_exam_of_each_family_holds_for_code_and_alternative(family):
    entry = family.build(*family.parameters[len(family.parameters) // 2])
    concept = {"domain": family.domain, "title": entry.title}
    checks = (await ask(create_app(), "exam", concept=concept))["checks"]
    assert len(checks) >= 8
    for code in (entry.code, entry.alternative):
        for check in checks:
            exec(f"{code}\n{check}", {"__name__": "exam"})


async def test_the_lesson_of_each_family_has_claims_and_solved_exercises(family):
    entry = family.build(*family.parameters[-1])
    lesson = await ask(create_app(), "lesson", concept={"domain": family.domain, "title": entry.title})
    assert set(lesson) == {"explanation", "code", "claims", "exercises"}
    assert all(set(claim) == {"text", "check"} for claim in lesson["claims"])
    namespace = {"__name__": "lesson"}
    exec(lesson["code"], namespace)
    name = entry.signature.split("(")[0].removeprefix("def ")
    for exercise in lesson["exercises"]:
        assert repr(eval(f"{name}({exercise['arguments']})", namespace)) == exercise["answer"]


async def test_an_unknown_concept_is_refused(client):
    reply = client.chat.completions.create(
        model="textbook", messages=messages_for("lesson", concept=concept_named("The colour of Tuesday"))
    )
    assert "no concept titled" in reply.choices[0].message.refusal


def test_a_free_question_is_answered_from_the_best_family(client):
    reply = client.chat.completions.create(
        model="textbook", messages=[{"role": "user", "content": "How do I compute powers of 3 modulo 7?"}]
    )
    assert reply.choices[0].message.content.startswith(MODULAR)


def test_a_question_from_outside_is_answered_honestly(client):
    reply = client.chat.completions.create(
        model="textbook", messages=[{"role": "user", "content": "Who painted the Mona Lisa?"}]
    )
    assert "I only know" in reply.choices[0].message.content


@pytest.mark.parametrize(
    ("kind", "error"), [(FaultKind.HTTP_429, openai.RateLimitError), (FaultKind.HTTP_500, openai.InternalServerError)]
)
def test_errors_of_the_wire_happen_once(kind, error):
    asked = {"model": "textbook", "messages": messages_for("lesson", concept=concept_named(MODULAR))}
    app = create_app(TextbookConfig(faults={kind: 1.0}))
    with served(app) as url, openai.OpenAI(base_url=url, api_key="unused", max_retries=0) as one:
        with pytest.raises(error) as caught:
            one.chat.completions.create(**asked)
        reply = one.chat.completions.create(**asked)
    assert json.loads(reply.choices[0].message.content)["code"] == truth(MODULAR).code
    assert (caught.value.response.headers.get("retry-after") == "1") is (kind is FaultKind.HTTP_429)


def test_the_official_client_outlasts_a_rate_limit_by_itself():
    config = TextbookConfig(faults={FaultKind.HTTP_429: 1.0}, retry_after_seconds=0)
    with served(create_app(config)) as url, openai.OpenAI(base_url=url, api_key="unused", max_retries=2) as one:
        reply = one.chat.completions.create(
            model="textbook", messages=messages_for("lesson", concept=concept_named(MODULAR))
        )
    assert reply.choices[0].finish_reason == "stop"


async def test_slow_tokens_are_slow_once():
    app = create_app(TextbookConfig(faults={FaultKind.SLOW_TOKENS: 1.0}, slow_seconds=0.3))
    clock = asyncio.get_running_loop().time
    took = []
    for _ in range(2):
        started = clock()
        await ask(app, "lesson", concept=concept_named(MODULAR))
        took.append(clock() - started)
    assert took[0] >= 0.3 > took[1]
