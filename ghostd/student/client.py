"""A student that is served for a while by the trainer's server, and asked over its OpenAI-compatible interface."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ghostd.core.answering import Said
from ghostd.errors import TrainingFailed
from ghostd.student.child import command, dying_with_parent, environment, last_words

_START_SECONDS = 60.0
_LOOK_SECONDS = 0.05
_ANSWER_SECONDS = 120.0


class _Lenient(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Token(_Lenient):
    logprob: float


class _Logprobs(_Lenient):
    content: list[_Token] | None = None


class _Message(_Lenient):
    content: str | None


class _Choice(_Lenient):
    message: _Message
    logprobs: _Logprobs | None = None


class _Completion(_Lenient):
    choices: list[_Choice] = Field(min_length=1)


class ServedStudent:
    """One student behind its server."""

    def __init__(self, client: httpx.AsyncClient, model: str) -> None:
        self._client = client
        self._model = model

    async def ask(
        self, question: str, *, most: int = 320, temperature: float = 0.0, seed: int = 0, choices: int = 1
    ) -> list[Said]:
        """So many answers, each of `most` bytes at most. Raises TrainingFailed when the server gives none."""
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": question}],
            "max_tokens": most,
            "temperature": temperature,
            "seed": seed,
            "n": choices,
            "logprobs": True,
        }
        try:
            found = _Completion.model_validate_json(await self._post("chat/completions", body))
        except ValidationError as error:
            raise TrainingFailed(f"The student's server answers what is no completion ({error}).") from error
        return [_said(choice) for choice in found.choices]

    async def _post(self, path: str, body: dict[str, Any]) -> bytes:
        try:
            answer = await self._client.post(path, json=body)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise TrainingFailed(f"The student's server gives no answer ({error!r}).") from error
        return answer.content


def _said(choice: _Choice) -> Said:
    tokens = (choice.logprobs.content if choice.logprobs else None) or []
    return Said(choice.message.content or "", sum(token.logprob for token in tokens) / len(tokens) if tokens else None)


@asynccontextmanager
async def served(folder: Path, threads: int) -> AsyncIterator[ServedStudent]:
    """The student in the run's folder, served on a free port of this machine alone for as long.

    Raises TrainingFailed when the server does not come up; its log is `serve.log` in the folder.
    """
    port, log = _free_port(), folder / "serve.log"
    with log.open("wb") as stream:
        process = await asyncio.create_subprocess_exec(
            *command("serve", folder, "--port", str(port), "--weights", "float32"),  # as the exam is taken
            stdout=stream,
            stderr=stream,
            env=environment(threads),
            start_new_session=True,
            preexec_fn=dying_with_parent(0),
        )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/v1/", timeout=_ANSWER_SECONDS) as client:
            await _up(client, process, log)
            yield ServedStudent(client, folder.name)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)  # it keeps nothing that would have to be saved
        await process.wait()


async def _up(client: httpx.AsyncClient, process: asyncio.subprocess.Process, log: Path) -> None:
    try:
        async with asyncio.timeout(_START_SECONDS):
            while process.returncode is None:
                try:
                    if (await client.get("models")).is_success:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError as error:
        raise TrainingFailed(f"The student's server did not come up within {_START_SECONDS:g} s; see {log}.") from error
    raise TrainingFailed(f"The student's server ended: {last_words(log)}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
