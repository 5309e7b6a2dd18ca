"""`python -m trainer serve` as a process: it says where it listens, and ends quietly when it is told to."""

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.unit.trainer.runs import ENVIRONMENT, tiny_run
from trainer.loop import train


def test_ctrl_c_ends_the_server_without_a_word(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn", reason="needs the train extra: pip install 'ghostd[train]'")
    run = tiny_run(tmp_path, training={"steps": 1, "evaluate_every": 1})
    train(run, lambda _line: None)
    server = subprocess.Popen(
        [sys.executable, "-m", "trainer", "serve", run.out, "--port", "0", "--weights", "float32"],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with server:
        assert server.stdout is not None
        where = server.stdout.readline().split(", ")[0].split(" at ")[1]
        assert httpx.get(f"{where}/models").is_success
        server.send_signal(signal.SIGINT)
        said, complaint = server.communicate(timeout=30)
    assert (server.returncode, said, complaint) == (0, "", "")
