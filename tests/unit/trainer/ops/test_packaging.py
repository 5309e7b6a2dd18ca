"""Where kernels come from: compiled ahead of time for these very sources, by NVRTC at first use, or from nowhere."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trainer.ops import build, loader
from trainer.ops.cuda import compile as kernels
from trainer.ops.cuda import package

ROOT = Path(__file__).parents[4]
H100 = (9, 0)


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache and a package that are empty, and neither compiler."""
    monkeypatch.setenv(build.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(kernels, "PACKAGE", tmp_path / "fatbins")
    monkeypatch.setattr(kernels, "nvrtc_path", lambda: None)
    monkeypatch.setattr(kernels.shutil, "which", lambda _name: None)
    loader._chosen_on_gpu.cache_clear()
    return tmp_path


def test_without_kernels_and_compilers_torch_computes_and_says_why(nowhere: Path) -> None:
    choice = loader.choice_on_gpu("selective_scan", H100)
    assert choice.rung is loader.Rung.CHUNK
    assert "neither NVRTC nor nvcc was found; install torch with CUDA" in choice.reason


def test_what_was_compiled_ahead_of_time_is_taken_first(nowhere: Path) -> None:
    ahead = kernels.packaged("selective_scan")
    ahead.parent.mkdir()
    ahead.write_bytes(b"machine code")
    assert kernels.image("selective_scan", H100).content == b"machine code"
    assert loader.choice_on_gpu("selective_scan", H100).reason.endswith("9.0, compiled ahead of time")
    with pytest.raises(build.BuildError):  # where the driver refuses it, another is asked for
        kernels.image("selective_scan", H100, fresh=True)


@pytest.mark.parametrize(
    ("capability", "covered"),
    [
        ((7, 5), False),
        ((8, 0), True),
        ((8, 9), True),
        ((9, 0), True),
        ((11, 0), False),
        ((12, 1), True),
        ((13, 0), True),
    ],
)
def test_it_is_taken_only_for_devices_that_it_runs_on(capability, covered, nowhere: Path) -> None:
    ahead = kernels.packaged("selective_scan")
    ahead.parent.mkdir()
    ahead.write_bytes(b"machine code")
    if covered:
        assert kernels.image("selective_scan", capability).content == b"machine code"
    else:
        with pytest.raises(build.BuildError, match="neither NVRTC nor nvcc"):
            kernels.image("selective_scan", capability)


def test_a_changed_source_or_header_is_not_served_by_what_was_compiled_before(nowhere: Path, monkeypatch) -> None:
    names = {kernels.packaged("selective_scan").name}
    headers = kernels.headers_of("selective_scan")
    for header in ("device.cuh", "chunk.cuh"):
        changed_texts = headers | {header: headers[header] + "\n"}
        monkeypatch.setattr(kernels, "headers_of", lambda _operator, texts=changed_texts: texts)
        names.add(kernels.packaged("selective_scan").name)
    changed = nowhere / "kernels.cu"
    changed.write_text("/* another */")
    monkeypatch.setattr(kernels, "source_of", lambda _operator: changed)
    names.add(kernels.packaged("selective_scan").name)
    assert len(names) == 4


@pytest.mark.parametrize(
    ("kernel", "part"),
    [
        ("selective_scan_forward_bfloat16_16", "forward_bfloat16_16"),
        ("wkv7_backward_summary_float32_64", "summary_float32_64"),
        ("ssd_add_float32", ""),
        ("selective_scan_join", ""),
    ],
)
def test_kernels_of_one_pass_type_and_width_are_compiled_together(kernel: str, part: str) -> None:
    assert kernels.part_of(kernel) == part


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc was not found")
def test_at_first_use_only_the_kernels_that_are_wanted_are_compiled(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv(build.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(kernels, "PACKAGE", tmp_path / "fatbins")
    monkeypatch.setattr(kernels, "nvrtc_path", lambda: None)
    image = kernels.image("selective_scan", H100, "forward_bfloat16_4")
    names = set(re.findall(rb"selective_scan_(?:forward|backward)_\w+?_\d+", image.content))
    assert names == {b"selective_scan_forward_bfloat16_4"}
    assert image.origin == "compiled by nvcc"
    assert kernels.image("selective_scan", H100, "forward_bfloat16_4").origin == "compiled by nvcc before"


@pytest.mark.skipif(kernels.nvrtc_path() is None, reason="NVRTC was not found; torch with CUDA brings it along")
def test_nvrtc_compiles_the_same_sources(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv(build.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(kernels, "PACKAGE", tmp_path / "fatbins")
    for operator in filter(kernels.has_kernels, loader.OPERATORS):
        image = kernels.image(operator, H100, "forward_bfloat16_16")
        assert image.origin == "compiled by NVRTC"
        assert operator.encode() in image.content


def test_without_nvcc_a_wheel_is_built_all_the_same(nowhere: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(package, "PACKAGE", nowhere / "fatbins")
    monkeypatch.setattr(package.shutil, "which", lambda _name: None)
    assert package.main() == 0
    assert "NVRTC compiles them at first use" in capsys.readouterr().out


def test_doctor_says_where_kernels_would_come_from() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "trainer", "doctor"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for operator in filter(kernels.has_kernels, loader.OPERATORS):
        assert f"{operator} on a GPU: " in done.stdout or f"{operator} on the GPU: " in done.stdout


def test_the_check_of_a_gpu_says_in_a_sentence_that_there_is_none() -> None:
    if __import__("torch").cuda.is_available():
        pytest.skip("there is one")
    done = subprocess.run([sys.executable, "-m", "bench.gpu"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("There is no GPU here that torch can use;")
    assert done.stdout == ""
