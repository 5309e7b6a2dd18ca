"""Looking for a language model on this machine, by what answers and never by the port alone; it changes nothing."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from ghostd.errors import TeacherUnavailable
from ghostd.teacher.config import TeacherConfig, Timeouts
from ghostd.teacher.transport import HttpReply, Transport
from ghostd.teacher.wire import read_models

PORTS = (1234, 11434, 8000, 8080)  # the defaults of LM Studio, Ollama, vLLM and llama.cpp, in order of preference
_TIMEOUTS = Timeouts(connect_seconds=0.3, read_seconds=2.0, total_seconds=3.0)
_OK, _METHOD_NOT_ALLOWED, _SERVER_ERROR = 200, 405, 500
_OWNERS = {  # owned_by of the first model listed
    "organization_owner": "LM Studio",
    "library": "Ollama",
    "vllm": "vLLM",
    "llamacpp": "llama.cpp",
    "me": "llama-cpp-python",
    "ghostd": "ghostd",
    "sglang": "SGLang",
}


@dataclass(frozen=True, slots=True)
class Discovered:
    """An OpenAI-compatible endpoint that answered."""

    base_url: str
    product: str  # a guess, for people; 'an OpenAI-compatible server' where nothing tells
    models: tuple[str, ...]  # () where it lists none, which says nothing about what it serves


async def discover(ports: Sequence[int] = PORTS, host: str = "127.0.0.1") -> Discovered | None:
    """The first endpoint in the order of the ports; one that lists models goes before one that lists none."""
    found = [one for one in await asyncio.gather(*(_probe(host, port) for port in ports)) if one is not None]
    return next((one for one in found if one.models), found[0] if found else None)


async def _probe(host: str, port: int) -> Discovered | None:
    shown = f"[{host}]" if ":" in host else host
    transport = Transport(TeacherConfig(base_url=f"http://{shown}:{port}/v1", timeouts=_TIMEOUTS))
    try:
        listed = await transport.get("/models")
        models = read_models(listed.body) if listed.status == _OK else None
        if models is None and not await _has_chat_completions(transport, listed):
            return None
        return Discovered(transport.base_url, await _product(transport, listed), models or ())
    except TeacherUnavailable:
        return None
    finally:
        await transport.close()


async def _has_chat_completions(transport: Transport, listed: HttpReply) -> bool:
    """Whether the route exists though the models cannot be listed: it refuses a GET as one that wants a POST."""
    if listed.status != _OK and listed.status < _SERVER_ERROR:
        return False  # neither a list nor a failure to list: something else lives here
    return (await transport.get("/chat/completions")).status == _METHOD_NOT_ALLOWED


async def _product(transport: Transport, listed: HttpReply) -> str:
    """What the server is, from the owner of its models or from routes that only it has."""
    for owner, product in _OWNERS.items():
        if f'"owned_by":"{owner}"' in listed.body.replace(" ", ""):
            return product
    description = await transport.get("/openapi.json", at_root=True)
    if "/load_model" in description.body or "transformers" in description.body.lower():
        return "transformers serve"
    return "an OpenAI-compatible server"
