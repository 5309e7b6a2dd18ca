"""The operators under test, each with inputs of any shape; shapes are awkward on purpose: odd, one, one off a chunk."""

import importlib
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from trainer.ops import build, loader
from trainer.ops.loader import Implementation

LENGTHS = [1, 2, 3, 5, 15, 16, 17, 31, 32, 33, 47, 65]
WIDTHS = [1, 2, 3, 7, 15, 16, 17, 31, 33, 48, 64]


@dataclass(frozen=True)
class Subject:
    name: str
    inputs: Callable[..., tuple[Tensor, ...]]
    width_count: int  # how many widths a shape has after (batch, length)
    time_inputs: tuple[int, ...]  # which inputs run along time, in their second dimension

    @property
    def operator(self) -> Callable[..., tuple[Tensor, Tensor]]:
        """The public function; the last of the inputs is its initial state."""
        function = getattr(importlib.import_module(f"trainer.ops.{self.name}"), self.name)
        return lambda *inputs: function(*inputs[:-1], initial_state=inputs[-1])

    def module(self, file: str) -> Implementation:
        return importlib.import_module(f"trainer.ops.{self.name}.{file}")

    def draw(self, shape: tuple[int, ...], seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(seed)

        def normal(*sizes: int) -> Tensor:
            return torch.randn(*sizes, dtype=torch.float64, generator=generator)

        return tuple(part.to(dtype) for part in self.inputs(normal, *shape))

    def shapes(self, count: int) -> list[tuple[int, ...]]:
        chance = random.Random(self.name)
        return [
            (chance.randint(1, 3), chance.choice(LENGTHS), *(chance.choice(WIDTHS) for _ in range(self.width_count)))
            for _ in range(count)
        ]


def _selective_scan(normal, batch, length, channels, states):
    delta, rates = softplus(normal(batch, length, channels) - 1), -torch.exp(normal(channels, states))
    drive = (normal(batch, length, states), normal(batch, length, states))
    return (normal(batch, length, channels), delta, rates, *drive, normal(batch, channels, states))


def _wkv6(normal, batch, length, keys, values):
    heads = 2
    r, k = normal(batch, length, heads, keys), normal(batch, length, heads, keys)
    log_decay = -torch.exp(2 * normal(batch, length, heads, keys))  # from nearly nothing to e^-50 and beyond
    v, bonus = normal(batch, length, heads, values), normal(heads, keys)
    return r, k, v, log_decay, bonus, normal(batch, heads, keys, values)


def _wkv7(normal, batch, length, keys, values):
    heads = 2
    r, k, found = (normal(batch, length, heads, keys) for _ in range(3))
    log_decay = -torch.exp(2 * normal(batch, length, heads, keys))
    a = -found / found.norm(dim=-1, keepdim=True)  # RWKV-7's layer keeps the corrections within bounds
    b = -a * torch.sigmoid(normal(batch, length, heads, keys))
    return r, k, normal(batch, length, heads, values), log_decay, a, b, normal(batch, heads, values, keys)


def _ssd(normal, batch, length, width, states):
    heads, groups = 4, 2
    x, delta = normal(batch, length, heads, width), softplus(normal(batch, length, heads))
    drive = (normal(batch, length, groups, states), normal(batch, length, groups, states))
    return (x, delta, -torch.exp(2 * normal(heads)), *drive, normal(batch, heads, width, states))


def _causal_conv(normal, batch, length, channels, width):
    taps = 1 + width % 8
    return normal(batch, length, channels), normal(taps, channels), normal(channels), normal(batch, taps - 1, channels)


SUBJECTS = [
    Subject("selective_scan", _selective_scan, 2, (0, 1, 3, 4)),
    Subject("wkv6", _wkv6, 2, (0, 1, 2, 3)),
    Subject("wkv7", _wkv7, 2, (0, 1, 2, 3, 4, 5)),
    Subject("ssd", _ssd, 2, (0, 1, 3, 4)),
    Subject("causal_conv", _causal_conv, 2, (0,)),
]
NATIVE = [subject for subject in SUBJECTS if build.has_native(subject.name)]
FAST = [(subject, file) for subject in SUBJECTS for file in ("cpu", "chunk") if file == "chunk" or subject in NATIVE]
BY_NAME = {subject.name: subject for subject in SUBJECTS}
assert tuple(BY_NAME) == loader.OPERATORS


def truth(
    subject: Subject, inputs: tuple[Tensor, ...], seed: int = 1, narrow: torch.dtype = torch.float64
) -> tuple[list[Tensor], tuple[Tensor, Tensor]]:
    """Outputs and all gradients by autograd over the loop in double precision, and the gradients of the outputs.

    narrow: the type that holds the gradient of y, so that what is computed from it in that type has the same given.
    """
    leaves = [part.detach().clone().double().requires_grad_() for part in inputs]
    outputs = subject.module("ref").forward(*leaves)[:2]
    generator = torch.Generator().manual_seed(seed)
    above = tuple(torch.randn(part.shape, dtype=torch.float64, generator=generator) for part in outputs)
    above = (above[0].to(narrow).double(), above[1])
    grads = torch.autograd.grad(outputs, leaves, above)
    return [*(part.detach() for part in outputs), *grads], above


def computed(module: Implementation, inputs: tuple[Tensor, ...], above: tuple[Tensor, Tensor]) -> list[Tensor]:
    """The same from an implementation's own forward and backward functions."""
    found = module.forward(*inputs)
    grad_y, grad_final = (part.to(inputs[0].dtype) for part in above)
    return [*found[:2], *module.backward(grad_y, grad_final, *inputs, *found[2:])]


def relative_rms(found: Tensor, wanted: Tensor) -> float:
    """Root mean square of the difference over that of what is wanted."""
    return float((found.double() - wanted).square().sum().sqrt() / wanted.square().sum().sqrt().clamp_min(1e-30))


def use_instructions(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiles C for an instruction set from now on; skips the test where this processor lacks it."""
    order = ["scalar", "avx2", "avx512"]
    if order.index(name) > order.index(build.instruction_set()):
        pytest.skip(f"needs a processor with {name}")
    monkeypatch.setenv(build.INSTRUCTION_SET_VARIABLE, name)
