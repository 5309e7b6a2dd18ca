"""Two processes over gloo train what one process trains, whether weights are copied or sharded, and after kill -9."""

import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.unit.trainer.runs import ENVIRONMENT, ROOT, run_file
from trainer.config import read_run
from trainer.errors import ConfigError
from trainer.loop import train
from trainer.processes import Processes
from trainer.training import prepare

pytestmark = [
    pytest.mark.xdist_group("trainer processes"),  # all look at the same runs, which take seconds
    pytest.mark.timeout(400),  # and a busy machine takes minutes to start as many processes
]
PATIENCE = 150  # seconds
STEPS, HALF = 12, 5
SIZE = 2
DIFFERENCE = 2e-4  # relative, of losses: sums in another order, after some steps
SAMPLED = 0.03  # relative: a shard's entries are other ones than those which stand for the whole weight


def start_together(runs: list[str]) -> list[subprocess.Popen[bytes]]:
    """The worker in each of the processes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    common = {**ENVIRONMENT, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(SIZE)}
    return [
        subprocess.Popen(
            [sys.executable, "-m", "tests.unit.trainer.together", *runs],
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank), "TORCH_CPP_LOG_LEVEL": "ERROR"},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for rank in range(SIZE)
    ]


def finish(processes: list[subprocess.Popen[bytes]]) -> None:
    try:
        for process in processes:
            said, _ = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, said.decode()[-3000:]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def alone(path: Path, last: int = 0) -> None:
    steps = iter(range(1, 100))
    train(read_run(path), lambda _line: None, lambda: next(steps) == last)


def losses(path: Path) -> list[float]:
    lines = (path.parent / "out/metrics.jsonl").read_text().splitlines()
    return [each["loss"] for each in map(json.loads, lines) if "loss" in each]


def looks(path: Path) -> list[dict[str, Any]]:
    lines = (path.parent / "out/diagnostics.jsonl").read_text().splitlines()
    return [each for each in map(json.loads, lines) if each["event"] == "look"]


def last(path: Path) -> Path:
    folder = path.parent / "out/checkpoints"
    pointer = folder / "last.json"
    return folder / str(json.loads(pointer.read_text())["folder"]) if pointer.exists() else folder / "step-0"


def weights(path: Path) -> torch.Tensor:
    return torch.cat([tensor.flatten() for _, tensor in sorted(load_file(last(path) / "model.safetensors").items())])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same run trained in many ways: by one process, by two, begun by the ones and ended by the others, killed."""
    torch.set_num_threads(1)
    base = tmp_path_factory.mktemp("processes")
    paths: dict[str, Path] = {}
    for name in ("one", "copied", "sharded", "copied then one", "sharded then one", "one then sharded", "killed"):
        (base / name).mkdir()
        if paths:
            shutil.copytree(base / "one/corpus", base / name / "corpus")
        training: dict[str, object] = {
            "steps": STEPS,
            "evaluate_every": 6,
            "checkpoint_every": 3,
            "sharded": "sharded" in name,
        }
        paths[name] = run_file(
            base / name,
            model={"mixers": ["mamba", "attention"], "states": 4, "ahead": 2},
            data={"carry_state": True, "middle_fraction": 0.5},
            training=training,
        )
    alone(paths["one"])
    alone(paths["one then sharded"], HALF)
    together = [str(paths["copied"]), str(paths["sharded"]), str(paths["one then sharded"])]
    halves = [f"{paths[name]}@{HALF}" for name in ("copied then one", "sharded then one")]
    processes = start_together([*together, *halves, str(paths["killed"])])
    patience = time.monotonic() + PATIENCE
    while int(last(paths["killed"]).name.split("-")[1]) < HALF and time.monotonic() < patience:
        time.sleep(0.001)
        if processes[0].poll() is not None:
            break
    for process in processes:
        process.kill()
    told = [process.communicate()[0].decode() for process in processes]
    assert [process.returncode for process in processes] == [-9, -9], told
    assert HALF <= int(last(paths["killed"]).name.split("-")[1]) < STEPS
    finish(start_together([str(paths["killed"])]))
    alone(paths["copied then one"])
    alone(paths["sharded then one"])
    return paths


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["copied", "sharded", "copied then one", "sharded then one", "one then sharded", "killed"]
)
def test_two_processes_equal_one_within_rounding(runs: dict[str, Path], name: str) -> None:
    assert len(losses(runs[name])) == STEPS
    assert losses(runs[name]) == pytest.approx(losses(runs["one"]), rel=DIFFERENCE)
    moved, expected = weights(runs[name]), weights(runs["one"])
    assert float((moved - expected).norm() / expected.norm()) < 10 * DIFFERENCE


@pytest.mark.slow
def test_two_processes_that_are_killed_go_on_to_the_last_bit(runs: dict[str, Path]) -> None:
    for file in ("model.safetensors", "training.safetensors"):
        assert (last(runs["killed"]) / file).read_bytes() == (last(runs["copied"]) / file).read_bytes()
    for journal in ("metrics.jsonl", "samples.jsonl", "diagnostics.jsonl"):
        killed, copied = (runs[name].parent / "out" / journal for name in ("killed", "copied"))
        assert killed.read_bytes() == copied.read_bytes()


@pytest.mark.slow
def test_a_resumed_part_of_a_run_is_the_same_bits_where_the_processes_are_the_same(runs: dict[str, Path]) -> None:
    assert losses(runs["one then sharded"])[:HALF] == losses(runs["one"])[:HALF]
    assert losses(runs["copied then one"])[:HALF] == losses(runs["copied"])[:HALF]
    assert losses(runs["sharded then one"])[:HALF] == losses(runs["sharded"])[:HALF]
    assert losses(runs["copied"]) != losses(runs["one"]), "one process did all the work"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["copied", "sharded", "one then sharded"])
def test_diagnostics_of_two_processes_measure_what_those_of_one_measure(runs: dict[str, Path], name: str) -> None:
    seen, expected = looks(runs[name]), looks(runs["one"])
    assert [each["step"] for each in seen] == [each["step"] for each in expected] == [1, STEPS]
    for mine, other in zip(seen, expected, strict=True):
        assert mine["norm"] == pytest.approx(other["norm"], rel=10 * DIFFERENCE)
        assert mine["parts"].keys() == other["parts"].keys()
        for component, measures in mine["parts"].items():
            assert measures.keys() == other["parts"][component].keys()
            for measure, difference in (("gradient", 0.01), ("weight", SAMPLED), ("update", SAMPLED)):
                known = other["parts"][component][measure]
                assert measures[measure] == pytest.approx(known, rel=difference), (component, measure)


def test_a_batch_that_cannot_be_divided_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="batch 4 cannot be divided among 3 processes"):
        prepare(read_run(run_file(tmp_path)), Processes(rank=1, size=3, local_rank=1))


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_every_row_belongs_to_one_process(size: int) -> None:
    shares = [Processes(rank, size, rank).share(range(16, 24)) for rank in range(size)]
    assert [row for share in shares for row in share] == list(range(16, 24))
