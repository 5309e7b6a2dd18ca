"""The fused functions say and learn what torch's passes say in double precision; what is not learnt costs nothing."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.unit.trainer.ops.subjects import relative_rms, use_instructions
from trainer.ops import build, loader
from trainer.ops.capped_cross_entropy import capped_cross_entropy
from trainer.ops.loader import Rung
from trainer.ops.masked_softmax import masked_softmax
from trainer.ops.rms_norm import EPSILON, rms_norm
from trainer.ops.squared_relu import squared_relu

GATE = 1e-6
SHAPES = [(1, 2), (3, 7), (2, 5, 16), (4, 3, 17), (130, 264)]  # rows and width
RUNGS = [Rung.NATIVE, Rung.REF]


def normal(*sizes: int, seed: int = 0) -> Tensor:
    return torch.randn(sizes, generator=torch.Generator().manual_seed(seed))


def learnt(function: Callable[[Tensor], Tensor], x: Tensor) -> list[Tensor]:
    """The result and the gradient of some weighted sum of it."""
    leaf = x.detach().clone().requires_grad_()
    y = function(leaf)
    above = normal(*y.shape, seed=1).to(y.dtype)
    return [y.detach(), *torch.autograd.grad(y, leaf, above)]


def priced(logits: Tensor, targets: Tensor, weights: Tensor, cap: float) -> Tensor:
    """The definition, in torch's passes."""
    bounded = cap * torch.tanh(logits / cap) if cap else logits
    nats = functional.cross_entropy(bounded.flatten(0, -2), targets.flatten(), reduction="none")
    return nats.view(targets.shape) * weights


def drawn_mask(shape: tuple[int, ...]) -> Tensor:
    """Half of what there is, and nothing at all in the last row."""
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(3)) < 0.5
    mask.view(-1, shape[-1])[-1] = False
    return mask


def looked(scores: Tensor, mask: Tensor, scale: float) -> Tensor:
    """The definition, in torch's passes; a row that sees nothing has weights 0."""
    return torch.softmax(torch.where(mask, scores * scale, -torch.inf), -1).nan_to_num(0.0)


def drawn_targets(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """One target in each row, and weights of which some are 0."""
    generator = torch.Generator().manual_seed(2)
    targets = torch.randint(shape[-1], shape[:-1], generator=generator)
    return targets, torch.rand(shape[:-1], generator=generator) * (torch.rand(shape[:-1], generator=generator) < 0.7)


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_norm_and_its_gradient_agree_with_double_precision(shape, rung, monkeypatch) -> None:
    monkeypatch.setenv(loader.RUNG_VARIABLE, rung)
    x = normal(*shape)
    wanted = learnt(lambda x: functional.rms_norm(x, (shape[-1],), eps=EPSILON), x.double())
    for one, other in zip(learnt(rms_norm, x), wanted, strict=True):
        assert relative_rms(one, other) <= GATE


@pytest.mark.parametrize("rung", RUNGS)
def test_a_narrow_norm_is_rounded_once_and_its_gradient_not_at_all(rung, monkeypatch) -> None:
    monkeypatch.setenv(loader.RUNG_VARIABLE, rung)
    x = normal(30, 261)
    narrow, gradient = learnt(lambda x: rms_norm(x, torch.bfloat16), x)
    assert torch.equal(narrow, rms_norm(x).bfloat16())
    above = normal(*x.shape, seed=1).bfloat16().double()
    leaf = x.double().requires_grad_()
    (wanted,) = torch.autograd.grad(functional.rms_norm(leaf, (261,), eps=EPSILON), leaf, above)
    assert gradient.dtype is torch.float32
    assert relative_rms(gradient, wanted) <= GATE


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_softmax_and_its_gradient_agree_with_double_precision(shape, rung, monkeypatch) -> None:
    monkeypatch.setenv(loader.RUNG_VARIABLE, rung)
    scores, mask = 8 * normal(*shape), drawn_mask(shape)
    scores[~mask] = 1e30  # what is not seen does not matter
    wanted = learnt(lambda scores: looked(scores, mask, 0.3), scores.double())
    found = learnt(lambda scores: masked_softmax(scores, mask, 0.3, torch.float32), scores)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=3e-6, atol=GATE)
        assert not one[~mask].any()


def test_a_mask_for_all_heads_and_narrow_weights_are_rounded_once() -> None:
    scores, mask = 8 * normal(3, 4, 9, 40), drawn_mask((3, 1, 9, 40))
    weights, gradient = learnt(lambda scores: masked_softmax(scores, mask, 0.3, torch.bfloat16), scores)
    wide = masked_softmax(scores, mask, 0.3, torch.float32)
    assert torch.equal(weights, wide.bfloat16())
    leaf = scores.double().requires_grad_()
    above = normal(*scores.shape, seed=1).bfloat16().double()
    (wanted,) = torch.autograd.grad(looked(leaf, mask, 0.3), leaf, above)
    assert gradient.dtype is torch.float32
    assert relative_rms(gradient, wanted) <= GATE


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", [*SHAPES, (40_001,)], ids=str)
def test_the_squares_and_their_gradient_are_torch_s_to_the_last_bit(shape, dtype, rung, monkeypatch) -> None:
    monkeypatch.setenv(loader.RUNG_VARIABLE, rung)
    x = normal(*shape).to(dtype)
    wanted = learnt(lambda x: functional.relu(x).square(), x)
    for one, other in zip(learnt(squared_relu, x), wanted, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("cap", [0.0, 15.0])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_loss_and_its_gradient_agree_with_double_precision(shape, cap, rung, monkeypatch) -> None:
    monkeypatch.setenv(loader.RUNG_VARIABLE, rung)
    logits = 8 * normal(*shape)
    rest = (*drawn_targets(shape), cap)
    wanted = learnt(lambda logits: priced(logits, *rest), logits.double())
    for one, other in zip(learnt(lambda logits: capped_cross_entropy(logits, *rest), logits), wanted, strict=True):
        torch.testing.assert_close(
            one.double(), other, rtol=GATE, atol=4e-6
        )  # a target that is nearly sure costs nearly 0


def test_narrow_logits_cost_what_they_are_and_get_a_gradient_that_is_rounded_once() -> None:
    shape = (50, 264)
    logits, rest = (4 * normal(*shape)).bfloat16(), (*drawn_targets(shape), 15.0)
    nats, gradient = learnt(lambda logits: capped_cross_entropy(logits, *rest), logits)
    wanted_nats, wanted = learnt(lambda logits: priced(logits, *rest), logits.double())
    assert (nats.dtype, gradient.dtype) == (torch.float32, torch.bfloat16)
    assert relative_rms(nats, wanted_nats) <= GATE
    # Half of the last of eight bits, and what fp32 had lost before.
    assert ((gradient.double() - wanted).abs() <= 2**-8 * wanted.abs() + 1e-9).all()


def test_what_is_not_learnt_costs_nothing_whatever_it_is() -> None:
    logits = normal(3, 20)
    logits[1] = math.inf
    leaf = logits.requires_grad_()
    paid = capped_cross_entropy(leaf, torch.tensor([1, 2, 3]), torch.tensor([1.0, 0.0, 2.0]), 15.0)
    (gradient,) = torch.autograd.grad(paid.sum(), leaf)
    assert paid[1] == 0.0
    assert not gradient[1].any()
    assert gradient[[0, 2]].abs().sum(1).gt(0.1).all()


@pytest.mark.parametrize("rung", RUNGS)
def test_a_nan_is_not_swallowed(rung, monkeypatch) -> None:
    monkeypatch.setenv(loader.RUNG_VARIABLE, rung)
    x = normal(4, 40)
    x[2, 33] = math.nan
    assert rms_norm(x)[2].isnan().all()
    assert squared_relu(x)[2].isnan().sum() == 1
    seen = masked_softmax(x, torch.ones(40, dtype=torch.bool), 1.0, torch.float32)
    assert seen.isnan().all(1).tolist() == [False, False, True, False]
    paid = capped_cross_entropy(x, torch.zeros(4, dtype=torch.int64), torch.ones(4), 15.0)
    assert paid.isnan().tolist() == [False, False, True, False]


@pytest.mark.parametrize("rung", RUNGS)
def test_torch_s_own_checks_pass(rung, monkeypatch) -> None:
    monkeypatch.setenv(loader.RUNG_VARIABLE, rung)
    x, (targets, weights) = normal(3, 5).requires_grad_(), drawn_targets((3, 5))
    torch.library.opcheck(torch.ops.trainer.rms_norm.default, (x, False))
    torch.library.opcheck(torch.ops.trainer.rms_norm.default, (x, True))
    torch.library.opcheck(torch.ops.trainer.squared_relu.default, (x,))
    torch.library.opcheck(torch.ops.trainer.masked_softmax.default, (x, drawn_mask((3, 5)), 0.3, True))
    torch.library.opcheck(torch.ops.trainer.capped_cross_entropy.default, (x, targets, weights, 15.0))


def test_gradients_written_by_hand_equal_finite_differences() -> None:
    x, (targets, weights) = normal(6, 5).double().requires_grad_(), drawn_targets((6, 5))
    for function in (
        lambda x: torch.ops.trainer.rms_norm(x, False)[0],
        lambda x: torch.ops.trainer.squared_relu(x)[0],
        lambda x: torch.ops.trainer.masked_softmax(x, drawn_mask((6, 5)), 0.3, False)[0],
        lambda x: torch.ops.trainer.capped_cross_entropy(x, targets, weights.double(), 15.0)[0],
    ):
        assert torch.autograd.gradcheck(function, x)


def test_a_whole_graph_compiles_and_gives_the_same() -> None:
    torch.compiler.reset()
    targets, weights = drawn_targets((9, 12))

    def loss(x: Tensor) -> Tensor:
        return capped_cross_entropy(squared_relu(rms_norm(x)), targets, weights, 15.0).sum()

    x = normal(9, 12)
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    for one, other in zip(learnt(compiled, x), learnt(loss, x), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    x, (targets, weights) = normal(300, 264), drawn_targets((300, 264))
    seen = drawn_mask((300, 264))
    softmax = lambda x: masked_softmax(x, seen, 0.3, torch.float32)  # noqa: E731  # one of three alike
    functions = (rms_norm, squared_relu, softmax, lambda x: capped_cross_entropy(x, targets, weights, 15.0))
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append([part for function in functions for part in learnt(function, x)])
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(one, two) for one, two in zip(found[0], other, strict=True))


@pytest.mark.parametrize("instructions", build.INSTRUCTION_SETS)
def test_every_instruction_set_agrees(instructions: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_instructions(instructions, monkeypatch)
    logits, rest = 8 * normal(40, 261), (*drawn_targets((40, 261)), 15.0)
    wanted = learnt(lambda logits: priced(logits, *rest), logits.double())
    for one, other in zip(learnt(lambda logits: capped_cross_entropy(logits, *rest), logits), wanted, strict=True):
        assert relative_rms(one, other) <= GATE
    wanted = learnt(lambda x: functional.rms_norm(x, (261,), eps=EPSILON), logits.double())
    for one, other in zip(learnt(rms_norm, logits), wanted, strict=True):
        assert relative_rms(one, other) <= GATE
    mask = drawn_mask((40, 261))
    wanted = learnt(lambda x: looked(x, mask, 0.3), logits.double())
    for one, other in zip(learnt(lambda x: masked_softmax(x, mask, 0.3, torch.float32), logits), wanted, strict=True):
        assert relative_rms(one, other) <= GATE
    narrow = learnt(lambda x: masked_softmax(rms_norm(x, torch.bfloat16).float(), mask, 0.3, torch.bfloat16), logits)
    for one, other in zip(narrow, learnt(lambda x: looked(rms_norm(x), mask, 0.3), logits), strict=True):
        assert relative_rms(one, other) <= 1e-2


def test_targets_of_another_shape_are_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="must have logits' rows"):
        capped_cross_entropy(normal(3, 5), torch.zeros(4, dtype=torch.int64), torch.ones(3))
