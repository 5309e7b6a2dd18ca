"""The GPU's kernels without a GPU: their own sources run on the host, and the compiler's word on what they take."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from tests.unit.trainer.ops.subjects import BY_NAME, Subject, computed, relative_rms, truth
from trainer.ops.cuda import gate
from trainer.ops.cuda.compile import (
    Resources,
    defined_for,
    has_kernels,
    part_of,
    resources,
    resources_of,
    source_of,
)
from trainer.ops.cuda.heads import Cut, Heads
from trainer.ops.loader import OPERATORS, InOneType

SUBJECTS = [BY_NAME[name] for name in OPERATORS if has_kernels(name)]
SHAPES = {torch.float32: 80, torch.bfloat16: 20, torch.float16: 20}  # of an operator, cut in two ways
FEWER = {"wkv6": 6, "wkv7": 8, "ssd": 3}  # of what takes longer, a part
NARROW = {  # what may be; the rest is fp32
    "selective_scan": ("u", "delta", "b", "c"),
    "wkv6": ("r", "k", "v"),
    "wkv7": ("r", "k", "v", "a", "b"),
    "ssd": ("x", "b", "c"),
    "causal_conv": ("x",),
}
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


@pytest.fixture
def poisoned_memory():
    """Fresh tensors hold NaNs: what a kernel leaves out, or reads before it is written, is seen."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def narrowed(subject: Subject, inputs, dtype):
    """The inputs as a GPU gets them: rates and states in fp32, the rest in the narrow type. And the same in double."""
    assert callable(subject.operator)  # which tells torch of it
    schema = getattr(torch.ops.trainer, subject.name).default._schema
    names = [argument.name for argument in schema.arguments][: len(inputs)]
    kinds = [dtype if name in NARROW[subject.name] else torch.float32 for name in names]
    given = tuple(part.to(kind) for part, kind in zip(inputs, kinds, strict=True))
    return given, tuple(part.double() for part in given)


def error_of(subject: Subject, shape, dtype, seed: int = 0, *, forward: str = "cuda", backward: str = "cuda") -> float:
    """The worst of the outputs and gradients, with one rung's forward and one rung's backward pass."""
    given, exact = narrowed(subject, subject.draw(shape, seed=seed), dtype)
    wanted, above = truth(subject, exact, narrow=dtype)
    *found, checkpoints = [*subject.module(forward).forward(*given), None][:3]
    saved = given if checkpoints is None else (*given, checkpoints)
    found = [*found[:2], *subject.module(backward).backward(above[0].to(dtype), above[1].float(), *saved)]
    assert [part.dtype for part in found] == [dtype, torch.float32, *(part.dtype for part in given)]
    return max(relative_rms(one, other) for one, other in zip(found, wanted, strict=True))


@pytest.mark.parametrize("dtype", GATES, ids=str)
@pytest.mark.parametrize("multiprocessors", [1, 1000])  # the length in one piece, and in as many as there are chunks
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_a_kernel_agrees_with_the_loop_on_awkward_shapes(
    subject, dtype, multiprocessors, monkeypatch, poisoned_memory
) -> None:
    monkeypatch.setattr("trainer.ops.cuda.launch._EMULATED_MULTIPROCESSORS", multiprocessors)
    monkeypatch.setattr(subject.module("cuda"), "_CUT", Cut(segments=2, chunks=1), raising=False)
    shapes = subject.shapes(SHAPES[dtype] // FEWER.get(subject.name, 1))
    errors = {shape: error_of(subject, shape, dtype, number) for number, shape in enumerate(shapes)}
    assert {shape: error for shape, error in errors.items() if not error <= GATES[dtype]} == {}


# The widths of heads and numbers of states that no shape above has, and those that run in torch.
WIDE = [
    ("wkv6", (1, 49, 40, 130)),
    ("wkv7", (1, 49, 40, 130)),
    ("ssd", (1, 40, 70, 100)),
    ("ssd", (2, 33, 5, 128)),
    ("ssd", (1, 70, 130, 9)),
]
BEYOND = [
    ("selective_scan", (2, 40, 5, 70)),
    ("ssd", (1, 20, 3, 130)),
    ("wkv6", (1, 20, 70, 9)),
    ("wkv7", (1, 20, 70, 9)),
]


@pytest.mark.parametrize("dtype", GATES, ids=str)
@pytest.mark.parametrize(("name", "shape"), WIDE + BEYOND)
def test_wide_heads_and_more_states_than_kernels_have_room_for_are_computed_too(
    name, shape, dtype, monkeypatch
) -> None:
    monkeypatch.setattr("trainer.ops.cuda.launch._EMULATED_MULTIPROCESSORS", 4)
    monkeypatch.setattr(BY_NAME[name].module("cuda"), "_CUT", Cut(segments=2, chunks=2), raising=False)
    assert error_of(BY_NAME[name], shape, dtype) <= GATES[dtype]


@pytest.mark.parametrize(
    ("operator", "batch", "length", "heads", "segments"),
    [
        ("wkv6", 8, 4096, 64, 1),  # 512 blocks fill 132 multiprocessors
        ("wkv6", 8, 4096, 12, 2),
        ("wkv7", 8, 4096, 12, 1),  # two segments would not pay for its summaries
        ("wkv6", 1, 4096, 4, 64),  # four chunks in each
        ("wkv7", 1, 4096, 4, 32),  # eight
        ("wkv6", 1, 100, 4, 1),
        ("wkv6", 1, 130, 4, 2),
        ("wkv7", 1, 500, 4, 4),
        ("wkv7", 1, 300, 4, 1),
    ],
)
def test_the_length_is_cut_where_heads_leave_a_gpu_idle_and_pieces_are_long_enough(
    operator, batch, length, heads, segments
) -> None:
    cut = BY_NAME[operator].module("cuda")._CUT
    work = Heads(operator, torch.bfloat16, batch, length, heads, 64, 64, 132, cut)
    assert work.segments == segments
    assert work.segment_length % 16 == 0
    assert (segments - 1) * work.segment_length < length <= segments * work.segment_length


KERNEL_NAMES = re.compile(r"void\s+(\w+)\(\s*(?:Sizes|const float \*parts)")


def kernels_in(operator: str, part: str | None) -> set[str]:
    """The kernels that a source has for the compiler at first use, or all of them where `part` is None."""
    defined = [] if part is None else defined_for(part)
    command = ["c++", "-E", "-P", "-x", "c++", f"-I{Path(gate.__file__).parent}", *defined, str(source_of(operator))]
    return set(KERNEL_NAMES.findall(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_at_first_use_one_pass_of_one_type_and_width_is_compiled(subject) -> None:
    everything = kernels_in(subject.name, None)
    shared = {name for name in everything if not part_of(name)}
    assert kernels_in(subject.name, "") == shared
    parts = {part_of(name) for name in everything} - {""}
    assert {part.split("_")[0] for part in parts} >= {"forward", "backward"}
    for part in sorted(parts)[:: max(1, len(parts) // 4)]:
        assert kernels_in(subject.name, part) == shared | {name for name in everything if part_of(name) == part}


@pytest.mark.parametrize("subject", [one for one in SUBJECTS if one.name != "causal_conv"], ids=lambda one: one.name)
@pytest.mark.parametrize(("forward", "backward"), [("cuda", "cpu"), ("cpu", "cuda"), ("chunk", "cuda")])
def test_a_forward_pass_on_one_rung_and_a_backward_pass_on_another_fit(subject, forward, backward) -> None:
    shape = (2, 77, *[19] * subject.width_count)
    assert error_of(subject, shape, torch.float32, forward=forward, backward=backward) <= GATES[torch.float32]


@pytest.mark.parametrize("dtype", GATES, ids=str)
def test_corrections_that_all_meet_in_one_key_lose_no_digits(dtype) -> None:
    subject = BY_NAME["wkv7"]
    r, k, v, log_decay, a, b, state = subject.draw((1, 50, 32, 32))
    unit = a[:1, :1].clone()
    log_decay[:], a[:], b[:] = -1e-4, -unit, unit  # (I - M)^-1 is tame, though M's powers exceed a thousand
    given, exact = narrowed(subject, (r, k, v, log_decay, a, b, state), dtype)
    wanted, above = truth(subject, exact, narrow=dtype)
    found = computed(subject.module("cuda"), given, above)
    assert max(relative_rms(one, other) for one, other in zip(found, wanted, strict=True)) <= GATES[dtype]


@pytest.mark.parametrize("name", ["wkv6", "wkv7"])
def test_a_decay_without_end_forgets_and_a_nan_is_not_swallowed(name) -> None:
    subject = BY_NAME[name]
    inputs = subject.draw((1, 40, 5, 6), dtype=torch.float32)
    inputs[3][0, 20] = -torch.inf
    y, final, _ = subject.module("cuda").forward(*inputs)
    wanted = subject.module("ref").forward(*(part.double() for part in inputs))
    assert max(relative_rms(one, other) for one, other in zip((y, final), wanted, strict=False)) <= GATES[torch.float32]
    inputs[3][0, 30] = torch.nan
    y, final, _ = subject.module("cuda").forward(*inputs)
    assert y[0, 32:].isnan().all()
    assert final.isnan().all()
    assert y[0, :16].isfinite().all()


@pytest.mark.parametrize("dtype", GATES, ids=str)
@pytest.mark.parametrize("multiprocessors", [1, 1000])
def test_documents_in_one_row_do_not_mix_in_the_convolution(dtype, multiprocessors, monkeypatch) -> None:
    monkeypatch.setattr("trainer.ops.cuda.launch._EMULATED_MULTIPROCESSORS", multiprocessors)
    subject = BY_NAME["causal_conv"]
    for taps in (1, 3, 4, 8):
        given, exact = narrowed(subject, subject.draw((2, 70, 33, taps - 1)), dtype)
        reach = torch.randint(0, 9, (2, 70), generator=torch.Generator().manual_seed(taps), dtype=torch.int32)
        above = torch.randn(2, 70, 33).to(dtype), torch.randn(2, taps - 1, 33)
        wanted = [*subject.module("ref").forward(*exact, reach)]
        wanted += subject.module("ref").backward(*(part.double() for part in above), *exact, reach)
        found = [*subject.module("cuda").forward(*given, reach)]
        found += subject.module("cuda").backward(*above, *given, reach)
        assert max(relative_rms(one, other) for one, other in zip(found, wanted, strict=True)) <= GATES[dtype]


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_torch_computes_what_a_gpu_gets_where_its_kernels_cannot_be_had(subject) -> None:
    given, exact = narrowed(subject, subject.draw((1, 20, *[9] * subject.width_count)), torch.bfloat16)
    wanted, above = truth(subject, exact, narrow=torch.bfloat16)
    found = computed(InOneType(subject.module("chunk")), given, above)
    assert [part.dtype for part in found[2:]] == [part.dtype for part in given]
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
    found = resources(subject.name, ("90",))
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
