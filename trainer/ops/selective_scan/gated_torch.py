"""The gated scan of torch's functions around the scan: `composed` for autograd, `forward` and `backward` by hand.

A document forgets what was before it by a step so long that nothing is left, and by an input weighed down by as much.
"""

import torch
from torch import Tensor
from torch.nn import functional

from trainer.ops import loader
from trainer.ops.registration import working_type
from trainer.ops.selective_scan import selective_scan
from trainer.ops.underflow import UNDERFLOW


def _steps(delta: Tensor, a: Tensor, bias: Tensor, begins: Tensor | None) -> tuple[Tensor, Tensor]:
    """The step sizes, and what the states decay by: the same but where a document begins."""
    sizes = functional.softplus(delta + bias)
    if begins is None or not a.numel():
        return sizes, sizes
    return sizes, sizes + begins.to(sizes.dtype)[..., None] * (UNDERFLOW / a.detach().abs().min())


def composed(inputs: tuple[Tensor, ...], begins: Tensor | None) -> tuple[Tensor, Tensor]:
    """The nine inputs to y in u's type and the final state; any types, as torch mixes them."""
    u, delta, a, b, c, skip, gate, bias, initial_state = inputs
    kind = working_type(u, delta, a, b, c, initial_state)
    sizes, decaying = _steps(delta.to(kind), a, bias, begins)
    written = u if sizes is decaying else u * (sizes / decaying)
    y, final = selective_scan(
        written.to(kind), decaying, a.to(kind), b.to(kind), c.to(kind), initial_state=initial_state.to(kind)
    )
    return ((y + skip * u) * functional.silu(gate)).to(u.dtype), final


def forward(*inputs: Tensor | None) -> tuple[Tensor, ...]:
    """Gives y, the final state and the scan's checkpoints; the inputs in the operator's order, `begins` last."""
    given, begins = _widened(inputs)
    u, _, _, _, _, skip, gate, _, _ = given
    y, final, checkpoints = _scan(given, begins)[0]
    return ((y + skip * u) * functional.silu(gate)).to(_present(inputs[0]).dtype), final, checkpoints


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor | None) -> tuple[Tensor, ...]:
    """The gradients of the nine inputs; the scan runs once more for what the gate multiplied."""
    given, begins = _widened(saved[:-1])
    u, delta, _, _, _, skip, gate, bias, _ = given
    (y, _, checkpoints), scanned, ratio = _scan(given, begins)
    above, opened = grad_y.to(u.dtype), torch.sigmoid(gate)
    grad_gate = above * (y + skip * u) * opened * (1 + gate * (1 - opened))
    above = above * gate * opened
    found = loader.implementation("selective_scan", u).backward(
        above.contiguous(), grad_final.to(u.dtype), *scanned, checkpoints
    )
    grad_written, grad_decaying, grad_a, grad_b, grad_c, grad_initial = found
    grad_steps = grad_decaying + grad_written * u * (1 - ratio) / scanned[1]  # ratio = sizes / (sizes + constant)
    grad_delta = grad_steps * torch.sigmoid(delta + bias)
    gradients = (
        *(grad_written * ratio + skip * above, grad_delta, grad_a, grad_b, grad_c),
        *((above * u).sum((0, 1)), grad_gate, grad_delta.sum((0, 1)), grad_initial),
    )
    return tuple(part.to(_present(like).dtype) for part, like in zip(gradients, saved, strict=False))


def _scan(given: tuple[Tensor, ...], begins: Tensor | None) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...], Tensor]:
    """The bare scan's results, its inputs, and by how much u is weighed down in them."""
    u, delta, a, b, c, _, _, bias, initial_state = given
    sizes, decaying = _steps(delta, a, bias, begins)
    ratio = sizes / decaying
    scanned = (u * ratio, decaying, a, b, c, initial_state)
    return loader.implementation("selective_scan", u).forward(*scanned), scanned, ratio


def _widened(inputs: tuple[Tensor | None, ...]) -> tuple[tuple[Tensor, ...], Tensor | None]:
    """The nine inputs in fp32 or double, and `begins`."""
    given = tuple(_present(part) for part in inputs[:9])
    kind = working_type(*given)
    return tuple(part.to(kind) for part in given), inputs[9] if len(inputs) > len(given) else None


def _present(part: Tensor | None) -> Tensor:
    if part is None:
        raise ValueError("Only `begins` may be missing.")
    return part
