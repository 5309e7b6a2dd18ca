"""Where an id stands in its document, counted in bytes or in soft words, and rotations by it; it has no parameters."""

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor

from trainer.layers.mixer import Sight

BASE: Final = 10_000.0  # of the rotations' wave lengths, in bytes or words


def places(sight: Sight, before: Tensor) -> Tensor:
    """(B, L) int64: how many ids of its document stand before each id.

    Args:
        sight: what may be seen.
        before: (B,) int64, the place of the last id before the row, -1 where nothing was read.

    """
    index = torch.arange(sight.segments.shape[1], device=before.device)
    if sight.single:
        return before[:, None] + 1 + index
    starts = torch.where(~sight.same_segment(1), index, -1 - before[:, None])
    return index - starts.cummax(dim=1).values


def sum_in_document(terms: Tensor, sight: Sight, before: Tensor) -> Tensor:
    """The running sum of each document's own terms, this id's included; gradients stay in the document, exactly.

    Args:
        terms: (B, L, ...), in double precision if they are many.
        sight: what may be seen.
        before: (B, ...), the sum of the document that may continue.

    """
    apply: Callable[[Tensor, Tensor, Tensor], Tensor] = _SumInDocument.apply
    return apply(terms, ~sight.same_segment(1), before)


class _SumInDocument(torch.autograd.Function):
    """The gradient is the same sum, backwards: what another document adds to it and takes away is the same number."""

    @staticmethod
    def forward(ctx: Any, terms: Tensor, begins: Tensor, before: Tensor) -> Tensor:
        ctx.save_for_backward(begins)
        total = _from_the_last_start(terms, begins)
        continued = (begins.long().cumsum(1) == 0).view(*begins.shape, *[1] * (terms.ndim - 2))
        return total + continued * before[:, None]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, Tensor]:
        (begins,) = ctx.saved_tensors
        (gradient,) = gradients
        ends = torch.cat([begins[:, 1:], torch.ones_like(begins[:, :1])], dim=1)
        of_terms = _from_the_last_start(gradient.flip(1), ends.flip(1)).flip(1)
        continues = (~begins[:, 0]).view(-1, *[1] * (gradient.ndim - 2))
        return of_terms, None, of_terms[:, 0] * continues


def _from_the_last_start(terms: Tensor, starts: Tensor) -> Tensor:
    """(B, L, ...): the sum from the last start on, or from the row's beginning where none came yet."""
    total = terms.cumsum(1)
    index = torch.arange(starts.shape[1], device=starts.device)
    last = torch.where(starts, index, 0).cummax(dim=1).values
    last = last.view(*last.shape, *[1] * (terms.ndim - 2)).expand_as(total)
    return total - (total - terms).gather(1, last)


def rates(count: int, device: torch.device) -> Tensor:
    """(count,) float64: by how many radians a pair turns for each position, from 1 to nearly 1 / BASE."""
    return BASE ** (-torch.arange(count, device=device, dtype=torch.float64) / count)


def turned(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Each pair (i, i + half) of the last dimension turned by its angle (RoPE: Su et al. 2021, arXiv 2104.09864).

    Args:
        x: (..., width).
        cosine: of the angles, in the type of x, broadcast over (..., width / 2).
        sine: likewise.

    """
    apply: Callable[[Tensor, Tensor, Tensor], Tensor] = _Turned.apply
    return apply(x, cosine, sine)


class _Turned(torch.autograd.Function):
    """Four passes forward, and the same backwards by the opposite angle; autograd would take three times as many."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        ctx.save_for_backward(x, cosine, sine)
        return _turned(x, cosine, sine, 1.0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        x, cosine, sine = ctx.saved_tensors
        (gradient,) = gradients
        of_x = _turned(gradient, cosine, sine, -1.0)
        if not (ctx.needs_input_grad[1] or ctx.needs_input_grad[2]):
            return of_x, None, None
        (first, second), (above, below) = x.chunk(2, dim=-1), gradient.chunk(2, dim=-1)
        of_cosine = (above * first).addcmul_(below, second)
        of_sine = (below * first).addcmul_(above, second, value=-1)
        return of_x, of_cosine.sum_to_size(cosine.shape), of_sine.sum_to_size(sine.shape)


def _turned(x: Tensor, cosine: Tensor, sine: Tensor, direction: float) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    found = torch.empty_like(x)
    to_first, to_second = found.chunk(2, dim=-1)
    torch.mul(first, cosine, out=to_first).addcmul_(second, sine, value=-direction)
    torch.mul(second, cosine, out=to_second).addcmul_(first, sine, value=direction)
    return found
