"""The causal convolution's reach: documents in one row do not mix, forward or backward, on every rung."""

import pytest
import torch
from torch import Tensor

from tests.unit.trainer.ops.subjects import relative_rms
from trainer.ops import loader
from trainer.ops.causal_conv import causal_conv

DOCUMENTS = [(40,), (1, 1, 1), (3, 1, 5, 2), (64, 65), (2, 130, 1)]  # lengths, in one row
GATE = 1e-5


def draw(length: int, taps: int, channels: int = 19, dtype: torch.dtype = torch.float32) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(length)
    shapes = ((2, length, channels), (taps, channels), (channels,), (2, taps - 1, channels))
    return tuple(torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes)


def reach_of(documents: tuple[int, ...]) -> Tensor:
    """How many predecessors each step has in its document; the first document goes on from the row before."""
    first, *others = documents
    return torch.cat([torch.full((first,), 7), *(torch.arange(length) for length in others)]).expand(2, -1)


def document_by_document(documents: tuple[int, ...], x: Tensor, taps: Tensor, bias: Tensor, state: Tensor) -> Tensor:
    """The truth: every document alone, the first one with the state, the others with nothing before them."""
    pieces = x.split(documents, 1)
    alone = [causal_conv(pieces[0], taps, bias, initial_state=state)[0]]
    return torch.cat([*alone, *(causal_conv(piece, taps, bias)[0] for piece in pieces[1:])], 1)


@pytest.mark.parametrize("rung", loader.Rung)
@pytest.mark.parametrize("documents", DOCUMENTS, ids=str)
@pytest.mark.parametrize("taps", [1, 4, 8])
def test_documents_in_one_row_equal_documents_alone(
    documents: tuple[int, ...], taps: int, rung: loader.Rung, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaves = [part.requires_grad_() for part in draw(sum(documents), taps)]
    x, weights, bias, state = leaves
    exact = [part.detach().double().requires_grad_() for part in leaves]
    monkeypatch.setenv(loader.RUNG_VARIABLE, "ref")
    wanted = document_by_document(documents, *exact)
    wanted_grads = torch.autograd.grad(wanted.sin().sum(), exact)
    monkeypatch.setenv(loader.RUNG_VARIABLE, rung)
    y, final = causal_conv(x, weights, bias, initial_state=state, reach=reach_of(documents))
    grads = torch.autograd.grad(y.sin().sum(), leaves)
    assert torch.equal(final, torch.cat([state, x], 1)[:, x.shape[1] :])
    for one, other in zip((y.detach(), *grads), (wanted.detach(), *wanted_grads), strict=True):
        assert relative_rms(one, other) <= GATE


@pytest.mark.parametrize("rung", loader.Rung)
def test_torch_s_own_checks_pass_with_a_reach(rung: loader.Rung, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(loader.RUNG_VARIABLE, rung)
    inputs = [part.requires_grad_() for part in draw(11, 4, 3)]
    torch.library.opcheck(torch.ops.trainer.causal_conv.default, (*inputs, reach_of((4, 2, 5)).int()))


@pytest.mark.parametrize("rung", [loader.Rung.REF, loader.Rung.CHUNK])
def test_gradients_with_a_reach_equal_finite_differences(rung: loader.Rung, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(loader.RUNG_VARIABLE, rung)
    inputs = [part.requires_grad_() for part in draw(11, 4, 3, torch.float64)]

    def limited(x: Tensor, taps: Tensor, bias: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        return causal_conv(x, taps, bias, initial_state=state, reach=reach_of((4, 2, 5)))

    assert torch.autograd.gradcheck(limited, inputs, fast_mode=True)


def test_a_whole_graph_with_a_reach_compiles() -> None:
    torch.compiler.reset()
    x, taps, bias, state = draw(11, 4, 3)
    reach = reach_of((4, 2, 5))

    def limited(x: Tensor) -> Tensor:
        return causal_conv(x, taps, bias, initial_state=state, reach=reach)[0]

    assert torch.equal(torch.compile(limited, fullgraph=True, backend="aot_eager")(x), limited(x))


@pytest.mark.parametrize("rung", loader.Rung)
def test_a_reach_out_of_bounds_is_taken_for_the_nearest_that_means_something(
    rung: loader.Rung, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(loader.RUNG_VARIABLE, rung)
    x, taps, bias, state = draw(6, 4)
    wild = torch.tensor([-(2**62), -1, 0, 2, 2**31 - 1, 2**62]).expand(2, -1)
    tame = torch.tensor([0, 0, 0, 2, 3, 3]).expand(2, -1)
    found, wanted = (causal_conv(x, taps, bias, initial_state=state, reach=reach)[0] for reach in (wild, tame))
    assert torch.equal(found, wanted)


def test_no_taps_or_too_many_or_a_reach_of_another_shape_are_refused_with_a_sentence() -> None:
    x, taps, _, _ = draw(5, 8)
    with pytest.raises(ValueError, match="1 to 8 taps"):
        causal_conv(x, torch.cat([taps, taps]))
    with pytest.raises(ValueError, match="1 to 8 taps"):
        causal_conv(x, taps[:0])
    with pytest.raises(ValueError, match=r"reach must be \(batch, length\)"):
        causal_conv(x, taps, reach=reach_of((4,)))
    with pytest.raises(ValueError, match="reach must be of integers"):
        causal_conv(x, taps, reach=reach_of((5,)).double())
