"""The main job, as a person runs it: start, status, export, search, show, verify, stop."""

import json
import signal
import time
from pathlib import Path

import pytest

from tests.acceptance.process import Ghostd, containers, docker_answers

pytestmark = [pytest.mark.xdist_group("acceptance"), pytest.mark.timeout(400)]


def test_it_learns_until_the_wanted_number_and_everything_adds_up(ghostd: Ghostd, tmp_path: Path) -> None:
    ghostd.environment["GHOSTD_TEXTBOOK__FAULT_RATE"] = "0.2"
    ghostd.start("--until-crystals", "40")
    assert ghostd.wait_end(240) == 0, ghostd.tail()
    log = ghostd.log.read_text(encoding="utf-8")
    assert "teacher:" in log and "sandbox" in log and "stopped: " in log

    status = ghostd.status()
    knowledge = status["knowledge"]
    assert status["daemon"]["running"] is False
    assert knowledge["crystals"] >= 40
    rows = knowledge["waterfall"]
    assert [row["stage"] for row in rows] == [
        "asked",
        "parsed",
        "executed",
        "reproducible",
        "tested",
        "novel",
        "stored",
    ]
    assert rows[0]["passed"] == knowledge["attempts"]
    assert rows[-1]["passed"] == knowledge["crystals"]
    assert sum(row["lost"] + row["open"] for row in rows) + knowledge["crystals"] == knowledge["attempts"]
    assert sum(one["count"] for one in knowledge["rejections"]) == sum(row["lost"] for row in rows)

    found = json.loads(ghostd.run("search", "", "--limit", "5", "--json").stdout)
    shown = json.loads(ghostd.run("show", found[0]["id"][:10], "--json").stdout)
    assert shown["id"] == found[0]["id"]
    assert sum(row["executions"] for row in shown["evidence"]) >= 20
    verified = json.loads(ghostd.run("verify", found[0]["id"], "--json").stdout)
    assert verified["verdict"] == "verified"

    first, second = tmp_path / "one", tmp_path / "two"
    ghostd.run("export", "--training-dataset", "--out", str(first))
    ghostd.run("export", "--training-dataset", "--out", str(second))
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert len(files) >= 6
    assert all((first / path).read_bytes() == (second / path).read_bytes() for path in files)


def test_sigterm_drains_and_a_second_start_resumes(ghostd: Ghostd) -> None:
    ghostd.start()
    ghostd.wait_working()
    time.sleep(6)
    ghostd.signal(signal.SIGTERM)
    assert ghostd.wait_end(40) == 0, ghostd.tail()
    first = ghostd.status()["knowledge"]
    assert first["crystals"] > 0
    ghostd.start("--until-crystals", str(first["crystals"] + 5))
    assert ghostd.wait_end(120) == 0, ghostd.tail()
    assert ghostd.status()["knowledge"]["crystals"] >= first["crystals"] + 5


def test_stop_ends_the_daemon_and_says_so_when_there_is_none(ghostd: Ghostd) -> None:
    ghostd.start()
    ghostd.wait_working()
    assert "stopped" in ghostd.run("stop").stdout
    assert ghostd.wait_end(10) == 0
    refused = ghostd.run("stop", check=False)
    assert refused.returncode == 8
    assert "ghostd start" in refused.stderr


def test_a_second_daemon_on_the_same_data_directory_is_refused(ghostd: Ghostd) -> None:
    ghostd.start()
    ghostd.wait_working()
    refused = ghostd.run("start", "--plain", check=False)
    assert refused.returncode == 7
    assert "ghostd stop" in refused.stderr
    assert ghostd.status()["daemon"]["running"] is True  # and the first one goes on


@pytest.mark.skipif(not docker_answers(), reason="needs a Docker engine with the sandbox image (make engine)")
@pytest.mark.docker
def test_no_container_is_left_after_the_end(ghostd: Ghostd) -> None:
    ghostd.environment["GHOSTD_SANDBOX__BACKEND"] = "docker"
    ghostd.start("--until-crystals", "3")
    assert ghostd.wait_end(120) == 0, ghostd.tail()
    assert containers(ghostd.pids) == set()


@pytest.mark.parametrize("backend", ["bubblewrap", "trusted"])
def test_it_works_with_every_other_backend(ghostd: Ghostd, backend: str) -> None:
    import shutil

    if backend == "bubblewrap" and not shutil.which("bwrap"):
        pytest.skip("needs bwrap (apt-get install bubblewrap)")
    ghostd.environment["GHOSTD_SANDBOX__BACKEND"] = backend
    ghostd.start("--until-crystals", "5")
    assert ghostd.wait_end(120) == 0, ghostd.tail()
