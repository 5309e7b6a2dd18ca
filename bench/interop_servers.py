"""What the interoperability bench runs against: scratch environments, the noise model, the servers; no checks."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
GHOSTD = (sys.executable, "-m", "ghostd.cli.main")
_TRANSFORMERS = ("torch==2.13.0", "transformers[serving]", "accelerate")
_CALL = re.compile(r'"POST /v1/chat/completions HTTP/1\.1" (\d{3})')


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that answers, and what it wrote about its requests."""

    url: str  # as teacher.base_url takes it
    model: str
    log: Path

    @property
    def port(self) -> int:
        """Where it listens on the loopback address."""
        return int(self.url.rsplit(":", 1)[1].split("/")[0])

    def calls(self) -> list[int]:
        """The status of every chat completion that the server's own access log lists, in order."""
        return [int(status) for status in _CALL.findall(self.log.read_text(encoding="utf-8", errors="replace"))]


def environment_of(work: Path, name: str, *requirements: str) -> Path:
    """The Python of a virtual environment that has the newest of these; made where it is missing."""
    folder = work / name
    python, ready = folder / "bin" / "python", folder / ".ready"
    if not ready.exists():
        print(f"installing {', '.join(requirements)} in {folder} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *requirements], check=True)
        ready.touch()
    return python


def noise_model(work: Path) -> tuple[Path, Path]:
    """The Python that has transformers, and the folder of the model; both made where they are missing."""
    python = environment_of(work, "venv", *_TRANSFORMERS)
    model = work / "noise-model"
    if not (model / "tokenizer.json").exists():
        maker = [str(python), str(HERE / "interop_model.py"), str(model)]
        subprocess.run(maker, check=True, stderr=subprocess.DEVNULL)
    return python, model


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def transformers_server(work: Path) -> Iterator[Endpoint]:
    """`transformers serve` with the noise model. Its hub cache must exist, or listing models is an error 500."""
    python, model = noise_model(work)
    cache, port, log = work / "empty-hub", free_port(), work / "serve.log"
    cache.mkdir(exist_ok=True)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cache)}
    command = [str(python.with_name("transformers")), "serve", str(model), "--device", "cpu", "--log-level", "info"]
    with log.open("wb") as stream:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env=environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/v1/models", server, log)
        yield Endpoint(f"http://127.0.0.1:{port}/v1", str(model), log)
    finally:
        _end(server)


@contextlib.contextmanager
def textbook_server(work: Path) -> Iterator[Endpoint]:
    """A running `ghostd teacher serve --port 0`; where it listens is what it says."""
    log = work / "textbook.log"
    with log.open("wb") as stream:
        server = subprocess.Popen(
            [*GHOSTD, "teacher", "serve", "--port", "0"],
            env=bare_environment(),
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 60
        while not (said := re.search(r"(http://\S+/v1)", log.read_text(encoding="utf-8"))):
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"`ghostd teacher serve` said no address; see {log}")
            time.sleep(0.1)
        _wait_for(f"{said.group(1)}/models", server, log)
        yield Endpoint(said.group(1), "textbook", log)
    finally:
        _end(server)


def bare_environment(**settings: str) -> dict[str, str]:
    """The environment without settings of ghostd but these; the checkout can be imported, no settings file is read."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GHOSTD_")}
    return {**kept, "PYTHONPATH": str(HERE.parent), "PYTHONUNBUFFERED": "1", **settings}


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path, seconds: float = 180.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return  # an error is an answer
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise SystemExit(f"{url} did not come up; see {log}")


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(timeout=30)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
