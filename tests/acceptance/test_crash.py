"""kill -9 at any moment: no committed crystal is lost or doubled, nothing is left running, work goes on."""

import json
import random
import time

import pytest

from tests.acceptance.process import Ghostd, alive, containers, descendants, docker_answers

KILLS = 50


def crystal_ids(ghostd: Ghostd) -> list[str]:
    """Ids of all crystals, read while the daemon is down."""
    done = ghostd.run("search", "", "--limit", "1000", "--json")
    return [one["id"] for one in json.loads(done.stdout)]


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.xdist_group("acceptance")
def test_fifty_kills_at_random_moments_lose_and_double_nothing(ghostd: Ghostd) -> None:
    with_docker = docker_answers()
    ghostd.environment["GHOSTD_TEXTBOOK__FAULT_RATE"] = "0.1"
    ghostd.environment["GHOSTD_VERIFICATION__BATCH_SECONDS"] = "0.1"  # more commits in a short life, more to lose
    moments = random.Random(20261122)
    committed: set[str] = set()
    grew = 0
    for kill in range(KILLS):
        ghostd.start()
        early = moments.random() < 0.3  # some kills fall into the start itself
        if not early:
            ghostd.wait_working()
        time.sleep(moments.uniform(0.05, 8.0))
        assert ghostd.process is not None
        children = descendants(ghostd.process.pid)
        ghostd.kill()
        deadline = time.monotonic() + 10
        while alive(children) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert alive(children) == set(), f"children survived kill {kill}"
        if kill % 10 == 9 or kill == KILLS - 1:
            now = crystal_ids(ghostd)
            assert len(now) == len(set(now))
            assert committed <= set(now), f"{len(committed - set(now))} crystals lost by kill {kill}"
            grew += len(now) > len(committed)
            committed = set(now)
    assert grew, "work must go on between kills"  # how often, the machine decides
    ghostd.start("--until-crystals", str(len(committed) + 5))
    assert ghostd.wait_end(180) == 0, ghostd.tail()
    assert ghostd.status()["knowledge"]["crystals"] >= len(committed) + 5
    if with_docker:
        assert containers(ghostd.pids) == set()
