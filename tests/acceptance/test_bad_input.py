"""Bad input gives one clear sentence with the remedy and a documented exit code, and loses nothing."""

import http.server
import json
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.process import Ghostd

pytestmark = [pytest.mark.xdist_group("bad-input"), pytest.mark.timeout(240)]


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence on stderr; anything like a traceback fails."""
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("ghostd: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


@contextmanager
def endpoint(status: int, body: dict[str, object], models: list[str]) -> Iterator[str]:
    """A real HTTP endpoint that lists `models` and answers every completion with `status`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def _send(self, code: int, document: object) -> None:
            data = json.dumps(document).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            if status == 401:
                self._send(401, body)
            else:
                self._send(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in models]})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self._send(status, body)

        def log_message(self, *arguments: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_broken_toml_names_the_file_and_the_line(ghostd: Ghostd, tmp_path: Path) -> None:
    config = tmp_path / "ghostd.toml"
    config.write_text("[teacher]\nmodel = 'a'\nbase_url = \n", encoding="utf-8")
    done = ghostd.run("config", "show", "--config", str(config), check=False)
    assert done.returncode == 2
    assert "ghostd.toml" in refusal(done) and "line 3" in refusal(done)


def test_a_misspelt_setting_is_named(ghostd: Ghostd, tmp_path: Path) -> None:
    config = tmp_path / "ghostd.toml"
    config.write_text("[teacher]\nmodell = 'a'\n", encoding="utf-8")
    done = ghostd.run("config", "show", "--config", str(config), check=False)
    assert done.returncode == 2
    assert "teacher.modell" in refusal(done)


def test_a_settings_file_that_is_not_there_is_named(ghostd: Ghostd) -> None:
    done = ghostd.run("config", "show", "--config", "/nowhere/ghostd.toml", check=False)
    assert done.returncode == 2
    assert "/nowhere/ghostd.toml" in refusal(done)


def test_a_wrong_database_address_is_refused_quickly(ghostd: Ghostd) -> None:
    ghostd.environment["GHOSTD_DATABASE__URL"] = f"postgresql://ghostd:geheim@127.0.0.1:{closed_port()}/ghostd"
    done = ghostd.run("start", "--plain", check=False, timeout=30)
    assert done.returncode == 3
    assert "database.url" in refusal(done)
    assert "geheim" not in done.stderr + done.stdout


def test_an_unreachable_teacher_is_named(ghostd: Ghostd) -> None:
    port = closed_port()
    ghostd.environment["GHOSTD_TEACHER__BASE_URL"] = f"http://127.0.0.1:{port}/v1"
    done = ghostd.run("start", "--plain", check=False, timeout=90)
    assert done.returncode == 4
    assert str(port) in refusal(done) and "teacher.base_url" in refusal(done)


def test_a_wrong_key_is_refused_without_repeating_it(ghostd: Ghostd) -> None:
    with endpoint(401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}, []) as url:
        ghostd.environment |= {"GHOSTD_TEACHER__BASE_URL": url, "GHOSTD_TEACHER__API_KEY": "sk-very-secret"}
        done = ghostd.run("start", "--plain", check=False, timeout=90)
    assert done.returncode == 4
    assert "teacher.api_key" in refusal(done)
    assert "sk-very-secret" not in done.stderr + done.stdout


def test_a_missing_model_names_those_on_offer(ghostd: Ghostd) -> None:
    body: dict[str, object] = {"error": {"message": "The model `gpt-x` does not exist", "code": "model_not_found"}}
    with endpoint(404, body, ["small", "large"]) as url:
        ghostd.environment |= {"GHOSTD_TEACHER__BASE_URL": url, "GHOSTD_TEACHER__MODEL": "gpt-x"}
        done = ghostd.run("start", "--plain", check=False, timeout=90)
    assert done.returncode == 4
    assert "small" in refusal(done) and "large" in refusal(done)


def test_another_teacher_is_refused_without_isolation(ghostd: Ghostd) -> None:
    with endpoint(200, {}, ["model"]) as url:
        ghostd.environment |= {"GHOSTD_TEACHER__BASE_URL": url, "GHOSTD_SANDBOX__BACKEND": "trusted"}
        done = ghostd.run("start", "--plain", check=False, timeout=90)
    assert done.returncode == 5
    assert re.search("Docker|bubblewrap", refusal(done))


def test_a_port_in_use_is_named(ghostd: Ghostd) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = ghostd.run("teacher", "serve", "--port", str(port), check=False)
    assert done.returncode == 2
    assert str(port) in refusal(done) and "--port" in refusal(done)


def test_a_data_directory_that_cannot_be_written_is_named(ghostd: Ghostd, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    ghostd.data_dir = tmp_path / "file" / "data"
    done = ghostd.run("start", "--plain", check=False)
    assert done.returncode == 2
    assert "--data-dir" in refusal(done)


@pytest.mark.parametrize(
    ("arguments", "code", "remedy"),
    [
        (("export", "--domain", "alchemy"), 6, "alchemy"),
        (("export", "--min-grade", "shiny"), 2, "tested"),
        (("export", "--format", "xml"), 2, "parquet"),
        (("show", "ffffffffffff"), 6, "ghostd search"),
        (("start", "--for", "soon"), 2, "15m"),
    ],
)
def test_unknown_names_are_answered_with_the_known_ones(
    ghostd: Ghostd, arguments: tuple[str, ...], code: int, remedy: str
) -> None:
    done = ghostd.run(*arguments, check=False)
    assert done.returncode == code
    assert remedy in refusal(done)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")
def test_a_full_disk_during_export_leaves_nothing_half_written(ghostd: Ghostd, tmp_path: Path) -> None:
    ghostd.environment["GHOSTD_SANDBOX__BACKEND"] = "trusted"
    ghostd.start("--until-crystals", "10")
    assert ghostd.wait_end(120) == 0, ghostd.tail()
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(small)], check=True)
    try:
        done = ghostd.run("export", "--training-dataset", "--out", str(small / "dataset"), check=False)
        left = list(small.rglob("*"))
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert done.returncode == 9
    assert "--out" in refusal(done)
    assert left == []
    assert ghostd.status()["knowledge"]["crystals"] >= 10
