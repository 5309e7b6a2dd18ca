"""A mock chat completions server for the teacher benchmarks: latency, errors and a rate limit on request, and counters.

    python bench/mock_llm.py PORT
    POST /control {"latency": 0.2, "rate": 50, "errors": 0.05}   sets the mode and clears the counters
    GET /counters                                                what was seen since

`rate` is a token bucket that holds one second's worth; above it the answer is 429 with Retry-After: 1, at once.
`errors` is the share of 500s, from a seeded generator, so that every client meets the same sequence.
"""

import asyncio
import json
import random
import re
import sys
import time
from collections import Counter

from aiohttp import web

LESSON = {
    "explanation": " ".join(f"word{number:03d}" for number in range(70)),
    "code": "def item(n: int) -> int:\n    return n * n\n",
    "claims": [{"text": "It squares.", "check": "item(3) == 9"}],
    "exercises": [{"question": "What is item(4)?", "arguments": "4", "answer": "16"}],
}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "mock",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": json.dumps(LESSON)}}],
    "usage": {"prompt_tokens": 900, "completion_tokens": 200, "total_tokens": 1100},
}
BODY = json.dumps(COMPLETION).encode()
_ITEM = re.compile(r"item #(\d+)")


class Mock:
    """The server's mode and counters."""

    def __init__(self) -> None:
        self.reset(latency=0.0, rate=0.0, errors=0.0)

    def reset(self, latency: float = 0.0, rate: float = 0.0, errors: float = 0.0) -> None:
        """Set the mode; forget what was counted."""
        self.latency, self.rate, self.errors = latency, rate, errors
        self.random = random.Random(7)
        self.bucket, self.bucket_at = rate, time.monotonic()
        self.received: Counter[int] = Counter()  # requests by item
        self.statuses: Counter[int] = Counter()
        self.refused_at: list[float] = []  # seconds since the first request
        self.first: float | None = None
        self.in_flight = self.most_in_flight = 0

    async def chat(self, request: web.Request) -> web.Response:
        """POST /v1/chat/completions."""
        body = await request.json()
        now = time.monotonic()
        self.first = self.first if self.first is not None else now
        found = _ITEM.search(body["messages"][1]["content"])
        self.received[int(found.group(1)) if found else -1] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.rate:
                self.bucket = min(self.rate, self.bucket + (now - self.bucket_at) * self.rate)
                self.bucket_at = now
                if self.bucket < 1:
                    self.refused_at.append(now - self.first)
                    return self._error(429, "Rate limit reached", {"Retry-After": "1"})
                self.bucket -= 1
            if self.latency:
                await asyncio.sleep(self.latency)
            if self.errors and self.random.random() < self.errors:
                return self._error(500, "The server had an error", {})
            self.statuses[200] += 1
            return web.Response(body=BODY, content_type="application/json")
        finally:
            self.in_flight -= 1

    def _error(self, status: int, message: str, headers: dict[str, str]) -> web.Response:
        self.statuses[status] += 1
        return web.json_response({"error": {"message": message}}, status=status, headers=headers)

    async def models(self, _: web.Request) -> web.Response:
        """GET /v1/models."""
        return web.json_response({"object": "list", "data": [{"id": "mock", "object": "model", "owned_by": "mock"}]})

    async def control(self, request: web.Request) -> web.Response:
        """POST /control."""
        self.reset(**await request.json())
        return web.json_response({})

    async def counters(self, _: web.Request) -> web.Response:
        """GET /counters."""
        return web.json_response(
            {
                "requests": self.received.total(),
                "items": len(self.received),
                "sent_again": self.received.total() - len(self.received),
                "statuses": self.statuses,
                "refused_at": self.refused_at,
                "most_in_flight": self.most_in_flight,
            }
        )


def main() -> None:
    """Serve until killed."""
    mock = Mock()
    app = web.Application(client_max_size=64 << 20)
    app.add_routes(
        [
            web.post("/v1/chat/completions", mock.chat),
            web.get("/v1/models", mock.models),
            web.post("/control", mock.control),
            web.get("/counters", mock.counters),
        ]
    )
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)


if __name__ == "__main__":
    main()
