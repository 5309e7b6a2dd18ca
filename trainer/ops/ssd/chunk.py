"""The state-space dual in torch alone: inside a chunk it is matrix products, between chunks a short loop over states.

One decay for each head makes the pairs' decays a small matrix, Decays are products of
decays and their gradients sums of products: nothing overflows, nothing cancels. Padding steps have decay 1.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from trainer.ops.ssd import CHUNK


def _chunked(part: Tensor) -> Tensor:
    """(B, L, H, X) as (B, chunks, H, CHUNK, X), padded with zeros."""
    batch, length, heads, width = part.shape
    chunks = -(-length // CHUNK)
    whole = pad(part, (0, 0, 0, 0, 0, chunks * CHUNK - length))
    return whole.view(batch, chunks, CHUNK, heads, width).transpose(2, 3).contiguous()


def _joined(part: Tensor, length: int) -> Tensor:
    """The way back: (B, chunks, H, CHUNK, X) as (B, L, H, X)."""
    batch, chunks, heads, steps, width = part.shape
    return part.transpose(2, 3).reshape(batch, chunks * steps, heads, width)[:, :length].contiguous()


def _shifted(part: Tensor) -> Tensor:
    """What stands at step t moves to step t + 1; the first step gets zero: (..., CHUNK)."""
    return pad(part[..., :-1], (1, 0))


@dataclass(frozen=True, slots=True)
class _Parts:
    """The inputs by chunks and heads: (B, chunks, H, CHUNK, ...)."""

    driven: Tensor  # delta x: (..., P)
    b: Tensor  # (..., N)
    c: Tensor  # (..., N)
    pairs: Tensor  # the decay from after step s to after step t: (..., t, s), zero where s > t
    into: Tensor  # the decay from the chunk's start to after step t: (..., 1)
    out: Tensor  # the decay from after step s to the chunk's end: (..., 1)


def _parts(x: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor) -> _Parts:
    shared = x.shape[2] // b.shape[2]
    decay = _chunked((delta * a)[..., None])[..., 0].exp()
    pairs = torch.eye(CHUNK, dtype=x.dtype, device=x.device).expand(*decay.shape, CHUNK).contiguous()
    for t in range(1, CHUNK):
        torch.mul(pairs[..., t - 1, :t], decay[..., t, None], out=pairs[..., t, :t])
    into, out = decay.cumprod(-1)[..., None], pairs[..., -1, :, None]
    b, c = (_chunked(part).repeat_interleave(shared, 2) for part in (b, c))
    return _Parts(_chunked(x * delta[..., None]), b, c, pairs, into, out)


def forward(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """y, the final state, and the state before each chunk; inputs as in ref.py."""
    x, delta, a, b, c, state = inputs
    parts = _parts(x, delta, a, b, c)
    written = (parts.driven * parts.out).mT @ parts.b
    checkpoints = torch.empty_like(written)
    for chunk in range(written.shape[1]):
        checkpoints[:, chunk] = state
        state = parts.into[:, chunk, :, -1:] * state + written[:, chunk]
    y = (parts.c @ parts.b.mT * parts.pairs) @ parts.driven + parts.into * (parts.c @ checkpoints.mT)
    return _joined(y, x.shape[1]), state.clone(), checkpoints.mT.contiguous()


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The gradients of the six inputs, by the same matrix products transposed."""
    x, delta, a, b, c, _, _ = saved
    checkpoints = saved[6].mT.contiguous()
    length, groups = x.shape[1], b.shape[2]
    parts, above = _parts(x, delta, a, b, c), _chunked(grad_y)
    read = (above * parts.into).mT @ parts.c
    adjoints, adjoint = torch.empty_like(checkpoints), grad_final
    for chunk in reversed(range(checkpoints.shape[1])):
        adjoints[:, chunk] = adjoint
        adjoint = parts.into[:, chunk, :, -1:] * adjoint + read[:, chunk]
    scores = parts.c @ parts.b.mT * parts.pairs
    grad_scores = above @ parts.driven.mT
    grad_products = grad_scores * parts.pairs
    grad_c = grad_products @ parts.b + parts.into * (above @ checkpoints)
    grad_b = grad_products.mT @ parts.c + parts.out * (parts.driven @ adjoints)
    driven_across = parts.out * (parts.b @ adjoints.mT)
    grad_driven = _joined(scores.mT @ above + driven_across, length)

    around = torch.ones(CHUNK, CHUNK, dtype=x.dtype, device=x.device).tril(-1)
    grad_exponent = _shifted(((grad_scores * scores).cumsum(-1) * around).sum(-2))
    entering = (above * parts.into * (parts.c @ checkpoints.mT)).sum(-1)
    grad_exponent += entering.flip(-1).cumsum(-1).flip(-1)
    grad_exponent += _shifted((parts.driven * driven_across).sum(-1).cumsum(-1))
    grad_exponent += parts.into[..., -1, :] * (adjoints * checkpoints).sum((-1, -2))[..., None]
    exponent = _joined(grad_exponent[..., None], length)[..., 0]

    grad_delta = (grad_driven * x).sum(-1) + exponent * a
    grad_b, grad_c = (_joined(part, length).unflatten(2, (groups, -1)).sum(3) for part in (grad_b, grad_c))
    return grad_driven * delta[..., None], grad_delta, (exponent * delta).sum((0, 1)), grad_b, grad_c, adjoint.clone()
