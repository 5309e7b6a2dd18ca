"""What a user of the official `openai` client does, against the endpoint on the command line; it judges nothing.

python bench/interop_openai_client.py BASE_URL MODEL < question.json > findings.json

It runs where the client is installed and ghostd is not. The question holds `messages` and `response_format`.
"""

import importlib.metadata
import json
import sys
from typing import Any

import openai

PLAIN = [{"role": "user", "content": "What are you?"}]


def error_of(client: openai.OpenAI, **request: Any) -> dict[str, Any]:
    """The exception that a request ends in."""
    try:
        client.chat.completions.create(**request)
    except openai.APIStatusError as error:
        return {"type": type(error).__name__, "status": error.status_code, "code": error.code, "param": error.param}
    return {"type": "none"}


def streamed(client: openai.OpenAI, model: str) -> dict[str, Any]:
    """The pieces of a streamed answer put together, how it ended and what was counted."""
    pieces: list[str] = []
    ends: list[str] = []
    usage: list[dict[str, Any]] = []
    options = {"include_usage": True}
    for chunk in client.chat.completions.create(model=model, messages=PLAIN, stream=True, stream_options=options):
        pieces += [choice.delta.content for choice in chunk.choices if choice.delta.content]
        ends += [choice.finish_reason for choice in chunk.choices if choice.finish_reason]
        usage += [chunk.usage.model_dump()] if chunk.usage else []
    return {"text": "".join(pieces), "pieces": len(pieces), "ends": ends, "usage": usage}


def main() -> None:
    """Ask, and print what came back."""
    base_url, model = sys.argv[1:]
    question = json.load(sys.stdin)
    client = openai.OpenAI(base_url=base_url, api_key="unused", max_retries=0, timeout=60)
    whole = client.chat.completions.create(model=model, messages=PLAIN)
    structured = client.chat.completions.create(model=model, **question)
    findings = {
        "openai": openai.__version__,
        "transport": [f"{package} {importlib.metadata.version(package)}" for package in installed_transports()],
        "models": [listed.id for listed in client.models.list()],
        "whole": {
            "text": whole.choices[0].message.content,
            "ends": whole.choices[0].finish_reason,
            "usage": whole.usage.model_dump() if whole.usage else None,
        },
        "streamed": streamed(client, model),
        "structured": {
            "text": structured.choices[0].message.content,
            "ends": structured.choices[0].finish_reason,
        },
        "wrong_model": error_of(client, model="no-such-model", messages=PLAIN),
        "no_messages": error_of(client, model=model, messages=[]),
    }
    json.dump(findings, sys.stdout)


def installed_transports() -> list[str]:
    """The HTTP libraries beside the client."""
    present = {distribution.metadata["Name"] for distribution in importlib.metadata.distributions()}
    return sorted(present & {"httpx", "httpx2", "aiohttp"})


if __name__ == "__main__":
    main()
