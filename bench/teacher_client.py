"""Requests a second, retries, rate limits and resumption of the teacher client, beside bare clients, on a mock server.

    python bench/teacher_client.py [--rows lat0,lat200,...] [--clients ghostd,aiohttp,...] [--repetitions 1]

Every client sends the same bodies (a lesson's prompt and schema, about 6 kB) and reads the same answers (about 200
tokens) from `mock_llm.py` in a process of its own on the same machine. A row counts only if its gate holds: for ghostd
all answers are there and right, none is lost, none is repeated without need. Prints a table and one line of JSON.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.file_call_store import FileCallStore
from ghostd.core.concept import Concept
from ghostd.teacher import questions, wire
from ghostd.teacher.client import OpenAITeacher
from ghostd.teacher.config import TeacherConfig
from ghostd.teacher.ledger import MemoryCallStore

HERE = Path(__file__).resolve().parent
MODES: dict[str, dict[str, float]] = {
    "lat0": {},
    "lat200": {"latency": 0.2},
    "err5": {"latency": 0.2, "errors": 0.05},
    "rate50": {"latency": 0.2, "rate": 50},
    "kill": {"latency": 0.2},
}
IN_FLIGHT = {"lat0": 64}  # 32 elsewhere
CALLS = {"lat0": 4000}  # 1000 elsewhere
BARE_ROWS = {"lat0", "lat200"}  # a bare client retries nothing: its other rows only count what it loses
STEADY_AFTER_SECONDS = 5.0  # of a rate-limited run
GOALS = {
    "lat0": "goal >= 2000 req/s",
    "lat200": "goal <= 6.6 s",
    "err5": "goal <= 7.5 s, none lost",
    "rate50": "goal <= 20.5 s, none lost, < 2 % 429",
    "kill": "goal: only what was in flight is sent again",
}


def concept(number: int) -> Concept:
    """One of many different concepts; the mock counts them by this number."""
    return Concept("bench", f"item #{number}", "Return n * n for every integer n.", "def item(n: int) -> int")


async def run_ghostd(config: TeacherConfig, calls: int, store_path: str) -> int:
    """The teacher client, whole: limiter, ledger, validation. Returns how many lessons came back right."""
    store = MemoryCallStore()
    if store_path:
        store = FileCallStore(Path(store_path))
        await store.replay()
    teacher = OpenAITeacher(config, store)
    await teacher.start()
    replies = await asyncio.gather(*(teacher.write_lesson(concept(number)) for number in range(calls)))
    await teacher.close()
    return sum(reply.value is not None and "return n * n" in reply.value.code for reply in replies)


async def run_bare(client: str, config: TeacherConfig, calls: int) -> int:
    """A client as it comes, behind a semaphore. Returns how many lessons came back right."""
    gate = asyncio.Semaphore(config.concurrency)
    async with contextlib.AsyncExitStack() as stack:
        send = await SENDERS[client](config, stack)

        async def one(number: int) -> bool:
            question = questions.lesson(concept(number))
            before, after = wire.body_around(question, "mock", config, wire.Dialect())
            async with gate:
                try:
                    text = await send(f"{before}{question.encoded()}{after}")
                except FAILURES[client]():
                    return False
            return "return n * n" in json.loads(text)["code"]

        return sum(await asyncio.gather(*(one(number) for number in range(calls))))


async def aiohttp_sender(config: TeacherConfig, stack: contextlib.AsyncExitStack) -> Callable[[str], Awaitable[str]]:
    """Bare aiohttp."""
    import aiohttp

    session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))

    async def send(body: str) -> str:
        headers = {"Content-Type": "application/json"}
        async with session.post(f"{config.base_url}/chat/completions", data=body.encode(), headers=headers) as response:
            response.raise_for_status()
            return str((await response.json())["choices"][0]["message"]["content"])

    return send


async def httpx_sender(config: TeacherConfig, stack: contextlib.AsyncExitStack) -> Callable[[str], Awaitable[str]]:
    """Bare httpx on its own transport."""
    import httpx

    limits = httpx.Limits(max_connections=config.concurrency)
    client = await stack.enter_async_context(httpx.AsyncClient(timeout=60, limits=limits))

    async def send(body: str) -> str:
        headers = {"Content-Type": "application/json"}
        response = await client.post(f"{config.base_url}/chat/completions", content=body, headers=headers)
        response.raise_for_status()
        return str(response.json()["choices"][0]["message"]["content"])

    return send


async def openai_sender(config: TeacherConfig, stack: contextlib.AsyncExitStack) -> Callable[[str], Awaitable[str]]:
    """The official client with its defaults, two retries among them."""
    from openai import AsyncOpenAI

    client = await stack.enter_async_context(AsyncOpenAI(base_url=config.base_url, api_key="none"))

    async def send(body: str) -> str:
        response = await client.chat.completions.create(**json.loads(body))
        return str(response.choices[0].message.content)

    return send


def aiohttp_failures() -> type[Exception]:
    """What aiohttp raises for a bad status."""
    import aiohttp

    return aiohttp.ClientError


def httpx_failures() -> type[Exception]:
    """What httpx raises for a bad status."""
    import httpx

    return httpx.HTTPError


def openai_failures() -> type[Exception]:
    """What the official client raises once its retries are spent."""
    import openai

    return openai.OpenAIError


SENDERS = {"aiohttp": aiohttp_sender, "httpx": httpx_sender, "openai": openai_sender}
FAILURES = {"aiohttp": aiohttp_failures, "httpx": httpx_failures, "openai": openai_failures}


def run_one(arguments: argparse.Namespace) -> None:
    """The child process: one client, one run; prints its seconds and how many answers were right."""
    config = TeacherConfig(base_url=arguments.base_url, concurrency=arguments.in_flight, max_tokens=512)
    started = time.perf_counter()
    if arguments.one == "ghostd":
        right = asyncio.run(run_ghostd(config, arguments.calls, arguments.store))
    else:
        right = asyncio.run(run_bare(arguments.one, config, arguments.calls))
    print(json.dumps({"seconds": time.perf_counter() - started, "right": right}))


class Server:
    """The mock in its own process."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.root = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen([sys.executable, str(HERE / "mock_llm.py"), str(port)])
        for _ in range(100):
            with contextlib.suppress(OSError):
                self.counters()
                return
            time.sleep(0.05)
        raise SystemExit("the mock server did not start")

    def set_mode(self, mode: dict[str, float]) -> None:
        """Latency, errors and rate; forgets what was counted."""
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.root}/control", json.dumps(mode).encode(), headers)
        urllib.request.urlopen(request, timeout=10).close()

    def counters(self) -> dict[str, Any]:
        """What the mock has seen."""
        with urllib.request.urlopen(f"{self.root}/counters", timeout=10) as response:
            counters: dict[str, Any] = json.load(response)
            return counters


def child(client: str, row: str, server: Server, store: str = "") -> subprocess.Popen[str]:
    """Start one run."""
    command = [sys.executable, str(HERE / "teacher_client.py"), "--one", client, "--base-url", f"{server.root}/v1"]
    command += ["--calls", str(CALLS.get(row, 1000)), "--in-flight", str(IN_FLIGHT.get(row, 32)), "--store", store]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def result_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The run's last line."""
    output, _ = process.communicate(timeout=300)
    if process.returncode != 0:
        raise SystemExit(f"a run failed with exit code {process.returncode}; run it with --one to see why")
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


def measure(client: str, row: str, server: Server) -> dict[str, Any]:
    """One row of the table."""
    calls = CALLS.get(row, 1000)
    server.set_mode(MODES[row])
    sent_before_kill = None
    if row == "kill":
        with tempfile.TemporaryDirectory() as folder:
            store = str(Path(folder) / "calls.jsonl")
            process = child(client, row, server, store)
            while server.counters()["requests"] < calls // 2 and process.poll() is None:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            sent_before_kill = server.counters()["requests"]
            result = result_of(child(client, row, server, store))
    else:
        result = result_of(child(client, row, server))
    seen = server.counters()
    steady = [at for at in seen["refused_at"] if at > STEADY_AFTER_SECONDS]
    return {
        "client": client,
        "row": row,
        "calls": calls,
        "in_flight": IN_FLIGHT.get(row, 32),
        "seconds": round(result["seconds"], 3),
        "per_second": round(calls / result["seconds"], 1),
        "lost": calls - result["right"],
        "sent_again": seen["sent_again"],
        "refused": len(seen["refused_at"]),
        "refused_steady_percent": round(100 * len(steady) / max(1, seen["requests"]), 2),
        "sent_before_kill": sent_before_kill,
        "load": round(os.getloadavg()[0], 2),
    }


def gate(result: dict[str, Any]) -> str:
    """Why a row of ghostd's does not count; '' when it does. Speed is a goal, not a gate."""
    if result["lost"]:
        return f"{result['lost']} answers lost"
    if result["row"] in BARE_ROWS and result["sent_again"]:
        return f"{result['sent_again']} calls sent twice"
    if result["row"] == "kill" and result["sent_again"] > result["in_flight"]:
        return f"{result['sent_again']} calls sent again after the kill"
    return ""


def median(results: list[dict[str, Any]]) -> dict[str, Any]:
    """The run with the middle time."""
    return sorted(results, key=lambda one: one["seconds"])[(len(results) - 1) // 2]


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """The mock, ended with the block."""
    server = Server()
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def main() -> None:
    """Run the rows and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(MODES))
    parser.add_argument("--clients", default="ghostd,aiohttp,httpx,openai")
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    parser.add_argument("--base-url", default="", help=argparse.SUPPRESS)
    parser.add_argument("--calls", type=int, default=1000, help=argparse.SUPPRESS)
    parser.add_argument("--in-flight", type=int, default=32, help=argparse.SUPPRESS)
    parser.add_argument("--store", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        run_one(arguments)
        return
    results, failed = [], []
    print(
        f"{'row':7} {'client':8} {'seconds':>8} {'req/s':>8} {'lost':>5} {'again':>6} "
        f"{'429':>5} {'steady':>7} {'load':>5}"
    )
    with serving() as server:
        for row in arguments.rows.split(","):
            for client in arguments.clients.split(","):
                if client != "ghostd" and row == "kill":
                    continue  # they keep nothing: all would be sent again
                runs = [measure(client, row, server) for _ in range(arguments.repetitions)]
                result = median(runs)
                result["all_seconds"] = [one["seconds"] for one in runs]
                result["spread"] = round(statistics.pstdev(result["all_seconds"]), 3)
                results.append(result)
                wrong = next(filter(None, map(gate, runs)), "") if client == "ghostd" else ""
                if wrong:
                    failed.append(f"{row}: {wrong}")
                print(
                    f"{row:7} {client:8} {result['seconds']:8.2f} {result['per_second']:8.0f} {result['lost']:5} "
                    f"{result['sent_again']:6} {result['refused']:5} {result['refused_steady_percent']:6.2f}% "
                    f"{result['load']:5.2f}  {wrong or (GOALS[row] if client == 'ghostd' else '')}",
                    flush=True,
                )
    print(json.dumps({"benchmark": "teacher_client", "gate": failed or "held", "results": results}))
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
