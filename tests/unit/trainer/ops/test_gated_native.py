"""The gated scan in C says and learns what torch's functions around the scan do, bit by bit the same each time."""

import pytest
import torch
from torch import Tensor

from tests.unit.trainer.ops.subjects import relative_rms, use_instructions
from tests.unit.trainer.ops.test_gated_scan import GATES, drawn, error, shapes
from trainer.ops import build, loader
from trainer.ops.selective_scan import gated_cpu
from trainer.ops.selective_scan.gated import gated_scan


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_c_agrees_with_the_composition_on_awkward_shapes(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    wrong = {
        shape: worst
        for seed, shape in enumerate([*shapes(30), (2, 40, 5, 70), (1, 9, 3, 0)])
        if not (worst := error(gated_cpu, shape, dtype, seed)) <= GATES[dtype]
    }
    assert wrong == {}


@pytest.mark.parametrize("instructions", build.INSTRUCTION_SETS)
def test_every_instruction_set_agrees(instructions: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_instructions(instructions, monkeypatch)
    assert max(error(gated_cpu, shape, torch.float32, seed) for seed, shape in enumerate(shapes(6))) <= 1e-5


def learnt(rung: str, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """What the layers' function gives and learns on the rung."""
    monkeypatch.setenv(loader.RUNG_VARIABLE, rung)
    inputs, begins = drawn(3, 70, 40, 16, seed=1)
    u, delta, a, b, c, skip, gate, bias, state = leaves = [
        part.detach().float().to(dtype).requires_grad_() for part in inputs
    ]
    y, final = gated_scan(u, delta, a, b, c, skip=skip, gate=gate, bias=bias, initial_state=state, begins=begins)
    return [y.detach(), final.detach(), *torch.autograd.grad(y.sin().sum() + final.square().sum(), leaves)]


def test_the_layers_function_runs_in_c_and_agrees_with_double_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    forward = gated_cpu.forward
    monkeypatch.setattr(gated_cpu, "forward", lambda *inputs: calls.append(1) or forward(*inputs))
    native, exact = learnt("native", monkeypatch), learnt("chunk", monkeypatch, torch.float64)
    assert calls == [1]
    assert max(relative_rms(one, other) for one, other in zip(native, exact, strict=True)) <= 1e-5


def test_results_depend_neither_on_the_run_nor_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 1):
            torch.set_num_threads(threads)
            found.append(learnt("native", monkeypatch))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(one, two) for one, two in zip(found[0], other, strict=True))


def test_nothing_at_all_crosses_into_a_new_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(loader.RUNG_VARIABLE, "native")
    inputs, _ = drawn(2, 50, 20, 8, seed=1)
    begins = torch.zeros(2, 50, dtype=torch.bool)
    begins[:, 23] = True
    u, delta, a, b, c, skip, gate, bias, state = leaves = [part.float().requires_grad_() for part in inputs]
    y, _ = gated_scan(u, delta, a, b, c, skip=skip, gate=gate, bias=bias, initial_state=state, begins=begins)
    to_u, to_delta, to_b, to_state = torch.autograd.grad(y[:, 23:].square().sum(), (u, delta, b, leaves[8]))
    for gradient in (to_u[:, :23], to_delta[:, :23], to_b[:, :23], to_state):
        assert not gradient.any()
    assert to_u[:, 23:].any()
