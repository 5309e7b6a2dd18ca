"""The convolution with SiLU behind it says and learns what the two say one after the other, wherever its input lies."""

from collections.abc import Callable
from unittest.mock import Mock

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.unit.trainer.ops.subjects import relative_rms, use_instructions
from tests.unit.trainer.ops.test_causal_conv import DOCUMENTS, draw, reach_of
from trainer.ops import build, loader
from trainer.ops.causal_conv import activated_cpu, causal_conv
from trainer.ops.causal_conv.activated import silu_conv

Convolution = Callable[..., tuple[Tensor, Tensor]]
GATES = {torch.float32: 1e-6, torch.bfloat16: 3e-3}


def learnt(function: Convolution, inputs: tuple[Tensor, ...], reach: Tensor) -> list[Tensor]:
    """Both results, and the gradients of some function of both."""
    leaves = [part.detach().requires_grad_() for part in inputs]
    x, taps, bias, state = leaves
    y, final = function(x, taps, bias, initial_state=state, reach=reach)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).bfloat16().to(y.dtype)
    asked = (y * weights).sum() + final.square().sum()
    return [y.detach(), final.detach(), *torch.autograd.grad(asked, leaves)]


def one_after_the_other(x: Tensor, taps: Tensor, bias: Tensor, **rest: Tensor) -> tuple[Tensor, Tensor]:
    y, final = causal_conv(x, taps, bias, **rest)
    return functional.silu(y), final


def worst(documents: tuple[int, ...], taps: int, dtype: torch.dtype) -> float:
    """Against double precision; the input lies in a projection twice as wide."""
    x, *others = draw(sum(documents), taps)
    beside = torch.cat([x, x], -1).to(dtype)[..., x.shape[-1] :]
    found = learnt(silu_conv, (beside, *others), reach_of(documents))
    exact = tuple(part.double() for part in (beside, *others))
    wanted = learnt(one_after_the_other, exact, reach_of(documents))
    return max(relative_rms(one, other) for one, other in zip(found, wanted, strict=True) if other.numel())


@pytest.mark.parametrize("dtype", GATES, ids=str)
@pytest.mark.parametrize("taps", [1, 4, 8])
@pytest.mark.parametrize("documents", DOCUMENTS, ids=str)
def test_c_agrees_with_double_precision(
    documents: tuple[int, ...], taps: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = Mock(side_effect=activated_cpu.forward)
    monkeypatch.setenv(loader.RUNG_VARIABLE, "native")
    monkeypatch.setattr(activated_cpu, "forward", called)
    assert worst(documents, taps, dtype) <= GATES[dtype]
    assert called.call_count == 1


def test_without_c_it_is_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(loader.RUNG_VARIABLE, "chunk")
    inputs, reach = draw(70, 4), reach_of((3, 67))
    pairs = zip(learnt(silu_conv, inputs, reach), learnt(one_after_the_other, inputs, reach), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("instructions", build.INSTRUCTION_SETS)
def test_every_instruction_set_agrees(instructions: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_instructions(instructions, monkeypatch)
    for dtype, gate in GATES.items():
        assert worst((2, 130, 1), 4, dtype) <= gate


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(learnt(silu_conv, draw(200, 4, 70), reach_of((60, 140))))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(one, two) for one, two in zip(found[0], other, strict=True))


def test_torch_s_own_checks_pass_and_a_whole_graph_compiles() -> None:
    inputs = [part.requires_grad_() for part in draw(11, 4, 3)]
    torch.library.opcheck(torch.ops.trainer.silu_conv.default, (*inputs, reach_of((4, 2, 5)).int()))
    torch.compiler.reset()
    x, taps, bias, _ = (part.detach() for part in inputs)
    compiled = torch.compile(lambda x: silu_conv(x, taps, bias)[0], fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), silu_conv(x, taps, bias)[0])


def test_wrong_shapes_are_refused_with_a_sentence() -> None:
    x, taps, _, _ = draw(5, 8)
    with pytest.raises(ValueError, match="1 to 8 taps"):
        silu_conv(x, taps[:0])
