"""Tells torch of functions that many small passes of torch would take: in C on the processor, in torch elsewhere.

Unlike the recurrences (registration.py) they have no state, and a gradient for their first argument alone. A GPU keeps
torch's own passes, which its compilers fuse.
"""

import importlib
from collections.abc import Callable
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from trainer.ops import loader
from trainer.ops.loader import Rung
from trainer.ops.registration import Passes, define


class FusedFunction(Protocol):
    """What ref.py and cpu.py of a fused function offer: plain functions of detached tensors."""

    def forward(self, *inputs: Any) -> tuple[Tensor, ...]:
        """The result, and what the backward pass wants to know of it."""

    def backward(self, gradient: Tensor, *saved: Any) -> Tensor:
        """The gradient of the first input; `saved` are the inputs and what the forward pass left."""


def register(name: str, arguments: str, shapes: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., Any]:
    """Defines the function and its gradient; returns the first, which gives the result and what it leaves behind.

    Args:
        name: the folder under trainer/ops.
        arguments: their schema; tensors come first.
        shapes: empty outputs for inputs, used while tracing.

    """
    tensors = arguments.count("Tensor ")
    kinds = arguments.split(", ")
    saved = ", ".join([*kinds[:tensors], "Tensor kept", *kinds[tensors:]])

    def forward(*inputs: Any) -> tuple[Tensor, ...]:
        return _implementation(name, inputs[0]).forward(*inputs)

    def backward(gradient: Tensor, *inputs: Any) -> Tensor:
        return _implementation(name, inputs[0]).backward(gradient, *inputs)

    def shape_of_gradient(_gradient: Tensor, *inputs: Any) -> Tensor:
        return torch.empty_like(inputs[0], memory_format=torch.contiguous_format)

    def remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*inputs[:tensors], output[1])
        ctx.numbers = inputs[tensors:]

    def gradient(ctx: Any, above: Tensor, _kept: Tensor | None) -> tuple[Tensor | None, ...]:
        found = getattr(torch.ops.trainer, f"{name}_backward")(above, *ctx.saved_tensors, *ctx.numbers)
        return found, *(None for _ in kinds[1:])

    passes = Passes(forward, backward, shapes, shape_of_gradient, remember, gradient)
    return define(name, f"({arguments}) -> (Tensor, Tensor)", f"(Tensor gradient, {saved}) -> Tensor", passes)


def _implementation(name: str, sample: Tensor) -> FusedFunction:
    file = "cpu" if loader.rung_for(name, sample) is Rung.NATIVE else "ref"
    return cast("FusedFunction", importlib.import_module(f"trainer.ops.{name}.{file}"))
