"""Tells torch of an operator: its schema, its kernels by rung, its shapes for tracing and its gradient.

The pair `trainer::name` and `trainer::name_backward` is opaque to torch.compile. Every operator has a gradient for all
inputs but the optional ones, states included, and gives y, final_state and, where it has any, checkpoints that only
its own backward reads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trainer.ops import loader

_LIBRARY = torch.library.Library("trainer", "FRAGMENT")

Shapes = Callable[..., tuple[Tensor, ...]]


def register(
    name: str,
    inputs: tuple[str, ...],
    shapes: Shapes,
    *,
    checkpoints: bool,
    optional: tuple[str, ...] = (),
    implementation: Callable[[Tensor], loader.Implementation] | None = None,
) -> Callable[..., Any]:
    """Defines both operators; returns the forward one.

    Args:
        name: the folder under trainer/ops.
        inputs: the tensor arguments' names.
        shapes: empty outputs for inputs, used while tracing.
        checkpoints: whether the forward pass returns something for the backward pass as its third output.
        optional: tensors after the inputs that may be missing and have no gradient.
        implementation: what computes it on tensors like the first input; None for the rung of the folder `name`.

    """
    arguments = ", ".join([*(f"Tensor {part}" for part in inputs), *(f"Tensor? {part}=None" for part in optional)])
    saved = arguments.replace("=None", "")  # all are handed over, and nothing may follow a default
    saved += ", Tensor checkpoints" if checkpoints else ""
    outputs = ", ".join(["Tensor"] * (3 if checkpoints else 2))
    gradients = ", ".join(["Tensor"] * len(inputs))

    def chosen(sample: Tensor) -> loader.Implementation:
        return implementation(sample) if implementation else loader.implementation(name, sample)

    def forward(*tensors: Tensor) -> tuple[Tensor, ...]:
        return chosen(tensors[0]).forward(*tensors)

    def backward(*tensors: Tensor) -> tuple[Tensor, ...]:
        return chosen(tensors[0]).backward(*tensors)

    def shapes_of_gradients(*tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(
            torch.empty_like(part, memory_format=torch.contiguous_format) for part in tensors[2 : 2 + len(inputs)]
        )

    def remember(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*inputs, *output[2:])
        ctx.outputs = [(part.shape, part.dtype, part.device) for part in output[:2]]

    def gradient(ctx: Any, *above: Tensor | None) -> tuple[Tensor | None, ...]:
        given = [
            torch.zeros(shape, dtype=dtype, device=device) if part is None else part
            for part, (shape, dtype, device) in zip(above[:2], ctx.outputs, strict=True)
        ]
        found = getattr(torch.ops.trainer, f"{name}_backward")(*given, *ctx.saved_tensors)
        return *found, *(None for _ in optional)

    passes = Passes(forward, backward, shapes, shapes_of_gradients, remember, gradient)
    return define(
        name, f"({arguments}) -> ({outputs})", f"(Tensor grad_y, Tensor grad_final, {saved}) -> ({gradients})", passes
    )


@dataclass(frozen=True, slots=True)
class Passes:
    """What torch is told of an operator beside its schema."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    shapes: Callable[..., Any]  # empty outputs for inputs, used while tracing
    shapes_of_gradients: Callable[..., Any]
    remember: Callable[..., None]  # autograd's setup_context
    gradient: Callable[..., Any]  # autograd's backward, which calls the operator's


def define(name: str, schema: str, schema_of_gradients: str, passes: Passes) -> Callable[..., Any]:
    """Defines `trainer::name` and `trainer::name_backward`; returns the first."""
    _LIBRARY.define(f"{name}{schema}")
    _LIBRARY.define(f"{name}_backward{schema_of_gradients}")
    _LIBRARY.impl(name, passes.forward, "CompositeExplicitAutograd")
    _LIBRARY.impl(f"{name}_backward", passes.backward, "CompositeExplicitAutograd")
    torch.library.register_fake(f"trainer::{name}", passes.shapes, lib=_LIBRARY)
    torch.library.register_fake(f"trainer::{name}_backward", passes.shapes_of_gradients, lib=_LIBRARY)
    torch.library.register_autograd(f"trainer::{name}", passes.gradient, setup_context=passes.remember, lib=_LIBRARY)
    operator: Callable[..., Any] = getattr(torch.ops.trainer, name).default
    return operator


def working_type(*tensors: Tensor) -> torch.dtype:
    """Double where any tensor is double, else fp32: states never lose precision to half-precision inputs."""
    return torch.float64 if any(tensor.dtype is torch.float64 for tensor in tensors) else torch.float32


def memory_type(kind: torch.dtype, first: Tensor) -> torch.dtype:
    """The type in which `first`, and what goes by its type, goes to a kernel: a GPU's read and write a narrow one as it
    is, for memory is what they wait for; everything else gets the working type `kind`.
    """
    return first.dtype if loader.is_read_narrow(first) and kind is torch.float32 else kind


def for_kernels(part: Tensor) -> Tensor:
    """As a layer hands it to an operator: a narrow tensor as it is where kernels read it so, any other in fp32."""
    return part if loader.is_read_narrow(part) else part.float()


def require(condition: bool, sentence: str) -> None:
    """Refuses bad shapes before any kernel sees them.

    Raises:
        ValueError: with `sentence`, where the condition does not hold.

    """
    if not condition:
        raise ValueError(sentence)
