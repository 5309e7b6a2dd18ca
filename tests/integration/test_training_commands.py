"""`ghostd train`, `eval`, `ask`, `execute`, `status` and the daemon's training, as processes on a real Postgres."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL

from ghostd.db.config import StoreConfig
from ghostd.db.engine import Database
from ghostd.db.store import PostgresStore
from tests.acceptance.process import GHOSTD, Ghostd, alive, docker_answers
from tests.integration.test_training import CRYSTALS, populate, trainers_in

pytest.importorskip("torch", reason="needs the train extra: pip install 'ghostd[train]'")
pytest_plugins = ["tests.postgres"]
pytestmark = pytest.mark.timeout(300)
TINY = {"width": 32, "layers": 1, "steps": 20, "batch": 4, "context": 64, "exam_rows": 12, "threads": 1}
needs_docker = pytest.mark.skipif(not docker_answers(), reason="needs a Docker engine and the sandbox image")


@pytest.fixture
def ghostd(database_url: URL, tmp_path: Path) -> Iterator[Ghostd]:
    """Commands on a database with crystals, and a trainer that takes seconds."""

    async def fill() -> None:
        async with PostgresStore(Database(database_url, StoreConfig())) as store:
            await populate(store, range(CRYSTALS))

    asyncio.run(fill())
    settings = {f"GHOSTD_TRAINING__{name.upper()}": str(value) for name, value in TINY.items()}
    address = database_url.set(drivername="postgresql").render_as_string(hide_password=False)
    (tmp_path / "data").mkdir()
    one = Ghostd(tmp_path / "data", GHOSTD_DATABASE__URL=address, OMP_NUM_THREADS="1", **settings)
    yield one
    one.close()


def training(ghostd: Ghostd) -> dict[str, Any]:
    """What the status says of the student."""
    document: dict[str, Any] = ghostd.status()["knowledge"]["training"]
    return document


@needs_docker
def test_a_student_is_trained_shown_and_examined_on_demand(ghostd: Ghostd) -> None:
    waiting = ghostd.run("train").stdout
    assert f"{CRYSTALS} of 1000 crystals are new" in waiting and "train --now" in waiting
    assert ghostd.run("eval", check=False).returncode == 6, "there is no champion yet"
    done = ghostd.run("train", "--now", timeout=200)
    assert "student 1 is the champion: it is the first student" in done.stdout
    champion = training(ghostd)["champion"]
    assert (champion["student"], champion["promoted"], champion["crystals"]) == (1, True, CRYSTALS)
    assert "champion: student 1" in ghostd.run("status").stdout
    report = json.loads((Path(champion["folder"]) / "evaluation/report.json").read_text())
    code = report["candidates"][0]["suites"]["lineages"]["code"]
    assert code["problems"] > 0 and code["pass@1"] == 0.0, "its code was executed, and it knows nothing yet"
    assert "1 of 1000 crystals" not in ghostd.run("train").stdout
    assert ghostd.run("ask", "Who won the football match yesterday?").stdout.startswith("I do not know. No crystal")


@pytest.mark.slow
def test_the_daemon_trains_through_kill_9_and_leaves_off_at_once_when_told_to_stop(ghostd: Ghostd) -> None:
    ghostd.environment |= {
        "GHOSTD_TRAINING__EVERY_CRYSTALS": str(CRYSTALS),
        "GHOSTD_TRAINING__STEPS": "100000",
        "GHOSTD_DAEMON__TRAIN_EVERY_SECONDS": "0.5",
        "GHOSTD_DAEMON__STALLED_SECONDS": "5",
        "GHOSTD_CURIOSITY__BACKLOG": "2",
    }
    folder = ghostd.data_dir / "students/000001"

    def steps() -> int:
        journal = folder / "timing.jsonl"
        return journal.read_bytes().count(b"\n") if journal.exists() else 0

    ghostd.start()
    ghostd.wait_until(lambda: steps() > 0, 120, "a step of the training")
    assert "training: a ghost of 1M parameters after every 60 new crystals" in ghostd.tail(100_000)
    trainers = set(trainers_in(folder))
    ghostd.kill()
    for _ in range(200):
        if not alive(trainers):
            break
        subprocess.run(["sleep", "0.1"], check=True)
    assert alive(trainers) == set(), "the trainer saved and ended with its daemon"
    before = steps()
    ghostd.start()
    ghostd.wait_until(lambda: steps() > before, 120, "a step after the resume")
    running = training(ghostd)["running"]
    assert (running["student"], running["status"], running["steps"]) == (1, "running", 100000)
    assert running["step"] >= before and running["left_seconds"] > 0
    (trainer,) = trainers_in(folder)
    os.kill(trainer, signal.SIGKILL)
    ghostd.wait_until(lambda: bool(set(trainers_in(folder)) - {trainer}), 60, "another trainer")
    ghostd.signal(signal.SIGTERM)
    assert ghostd.wait_end(25) == 0, "it does not wait for the training"
    assert training(ghostd)["running"]["status"] == "interrupted"
    assert trainers_in(folder) == []


@needs_docker
def test_code_from_outside_is_judged_in_the_sandbox(ghostd: Ghostd) -> None:
    good, test = "def double(n):\n    return 2 * n\n", "assert double(2) == 4"
    codes = {
        "good": good,
        "wrong": good.replace("2", "3"),
        "exits": "import os\ndef double(n):\n    os._exit(0)\n",
        "loops": "def double(n):\n    while True:\n        pass\n",
        "garbage": "no python",
        "other": "def triple(n):\n    return 3 * n\n",
    }
    jobs = "".join(json.dumps({"id": name, "code": code, "tests": [test]}) + "\n" for name, code in codes.items())
    verdicts = [json.loads(line) for line in execute(ghostd, jobs).stdout.splitlines()]
    assert {one["id"]: one["passed"] for one in verdicts} == {name: name == "good" for name in codes}
    assert json.loads(execute(ghostd, json.dumps({"id": 1, "code": good, "tests": []})).stdout)["passed"] is False


@pytest.mark.parametrize(
    ("line", "settings", "code", "remedy"),
    [
        ('{"id": 1, "code": "x = 1"}', {}, 2, "Line 1 is no job"),
        ('{"id": 1, "code": "x", "tests": ["x"]}', {"GHOSTD_SANDBOX__BACKEND": "trusted"}, 5, "without isolation"),
    ],
)
def test_execution_fails_closed(ghostd: Ghostd, line: str, settings: dict[str, str], code: int, remedy: str) -> None:
    ghostd.environment |= settings
    done = execute(ghostd, line)
    assert (done.returncode, done.stdout) == (code, "")
    assert remedy in done.stderr


def execute(ghostd: Ghostd, lines: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*GHOSTD, "execute"],
        env=ghostd.environment,
        input=lines,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
