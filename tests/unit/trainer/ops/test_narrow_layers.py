"""Layers with matrix states under autocast: on a GPU narrow numbers reach the kernels, on the processor fp32 does."""

import importlib

import pytest
import torch
from torch import Tensor

from tests.unit.trainer.ops.subjects import relative_rms
from trainer.layers.mamba2 import Mamba2
from trainer.layers.mixer import Mixer, Sight
from trainer.layers.rwkv6 import Rwkv6
from trainer.layers.rwkv7 import Rwkv7
from trainer.ops import loader
from trainer.shape import ModelShape

LAYERS = {"wkv6": Rwkv6, "wkv7": Rwkv7, "ssd": Mamba2}
WIDE = {"wkv6": (3, 4, 5), "wkv7": (3, 6), "ssd": (1, 2, 5)}  # log decays, rates, step sizes and states stay fp32
DOCUMENTS = {"one document": [0] * 40, "two documents": [0] * 9 + [1] * 31}


def learnt(layer: Mixer, x: Tensor, documents: list[int]) -> list[Tensor]:
    """What the layer says under autocast, the state of its heads, and the gradients of its parameters."""
    segments = torch.tensor(documents).expand(len(x), -1)
    sight = Sight(torch.arange(x.shape[1]).double(), segments, segments[:, :0], len(set(documents)) == 1)
    with torch.autocast("cpu", torch.bfloat16):
        said, state = layer(x, sight, layer.initial_state(len(x), x.device))
    assert state["heads"].dtype is torch.float32
    grads = torch.autograd.grad(said.float().square().sum() + state["heads"].sum(), [*layer.parameters()])
    return [said.detach(), state["heads"].detach(), *grads]


@pytest.fixture(params=LAYERS)
def operator(request) -> str:
    return request.param


@pytest.fixture
def layer(operator) -> Mixer:
    torch.manual_seed(0)
    name = LAYERS[operator].__name__.lower()
    made = LAYERS[operator](ModelShape((name,), 32, 16, (0,), 40, 5, 256))
    torch.nn.init.normal_(made.output.weight, std=0.2)
    return made


@pytest.mark.parametrize("documents", DOCUMENTS.values(), ids=DOCUMENTS)
def test_under_autocast_narrow_numbers_flow_into_the_kernels(operator, layer, documents, monkeypatch) -> None:
    x = torch.randn(2, 40, 32)
    wanted, kernels, seen = learnt(layer, x, documents), importlib.import_module(f"trainer.ops.{operator}.cuda"), []

    class Noted:
        @staticmethod
        def forward(*inputs: Tensor) -> tuple[Tensor, ...]:
            seen.extend(part.dtype for part in inputs)
            return kernels.forward(*inputs)

        backward = staticmethod(kernels.backward)

    others = loader.implementation
    monkeypatch.setattr(loader, "is_read_narrow", lambda sample: sample.dtype in loader.NARROW)
    monkeypatch.setattr(
        loader, "implementation", lambda name, sample: Noted if name == operator else others(name, sample.float())
    )
    found = learnt(layer, x, documents)
    assert seen == [torch.float32 if at in WIDE[operator] else torch.bfloat16 for at in range(len(seen))]
    assert max(relative_rms(one, other.double()) for one, other in zip(found[:2], wanted[:2], strict=True)) <= 2e-2
    assert max(relative_rms(one, other.double()) for one, other in zip(found, wanted, strict=True)) <= 1e-1


def test_on_the_processor_operators_get_fp32(operator, layer, monkeypatch) -> None:
    others, seen = loader.implementation, []

    def noted(name: str, sample: Tensor) -> loader.Implementation:
        if name == operator:
            seen.append(sample.dtype)
        return others(name, sample)

    monkeypatch.setattr(loader, "implementation", noted)
    learnt(layer, torch.randn(2, 40, 32), DOCUMENTS["two documents"])
    assert seen == [torch.float32] * 2  # forward and backward
