"""Which rung is active, why, and what is done with denormals; a missing compiler is a slower rung, never an error."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from trainer.ops import build, loader
from trainer.ops.selective_scan import selective_scan

ROOT = Path(__file__).parents[4]


def python(program: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_without_a_compiler_the_operators_run_in_torch_and_say_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setenv(build.CACHE_VARIABLE, str(tmp_path))
    assert loader.choice("wkv6") == loader.Choice(
        loader.Rung.CHUNK, "No C compiler was found; install gcc or name one in CC."
    )


def test_asking_for_native_without_a_compiler_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setenv(build.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setenv(loader.RUNG_VARIABLE, "native")
    with pytest.raises(build.BuildError, match="install gcc"):
        selective_scan(*(torch.ones(1, 1, 1), torch.ones(1, 1, 1), torch.ones(1, 1), *[torch.ones(1, 1, 1)] * 2))


def test_a_cache_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(build.CACHE_VARIABLE, str(tmp_path / "file"))
    choice = loader.choice("wkv6")
    assert choice.rung is loader.Rung.CHUNK
    assert f"set {build.CACHE_VARIABLE}" in choice.reason


def test_an_unknown_rung_or_instruction_set_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(loader.RUNG_VARIABLE, "warp")
    with pytest.raises(ValueError, match="use cuda, native, chunk or ref"):
        loader.choice("wkv6")
    monkeypatch.setenv(build.INSTRUCTION_SET_VARIABLE, "mmx")
    with pytest.raises(build.BuildError, match="use one of avx512, avx2, scalar"):
        build.instruction_set()


def test_a_broken_compiler_s_words_are_passed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'the disk is on fire' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    monkeypatch.setenv(build.CACHE_VARIABLE, str(tmp_path / "cache"))
    assert "the disk is on fire" in loader.choice("wkv6").reason
    assert list((tmp_path / "cache").iterdir()) == []


def test_compilers_that_start_together_leave_one_library(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: build.compile_library("wkv6", "scalar", tmp_path), range(4)))
    assert list(tmp_path.iterdir()) == [made[0]]
    assert set(made) == {made[0]}


def test_a_library_is_compiled_once(tmp_path: Path) -> None:
    first = build.compile_library("wkv6", "scalar", tmp_path).stat().st_mtime_ns
    assert build.compile_library("wkv6", "scalar", tmp_path).stat().st_mtime_ns == first


def test_double_precision_and_half_run_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(loader.RUNG_VARIABLE, "native")
    assert loader.implementation("wkv6", torch.ones(1, dtype=torch.float64)).__name__.endswith("chunk")
    assert loader.implementation("wkv6", torch.ones(1)).__name__.endswith("cpu")


DENORMALS = """
import torch
from trainer.ops.selective_scan import selective_scan
one = torch.ones(1, 1, 1)
selective_scan(one, one, -torch.ones(1, 1), one, one)
print(int((torch.full((1 << 20,), 1e-39) * 1.0).count_nonzero()))  # shared out among torch's threads
"""


@pytest.mark.parametrize(("setting", "left"), [("1", 0), ("0", 1 << 20)])
def test_denormals_are_flushed_in_all_of_torch_s_threads_unless_told_otherwise(setting: str, left: int) -> None:
    assert int(python(DENORMALS, **{loader.DENORMALS_VARIABLE: setting})) == left


def test_the_kernels_flush_denormals_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(loader.RUNG_VARIABLE, "native")
    monkeypatch.setenv(loader.DENORMALS_VARIABLE, "0")
    zero = torch.zeros(1, 1, 1)
    _, state = selective_scan(zero, zero + 4, -torch.ones(1, 1), zero, zero, initial_state=zero + 1.5e-38)
    assert state.item() == 0  # 2.7e-40 as a denormal


def test_doctor_names_each_operator_s_rung() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "trainer", "doctor"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for operator in loader.OPERATORS:
        assert f"{operator}: {loader.choice(operator).rung} - " in done.stdout
