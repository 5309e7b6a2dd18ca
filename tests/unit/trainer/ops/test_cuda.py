"""The GPU's kernels without a GPU: their own sources run on the host, and the compiler's word on what they take."""

import json
import shutil

import pytest
import torch

from tests.unit.trainer.ops.subjects import BY_NAME, computed, relative_rms, truth
from trainer.ops.cuda import gate
from trainer.ops.cuda.compile import Resources, compile_ahead, has_kernels, resources_of
from trainer.ops.loader import OPERATORS

SUBJECTS = [BY_NAME[name] for name in OPERATORS if has_kernels(name)]
SHAPES = {torch.float32: 80, torch.bfloat16: 20, torch.float16: 20}  # for each operator, cut in two ways
GATES = {torch.float32: 1e-5, torch.bfloat16: 5e-3, torch.float16: 1e-3}
_TOLD = """ptxas info    : Compiling entry function 'scan_float32' for 'sm_90'
ptxas info    : Function properties for scan_float32
    16 bytes stack frame, 12 bytes spill stores, 8 bytes spill loads
ptxas info    : Used 64 registers, used 1 barriers, 40960 bytes smem, 16 bytes cumulative stack size
ptxas info    : Compiling entry function 'scan_add' for 'sm_90'
ptxas info    : Function properties for scan_add
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 32 registers, used 0 barriers
"""


def narrowed(inputs, dtype):
    """The inputs as a GPU gets them: rates and states in fp32, the rest in the narrow type. And the same in double."""
    kept = {"a", "initial_state"}
    names = ("u", "delta", "a", "b", "c", "initial_state")
    given = [part.to(torch.float32 if name in kept else dtype) for name, part in zip(names, inputs, strict=True)]
    return given, [part.double() for part in given]


@pytest.mark.parametrize("dtype", GATES, ids=str)
@pytest.mark.parametrize("multiprocessors", [1, 1000])  # the length in one piece, and in as many as there are
def test_the_selective_scan_agrees_with_the_loop_on_awkward_shapes(dtype, multiprocessors, monkeypatch) -> None:
    subject = BY_NAME["selective_scan"]
    monkeypatch.setattr("trainer.ops.selective_scan.cuda.multiprocessors", lambda _device: multiprocessors)
    wrong = {}
    for number, shape in enumerate(subject.shapes(SHAPES[dtype])):
        given, exact = narrowed(subject.draw(shape, seed=number), dtype)
        wanted, above = truth(subject, exact)
        *found, checkpoints = subject.module("cuda").forward(*given)
        found += subject.module("cuda").backward(above[0].to(dtype), above[1].float(), *given, checkpoints)
        error = max(relative_rms(one, other) for one, other in zip(found, wanted, strict=True))
        if not error <= GATES[dtype]:
            wrong[shape] = error
    assert wrong == {}


def test_more_states_than_the_kernels_have_room_for_are_computed_too() -> None:
    subject = BY_NAME["selective_scan"]
    given, exact = narrowed(subject.draw((2, 40, 5, 70)), torch.bfloat16)
    wanted, above = truth(subject, exact)
    found = computed(subject.module("cuda"), tuple(given), above)
    assert [part.dtype for part in found] == [torch.bfloat16, torch.float32, *(part.dtype for part in given)]
    assert max(relative_rms(one, other) for one, other in zip(found, wanted, strict=True)) <= GATES[torch.bfloat16]


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_results_are_equal_bit_by_bit_over_runs(subject) -> None:
    inputs = subject.draw(subject.shapes(1)[0], dtype=torch.float32)
    _, above = truth(subject, inputs)
    first, second = (computed(subject.module("cuda"), inputs, above) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="the compile gate needs nvcc, which is not here")
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
@pytest.mark.timeout(600)
def test_nvcc_compiles_every_kernel_within_the_table_and_without_spills(subject, capsys) -> None:
    _, found = compile_ahead(subject.name, ("90",))
    wrong = gate.complaints(found, json.loads(gate.TABLE.read_text()))
    with capsys.disabled():
        print(f"\nnvcc: {subject.name}: {len(found)} kernels for sm_90, {len(wrong)} outside the table")  # noqa: T201 - the gate is to be seen in the log
    assert wrong == []


def test_what_the_assembler_says_is_read_and_judged() -> None:
    found = resources_of(_TOLD)
    assert found["scan_float32 sm_90"] == Resources("sm_90", 64, 40960, 16, 20)
    assert found["scan_add sm_90"] == Resources("sm_90", 32, 0, 0, 0)
    granted = {"scan_float32 sm_90": {"registers": 63, "shared_bytes": 40960}}
    assert [line.split()[0:3] for line in gate.complaints(found, granted)] == [
        ["scan_add", "sm_90", "is"],
        ["scan_float32", "sm_90", "spills"],
        ["scan_float32", "sm_90", "takes"],
    ]
