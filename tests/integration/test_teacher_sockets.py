"""The teacher client over real sockets: servers that vanish, stall and throttle, and finding one on this machine."""

import asyncio
import contextlib
import json
import socket

import pytest
import stamina
from aiohttp import web

from ghostd.core.concept import Concept
from ghostd.errors import TeacherUnavailable
from ghostd.teacher.client import OpenAITeacher
from ghostd.teacher.config import TeacherConfig
from ghostd.teacher.discover import discover
from ghostd.teacher.ledger import MemoryCallStore

LESSON = {
    "explanation": "It squares.",
    "code": "def square(n: int) -> int:\n    return n * n\n",
    "claims": [],
    "exercises": [],
}
ANSWER = {
    "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": json.dumps(LESSON)}}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5},
}


def concept(number=0):
    return Concept("d", f"Square {number}", "Return n * n for every integer n.", "def square(n: int) -> int")


@contextlib.asynccontextmanager
async def serving(*routes):
    """The port of a server with these routes."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def teacher_at(port, **settings):
    store = MemoryCallStore()
    config = TeacherConfig(**{"base_url": f"http://127.0.0.1:{port}", "model": "tiny", **settings})
    teacher = OpenAITeacher(config, store)
    try:
        yield teacher, store
    finally:
        await teacher.close()


def chat(handler):
    return web.post("/v1/chat/completions", handler)


def models(*entries, status=200):
    async def answer(_):
        return web.json_response({"object": "list", "data": list(entries)}, status=status)

    return web.get("/v1/models", answer)


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def good(_):
    return web.json_response(ANSWER)


async def test_a_closed_port_is_an_outage_that_names_the_address_and_the_remedy():
    port = closed_port()
    async with teacher_at(port, retries=1) as (teacher, store):
        with pytest.raises(TeacherUnavailable, match=rf"http://127\.0\.0\.1:{port}/v1 .*teacher\.base_url"):
            await teacher.start()
        with pytest.raises(TeacherUnavailable):
            await teacher.write_lesson(concept())
        assert store.rows[0].settlement.status == "failed"
        assert store.spent().total.tokens == 0


async def test_a_connection_cut_in_the_middle_of_an_answer_is_retried():
    seen = []

    async def handler(request):
        seen.append(1)
        if len(seen) == 1:
            response = web.StreamResponse(headers={"Content-Length": "5000"})
            await response.prepare(request)
            await response.write(b'{"choices": [')
            request.transport.abort()
            return response
        return web.json_response(ANSWER)

    with stamina.set_testing(True, attempts=5, cap=True):
        async with serving(chat(handler)) as port, teacher_at(port) as (teacher, store):
            assert (await teacher.write_lesson(concept())).value is not None
            assert len(seen) == 2
            assert len(store.rows) == 1


async def test_a_server_that_stalls_is_given_up_once_and_charged_for():
    seen = []

    async def handler(_):
        seen.append(1)
        await asyncio.sleep(5)

    timeouts = {"read_seconds": 0.1}
    async with serving(chat(handler)) as port, teacher_at(port, timeouts=timeouts) as (teacher, store):
        with pytest.raises(TeacherUnavailable, match=r"teacher\.timeouts\.read_seconds"):
            await teacher.write_lesson(concept())
        assert len(seen) == 1
        assert store.rows[0].settlement.completion_tokens > 0
        assert not store.rows[0].settlement.measured


async def test_a_server_that_drips_bytes_for_ever_meets_the_total_limit():
    async def handler(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.02)

    timeouts = {"read_seconds": 5.0, "total_seconds": 0.3}
    async with serving(chat(handler)) as port, teacher_at(port, timeouts=timeouts) as (teacher, _):
        started = asyncio.get_running_loop().time()
        with pytest.raises(TeacherUnavailable, match="total_seconds"):
            await teacher.write_lesson(concept())
        assert asyncio.get_running_loop().time() - started < 1.0


async def test_cancelling_a_call_hangs_up():
    entered, hung_up = asyncio.Event(), asyncio.Event()

    async def handler(_):
        entered.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            hung_up.set()
            raise

    async with serving(chat(handler)) as port, teacher_at(port) as (teacher, _):
        task = asyncio.create_task(teacher.write_lesson(concept()))
        await entered.wait()
        task.cancel()
        await asyncio.wait_for(hung_up.wait(), 2)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_proxies_from_the_environment_do_not_come_between_programs_on_one_machine(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with serving(chat(good)) as port, teacher_at(port, retries=0) as (teacher, _):
        assert (await teacher.write_lesson(concept())).value is not None


async def test_never_more_connections_than_the_ceiling():
    flying, most = 0, 0

    async def handler(_):
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0.01)
        flying -= 1
        return web.json_response(ANSWER)

    async with serving(chat(handler)) as port, teacher_at(port, concurrency=5) as (teacher, _):
        replies = await asyncio.gather(*(teacher.write_lesson(concept(number)) for number in range(60)))
    assert all(reply.value for reply in replies)
    assert most == 5


async def test_a_rate_limit_is_kept_without_losing_a_call():
    loop = asyncio.get_running_loop()
    level, at, refused = 20.0, loop.time(), 0

    async def handler(_):
        nonlocal level, at, refused
        now = loop.time()
        level, at = min(20.0, level + (now - at) * 100), now
        if level < 1:
            refused += 1
            return web.json_response({"error": {"message": "slow"}}, status=429, headers={"Retry-After": "0.2"})
        level -= 1
        await asyncio.sleep(0.05)
        return web.json_response(ANSWER)

    async with serving(chat(handler)) as port, teacher_at(port, concurrency=32) as (teacher, _):
        started = loop.time()
        replies = await asyncio.gather(*(teacher.write_lesson(concept(number)) for number in range(400)))
        elapsed = loop.time() - started
    assert all(reply.value for reply in replies)
    assert elapsed < 2.5 * (400 - 20) / 100
    assert refused < 0.1 * 400


@pytest.mark.parametrize(
    ("owner", "product"),
    [("library", "Ollama"), ("organization_owner", "LM Studio"), ("vllm", "vLLM"), ("x", "an OpenAI")],
)
async def test_a_server_is_found_by_what_it_answers(owner, product):
    async with serving(models({"id": "tiny", "owned_by": owner})) as port:
        found = await discover((closed_port(), port))
    assert found.base_url == f"http://127.0.0.1:{port}/v1"
    assert found.product.startswith(product)
    assert found.models == ("tiny",)


async def test_a_server_that_cannot_list_its_models_is_found_by_its_route():
    async with serving(models(status=500), chat(good)) as port:
        found = await discover((port,))
    assert found is not None
    assert found.models == ()


async def test_a_server_with_models_goes_before_one_without():
    async with serving(models(), chat(good)) as empty, serving(models({"id": "tiny"})) as full:
        assert (await discover((empty, full))).models == ("tiny",)
        assert (await discover((empty,))).models == ()


async def test_some_other_program_on_the_port_is_not_taken_for_a_teacher():
    async def page(_):
        return web.Response(text="<html>hello</html>", content_type="text/html")

    async with serving(web.get("/{anything:.*}", page)) as port:
        assert await discover((port,)) is None


async def test_nothing_on_any_port_is_found_out_within_a_second():
    started = asyncio.get_running_loop().time()
    assert await discover(tuple(closed_port() for _ in range(4))) is None
    assert asyncio.get_running_loop().time() - started < 1.0
