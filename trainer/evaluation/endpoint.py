"""Any OpenAI-compatible endpoint as a candidate, over httpx with streaming; it keeps no key and logs none."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from trainer.errors import EndpointError
from trainer.evaluation.candidate import Answer, Asking
from trainer.evaluation.questions import Suite

SYSTEM: Final = (
    "Answer with the value alone, written as a Python literal. Answer a true-or-false question with True or False. "
    "Where code is asked for, reply with the code alone."
)
_TRIES: Final = 5
_LONGEST_WAIT_SECONDS: Final = 30.0
_TRANSIENT: Final = frozenset({408, 409, 429, 500, 502, 503, 504})
_DATA: Final = "data:"
_BAD_REQUEST: Final = 400


@dataclass(slots=True)
class Endpoint:
    """See Candidate; log-probabilities are asked for until the endpoint refuses to give them."""

    base_url: str  # such as http://127.0.0.1:8099/v1
    model: str
    client: httpx.Client
    system: str = SYSTEM  # said before each question; '' for nothing
    parallel: int = 1
    studied: frozenset[Suite] = frozenset()  # nobody knows
    _extras: dict[str, Any] = field(default_factory=lambda: {"logprobs": True})

    @property
    def name(self) -> str:
        """See Candidate."""
        return self.model

    @property
    def fingerprint(self) -> str:
        """See Candidate."""
        return json.dumps([self.base_url, self.model, self.system])

    def answer(self, question: str, asking: Asking) -> Answer:
        """See Candidate. Waits and asks again, at most five times, while the endpoint is busy or out of order."""
        for tried in range(1, _TRIES + 1):
            try:
                return self._ask(question, asking)
            except _BusyError as busy:
                if tried == _TRIES:
                    raise EndpointError(f"{self.base_url} {busy}; look at its log, or ask it later.") from busy
                time.sleep(min(_LONGEST_WAIT_SECONDS, busy.wait_seconds or 0.5 * 2**tried))
        raise AssertionError("the last try returns or raises")

    def nats(self, question: str, answer: str) -> None:
        """See Candidate: endpoints do not say."""

    def _ask(self, question: str, asking: Asking) -> Answer:
        """Raises _BusyError for what may pass, and EndpointError for what will not."""
        messages = [{"role": "system", "content": self.system}] if self.system else []
        body = {
            "model": self.model,
            "messages": [*messages, {"role": "user", "content": question}],
            "max_tokens": asking.most,
            "temperature": asking.temperature,
            "seed": asking.seed,
            "stream": True,
            **self._extras,
        }
        began = time.perf_counter()
        try:
            with self.client.stream("POST", f"{self.base_url}/chat/completions", json=body) as response:
                if response.status_code == _BAD_REQUEST and self._extras:
                    self._extras = {}
                    raise _BusyError("refuses log-probabilities", wait_seconds=0.01)
                self._check(response)
                return _read(response, began)
        except httpx.TransportError as error:
            raise _BusyError(f"cannot be reached ({error!r})") from error

    def _check(self, response: httpx.Response) -> None:
        if response.is_success:
            return
        said = response.read().decode(errors="replace")[:200]
        if response.status_code in _TRANSIENT:
            wait = response.headers.get("Retry-After", "")
            raise _BusyError(
                f"answers {response.status_code} {said}", wait_seconds=float(wait) if wait.isdigit() else None
            )
        raise EndpointError(f"{self.base_url} answers {response.status_code} ({said}); check the model and the key.")


class _BusyError(Exception):
    """It may answer when it is asked again."""

    def __init__(self, said: str, wait_seconds: float | None = None) -> None:
        super().__init__(said)
        self.wait_seconds = wait_seconds


def _read(response: httpx.Response, began: float) -> Answer:
    """The whole answer from its events. Raises EndpointError when an event is not as OpenAI's interface says."""
    pieces: list[str] = []
    costs: list[float] = []
    first: float | None = None
    finish: str | None = None
    try:
        for event in _events(response):
            for choice in event.get("choices", []):
                piece = choice.get("delta", {}).get("content") or ""
                pieces.append(piece)
                first = time.perf_counter() - began if piece and first is None else first
                finish = choice.get("finish_reason") or finish
                told = (choice.get("logprobs") or {}).get("content") or []
                costs += [float(token["logprob"]) for token in told]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EndpointError(
            f"{response.url} sends no chat completion ({error!r}); name an OpenAI-compatible base URL."
        ) from error
    mean = sum(costs) / len(costs) if costs else None
    return Answer("".join(pieces), mean, first, time.perf_counter() - began, complete=finish != "length")


def _events(response: httpx.Response) -> Iterator[dict[str, Any]]:
    """The objects of a stream of server-sent events, or the one object of a server that does not stream."""
    if "json" in response.headers.get("Content-Type", ""):
        whole = json.loads(response.read())
        yield {"choices": [{**choice, "delta": choice["message"]} for choice in whole["choices"]]}
        return
    for line in response.iter_lines():
        text = line[len(_DATA) :].strip()
        if line.startswith(_DATA) and text != "[DONE]":
            yield json.loads(text)
