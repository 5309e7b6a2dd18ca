"""Interoperability with servers that others wrote: the real teacher client against `transformers serve`, offline.

    python bench/interop.py [--work DIR]

A virtual environment with torch and transformers is made in DIR (kept for the next time), and in it, on the spot, a
tiny Llama with random weights and a byte-level tokenizer. Its answers are noise: every one must be rejected with a
reason, and its tokens counted. Prints one line for each check and a line of JSON; exits with 1 when a check fails.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ghostd.core.concept import Concept, Domain
from ghostd.errors import TeacherRejected
from ghostd.teacher.client import OpenAITeacher
from ghostd.teacher.config import TeacherConfig
from ghostd.teacher.discover import discover
from ghostd.teacher.ledger import MemoryCallStore

REQUIREMENTS = ("torch==2.13.0", "transformers[serving]", "accelerate")
ANSWER_TOKENS = 32
CONCEPT = Concept("arithmetic", "Square", "Return n * n for every integer n.", "def square(n: int) -> int")
MAKE_MODEL = """
import sys
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

tokens = ["<pad>", "<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
tokenizer = Tokenizer(models.BPE(vocab={token: number for number, token in enumerate(tokens)}, merges=[]))
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
fast.chat_template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\\n{% endfor %}assistant: "
config = LlamaConfig(vocab_size=len(tokens), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
                     num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=16384,
                     bos_token_id=1, eos_token_id=2, pad_token_id=0)
LlamaForCausalLM(config).save_pretrained(sys.argv[1])
fast.save_pretrained(sys.argv[1])
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def prepare(work: Path) -> Path:
    """The environment and the model, made where they are missing. Returns the model's folder."""
    python = work / "venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(work / "venv")], check=True)
    if not (work / "venv" / "bin" / "transformers").exists():
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
    model = work / "model"
    if not (model / "tokenizer.json").exists():
        subprocess.run([str(python), "-c", MAKE_MODEL, str(model)], check=True, stderr=subprocess.DEVNULL)
    return model


@contextlib.contextmanager
def transformers_server(work: Path, model: Path) -> Iterator[int]:
    """The port of a running `transformers serve`. Its hub cache must exist, or listing models is an error 500."""
    cache, port = work / "empty-hub", free_port()
    cache.mkdir(exist_ok=True)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cache)}
    command = [str(work / "venv" / "bin" / "transformers"), "serve", str(model), "--device", "cpu"]
    with (work / "serve.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/v1/models", server)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=30)


def wait_for(url: str, server: subprocess.Popen[bytes], seconds: float = 180.0) -> None:
    """Return once the URL answers anything."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise SystemExit(f"{url} did not come up; see serve.log")


def check_discovery(port: int, model: Path) -> str:
    """The server is found by content though it lists no models."""
    del model
    found = asyncio.run(discover((free_port(), port)))
    assert found is not None, "not found"
    assert found.base_url == f"http://127.0.0.1:{port}/v1", found
    return f"{found.product}, {len(found.models)} models listed"


def check_noise_is_rejected(port: int, model: Path) -> str:
    """Every answer of a random model is a problem with a reason; its tokens are counted as the server reports them."""
    store = MemoryCallStore()

    async def ask() -> list[str]:
        config = TeacherConfig(
            base_url=f"http://127.0.0.1:{port}", model=str(model), max_tokens=ANSWER_TOKENS, concurrency=2
        )
        teacher = OpenAITeacher(config, store)
        await teacher.start()
        replies = await asyncio.gather(
            teacher.propose_domains(["arithmetic"], [], 2),
            teacher.propose_concepts(Domain("arithmetic", "Arithmetic"), 2, 0, [], ""),
            teacher.write_lesson(CONCEPT),
            teacher.write_exam(CONCEPT),
        )
        await teacher.close()
        assert all(reply.value is None and reply.problem and reply.detail for reply in replies), replies
        return sorted({reply.problem for reply in replies})

    problems = asyncio.run(ask())
    settled = [row.settlement for row in store.rows if row.settlement]
    assert len(settled) == len(store.rows) >= 4, store.rows
    assert all(one.measured and one.prompt_tokens > 100 and one.http_status == 200 for one in settled), settled
    assert all(0 < one.completion_tokens <= ANSWER_TOKENS for one in settled), settled
    tokens = store.spent().total.tokens
    return f"{len(settled)} calls, problems {problems}, {tokens} tokens measured"


def check_missing_model_is_named(port: int, model: Path) -> str:
    """A model that the server does not serve is a rejection that names the setting."""
    del model

    async def ask() -> str:
        teacher = OpenAITeacher(
            TeacherConfig(base_url=f"http://127.0.0.1:{port}", model="no-such-model"), MemoryCallStore()
        )
        try:
            await teacher.write_lesson(CONCEPT)
        except TeacherRejected as error:
            return str(error)
        finally:
            await teacher.close()
        raise AssertionError("the server took a model that it does not serve")

    message = asyncio.run(ask())
    assert "no-such-model" in message, message
    assert "teacher.model" in message, message
    return message[:80]


CHECKS: tuple[Callable[[int, Path], str], ...] = (
    check_discovery,
    check_noise_is_rejected,
    check_missing_model_is_named,
)


def main() -> None:
    """Prepare, serve, check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path(__file__).resolve().parent / "results" / "interop")
    work = parser.parse_args().work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    model = prepare(work)
    results = {}
    with transformers_server(work, model) as port:
        for check in CHECKS:
            started = time.monotonic()
            try:
                said, held = check(port, model), True
            except AssertionError as error:
                said, held = f"FAILED: {error}", False
            results[check.__name__] = held
            print(f"{check.__name__:32} {time.monotonic() - started:6.1f} s  {said}", flush=True)
    print(json.dumps({"benchmark": "interop", "server": "transformers serve", "checks": results}))
    if not all(results.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
