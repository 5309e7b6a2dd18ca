"""The gated scan says what torch's functions around the scan say: in kernels, by hand, and in a layer."""

import random

import pytest
import torch
from torch import Tensor

from tests.unit.trainer.ops.subjects import LENGTHS, WIDTHS, relative_rms
from trainer.config import ModelConfig
from trainer.data import Batch
from trainer.layers.mamba import Mamba
from trainer.layers.mixer import Sight
from trainer.model import LanguageModel
from trainer.monitor.components import components
from trainer.monitor.watch import Measures, Watch
from trainer.ops import loader
from trainer.ops.loader import Implementation, Rung
from trainer.ops.selective_scan import gated, gated_cuda, gated_torch
from trainer.ops.selective_scan.gated import gated_scan
from trainer.shape import ModelShape, shape_of

GATES = {torch.float32: 1e-5, torch.bfloat16: 5e-3, torch.float16: 1e-3}
WIDE = {"a", "skip", "bias", "initial_state"}  # fp32 whatever the rest is
NAMES = ("u", "delta", "a", "b", "c", "skip", "gate", "bias", "initial_state")


def drawn(batch: int, length: int, channels: int, states: int, seed: int) -> tuple[list[Tensor], Tensor | None]:
    """The inputs in double precision, the gate as half of a projection, and where documents begin in two of three."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*sizes: int) -> Tensor:
        return torch.randn(*sizes, dtype=torch.float64, generator=generator)

    inputs = [normal(batch, length, channels), 3 * normal(batch, length, channels) - 2]
    inputs += [-torch.exp(normal(channels, states)), normal(batch, length, states), normal(batch, length, states)]
    inputs += [normal(channels), normal(batch, length, 2 * channels)[..., channels:], normal(channels)]
    begins = torch.rand(batch, length, generator=generator) < 0.1
    return [*inputs, normal(batch, channels, states)], begins if seed % 3 else None


def shapes(count: int) -> list[tuple[int, ...]]:
    chance = random.Random("gated_scan")
    return [
        (chance.randint(1, 3), chance.choice(LENGTHS), chance.choice(WIDTHS), chance.choice(WIDTHS))
        for _ in range(count)
    ]


def error(module: Implementation, shape: tuple[int, ...], dtype: torch.dtype, seed: int) -> float:
    """The worst over outputs and gradients, against autograd in double precision."""
    inputs, begins = drawn(*shape, seed)
    given = [part.to(torch.float32 if n in WIDE else dtype) for n, part in zip(NAMES, inputs, strict=True)]
    leaves = [part.double().requires_grad_() for part in given]
    outputs = gated_torch.composed(tuple(leaves), begins)
    above = [torch.randn_like(part).to(dtype).double() for part in outputs]
    wanted = [*(part.detach() for part in outputs), *torch.autograd.grad(outputs, leaves, above)]
    y, final, checkpoints = module.forward(*given, begins)
    grads = module.backward(above[0].to(dtype), above[1].float(), *given, begins, checkpoints)
    assert [part.dtype for part in grads] == [part.dtype for part in given]
    return max(relative_rms(one, other) for one, other in zip([y, final, *grads], wanted, strict=True))


@pytest.mark.parametrize("dtype", GATES, ids=str)
@pytest.mark.parametrize("multiprocessors", [1, 1000])  # the length in one piece, and in as many as there are
def test_the_kernels_agree_with_the_composition_on_awkward_shapes(dtype, multiprocessors, monkeypatch) -> None:
    monkeypatch.setattr("trainer.ops.selective_scan.cuda.multiprocessors", lambda _device: multiprocessors)
    torch.manual_seed(0)
    wrong = {
        shape: worst
        for seed, shape in enumerate([*shapes(12), (2, 40, 5, 70), (1, 9, 3, 0)])
        if not (worst := error(gated_cuda, shape, dtype, seed)) <= GATES[dtype]
    }
    assert wrong == {}


@pytest.mark.parametrize("dtype", GATES, ids=str)
def test_the_gradients_written_by_hand_agree_with_autograd(dtype) -> None:
    torch.manual_seed(0)
    assert max(error(gated_torch, shape, dtype, seed) for seed, shape in enumerate(shapes(8))) <= GATES[dtype]


def test_torch_s_own_checks_of_the_operator_pass() -> None:
    inputs, begins = drawn(2, 21, 3, 4, seed=1)
    leaves = [part.detach().requires_grad_() for part in inputs]
    assert torch.autograd.gradcheck(lambda *given: gated._operator(*given, begins)[:2], leaves, fast_mode=True)
    narrow = [part.detach().float().requires_grad_() for part in inputs]
    for beginning in (begins, None):
        torch.library.opcheck(torch.ops.trainer.gated_scan.default, (*narrow, beginning))


def test_shapes_that_do_not_fit_are_refused_with_a_sentence() -> None:
    (u, delta, a, b, c, skip, gate, bias, _), begins = drawn(2, 5, 4, 3, seed=1)
    with pytest.raises(ValueError, match="u, delta and gate must all be"):
        gated_scan(u, delta, a, b, c, skip=skip, gate=gate[:1], bias=bias)
    with pytest.raises(ValueError, match="begins must be"):
        gated_scan(u, delta, a, b, c, skip=skip, gate=gate, bias=bias, begins=begins[:, :3])


def sight_of(documents: list[int], batch: int) -> Sight:
    segments = torch.tensor(documents).expand(batch, -1)
    single = len(set(documents)) == 1
    return Sight(torch.arange(len(documents), dtype=torch.float64), segments, segments[:, :0], single)


@pytest.mark.parametrize("documents", [[0] * 40, [0] * 9 + [1] * 31], ids=["one document", "two documents"])
@pytest.mark.parametrize("rung", [Rung.CHUNK, Rung.CUDA])
def test_a_layer_says_and_learns_the_same_through_one_operator(rung, documents, monkeypatch) -> None:
    torch.manual_seed(0)
    mixer = Mamba(ModelShape(("mamba",), 24, 24, (0,), 40, 5, 256))
    torch.nn.init.normal_(mixer.output.weight)
    x = torch.randn(2, 40, 24)

    def learnt() -> list[Tensor]:
        said, state = mixer(x, sight_of(documents, 2), mixer.initial_state(2, x.device))
        weights = [*mixer.parameters()]
        grads = torch.autograd.grad(said.square().sum() + state["scan"].sum(), weights)
        return [said.detach(), state["scan"].detach(), *grads]

    wanted = learnt()
    monkeypatch.setattr(gated, "_as_one_operator", lambda _u: True)
    monkeypatch.setattr(loader, "rung_for", lambda operator, _u: rung if operator == "selective_scan" else Rung.CHUNK)
    assert max(relative_rms(one, other) for one, other in zip(learnt(), wanted, strict=True)) <= 1e-5


def test_under_autocast_narrow_numbers_flow_into_the_kernels(monkeypatch) -> None:
    seen = {}

    def noted(*inputs: Tensor | None) -> tuple[Tensor, ...]:
        seen.update({name: part.dtype for name, part in zip(NAMES, inputs, strict=False)})
        return gated_torch.forward(*inputs)

    monkeypatch.setattr(gated, "_as_one_operator", lambda _u: True)
    monkeypatch.setattr(
        loader, "rung_for", lambda operator, _u: Rung.CUDA if operator == "selective_scan" else Rung.CHUNK
    )
    monkeypatch.setattr(gated_cuda, "forward", noted)
    mixer = Mamba(ModelShape(("mamba",), 24, 24, (0,), 40, 5, 256))
    with torch.autocast("cpu", torch.bfloat16):
        mixer(torch.randn(2, 40, 24), sight_of([0] * 40, 2), mixer.initial_state(2, torch.device("cpu")))
    assert seen == {name: torch.float32 if name in WIDE else torch.bfloat16 for name in NAMES}


def test_diagnostics_see_the_same_of_the_operator_as_of_the_bare_scan(monkeypatch) -> None:
    torch.manual_seed(0)
    shape = shape_of(ModelConfig(recipe="mamba", layers=1, width=32, states=4), context=40)
    model, ids = LanguageModel(shape), torch.zeros(2, 40, dtype=torch.long)
    batch = Batch(ids, targets=ids, weights=torch.ones(2, 40), segments=ids)

    def measured() -> Measures:
        with Watch(model, components(model), batch) as watch:
            model(batch.ids, batch.segments, None)
        return watch.measures()["layers.0.mamba"]

    monkeypatch.setattr(gated, "_as_one_operator", lambda _u: False)
    bare = measured()
    monkeypatch.setattr(gated, "_as_one_operator", lambda _u: True)
    assert measured() == {name: pytest.approx(value, rel=1e-4, abs=1e-6) for name, value in bare.items()}
