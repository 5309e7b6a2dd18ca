"""WKV-6 in torch alone: all chunks at once inside, one short loop over chunks for the state between them.

The decays between the steps of a chunk are products of decays, never exp(W) times exp(-W) nor a difference of sums of
logarithms, so no decay overflows and none loses digits. Padding steps have decay 1 and nothing to write.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from trainer.ops.wkv6 import CHUNK


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


@dataclass(frozen=True, slots=True)
class _Decays:
    """What the log decays give, all (B, chunks, H, CHUNK, K) but `pairs`."""

    into: Tensor  # from the chunk's start to before step t
    out: Tensor  # from after step s to the chunk's end
    whole: Tensor  # over the chunk: (B, chunks, H, K)
    pairs: Tensor  # from after step s to before step t: (B, chunks, H, t, s, K), zero unless s < t


def _decays(log_decay: Tensor) -> _Decays:
    decay = log_decay.exp()
    pairs = decay.new_zeros(*decay.shape[:-1], *decay.shape[-2:])
    for t in range(1, CHUNK):
        torch.mul(pairs[..., t - 1, : t - 1, :], decay[..., t - 1 : t, :], out=pairs[..., t, : t - 1, :])
        pairs[..., t, t - 1, :] = 1
    products = decay.cumprod(-2)
    out = torch.ones_like(decay)
    torch.mul(pairs[..., -1, :-1, :], decay[..., -1:, :], out=out[..., :-1, :])
    return _Decays(_shifted(products, 1.0), out, products[..., -1, :], pairs)


def _shifted(part: Tensor, first: float = 0.0) -> Tensor:
    """What stands at step t moves to step t + 1; the first step gets `first`."""
    return pad(part[..., :-1, :], (0, 0, 1, 0), value=first)


def forward(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """y, the final state, and the state before each chunk; inputs as in ref.py."""
    bonus, state = inputs[4:]
    r, k, v, log_decay = (_chunked(part) for part in inputs[:4])
    decays = _decays(log_decay)
    written = (k * decays.out).transpose(-1, -2) @ v
    checkpoints = torch.empty_like(written)
    for chunk in range(r.shape[1]):
        checkpoints[:, chunk] = state
        state = decays.whole[:, chunk, ..., None] * state + written[:, chunk]
    scores = _scores(r, k, decays) + torch.diag_embed((r * k * bonus[:, None]).sum(-1))
    y = (r * decays.into) @ checkpoints + scores @ v
    return _joined(y, inputs[0].shape[1]), state.clone(), checkpoints.mT.contiguous()


def _scores(r: Tensor, k: Tensor, decays: _Decays) -> Tensor:
    """Sum over keys of r_t k_s decay: (B, chunks, H, t, s)."""
    return torch.matmul(decays.pairs * k[..., None, :, :], r[..., None])[..., 0]


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The gradients of the six inputs. A log decay's is the sum of all products that it scales, without differences."""
    bonus, checkpoints = saved[4], saved[6].mT
    length = grad_y.shape[1]
    r, k, v, log_decay, above = (_chunked(part) for part in (*saved[:4], grad_y))
    decays = _decays(log_decay)
    read = (r * decays.into).transpose(-1, -2) @ above
    adjoints, adjoint = torch.empty_like(checkpoints), grad_final
    for chunk in reversed(range(r.shape[1])):
        adjoints[:, chunk] = adjoint
        adjoint = decays.whole[:, chunk, ..., None] * adjoint + read[:, chunk]
    grad_scores = above @ v.transpose(-1, -2)
    met = grad_scores.diagonal(dim1=-2, dim2=-1)[..., None]
    weighted = decays.pairs * grad_scores[..., None]
    r_inside = (weighted * k[..., None, :, :]).sum(-2)
    k_inside = (weighted * r[..., :, None, :]).sum(-3)
    r_across = decays.into * (above @ checkpoints.transpose(-1, -2))
    k_across = decays.out * (v @ adjoints.transpose(-1, -2))
    scores = _scores(r, k, decays) + torch.diag_embed((r * k * bonus[:, None]).sum(-1))
    grad_v = scores.transpose(-1, -2) @ above + (k * decays.out) @ adjoints
    grad_decay = (decays.whole * (adjoints * checkpoints).sum(-1))[..., None, :] + _shifted((k * k_across).cumsum(-2))
    grad_decay += _shifted((r * r_across).flip(-2).cumsum(-2)).flip(-2)
    grad_decay += _between(weighted.mul_(r[..., :, None, :]).mul_(k[..., None, :, :]))
    grads = (r_inside + r_across + bonus[:, None] * k * met, k_inside + k_across + bonus[:, None] * r * met)
    grad_bonus = (r * k * met).sum((0, 1, 3))
    grad_r, grad_k, grad_v, grad_decay = (_joined(part, length) for part in (*grads, grad_v, grad_decay))
    return grad_r, grad_k, grad_v, grad_decay, grad_bonus, adjoint.clone()


def _between(terms: Tensor) -> Tensor:
    """For each step the sum of the terms of pairs (t, s) around it, s < step < t: (..., t, s, K) to (..., step, K)."""
    around = torch.ones(CHUNK, CHUNK, dtype=terms.dtype, device=terms.device).tril(-2)
    return _shifted((terms.cumsum(-2) * around[..., None]).sum(-3))
