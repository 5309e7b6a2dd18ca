"""Rotations and weighted means have the gradients of torch's own passes; narrow ones lose no more than rounding."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.unit.trainer.ops.subjects import relative_rms
from trainer.layers import positions, weighted_mean
from trainer.layers.weighted_mean import weighted_mean as mean_of

KINDS = (torch.float32, torch.float32, torch.bfloat16)  # of queries, keys and values


def normal(*sizes: int, seed: int = 0) -> Tensor:
    return torch.randn(sizes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_gradients_of_a_rotation_equal_finite_differences() -> None:
    inputs = [normal(2, 5, 3, 8), normal(2, 5, 1, 4, seed=1), normal(5, 1, 4, seed=2)]
    assert torch.autograd.gradcheck(positions.turned, [part.requires_grad_() for part in inputs])


def test_a_rotation_keeps_lengths_and_turns_products_by_the_difference_of_the_places() -> None:
    x, y, angle = normal(1, 8), normal(1, 8, seed=1), normal(1, 4, seed=2)

    def at(part: Tensor, place: int) -> Tensor:
        return positions.turned(part, (place * angle).cos(), (place * angle).sin())

    torch.testing.assert_close(at(x, 5).norm(), x.norm())
    torch.testing.assert_close((at(x, 7) * at(y, 4)).sum(), (at(x, 3) * y).sum())


@pytest.mark.parametrize("mask_heads", [1, 2])
def test_narrow_values_are_weighed_as_double_precision_weighs_them(
    mask_heads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, heads, asked, seen, width = 3, 2, 20, 37, 16
    mask = normal(batch, mask_heads, asked, seen, seed=3) > 0
    mask[..., 0] = True
    drawn = [normal(batch, heads, count, width, seed=seed) for seed, count in enumerate((asked, seen, seen))]
    exact = [part.bfloat16().double().requires_grad_() for part in drawn]
    above = normal(batch, heads, asked, width, seed=4).bfloat16()
    query, keys, values = exact
    wanted_mean = functional.scaled_dot_product_attention(query, keys, values, attn_mask=mask, scale=0.3)
    wanted = [wanted_mean.detach(), *torch.autograd.grad(wanted_mean, exact, above.double())]
    given = [part.detach().to(kind).requires_grad_() for part, kind in zip(exact, KINDS, strict=True)]
    query, keys, values = given
    errors = []
    for most in (1 << 24, 0):  # by products of matrices, and by torch's own passes
        monkeypatch.setattr(weighted_mean, "_SCORES", most)
        with torch.autocast("cpu", torch.bfloat16):
            mean = mean_of(query, keys, values, mask, 0.3)
        found = [mean.detach(), *torch.autograd.grad(mean, given, above)]
        assert mean.dtype is torch.bfloat16
        errors.append(max(relative_rms(one, other) for one, other in zip(found, wanted, strict=True)))
    assert errors[0] <= 5e-3
    assert errors[0] <= 1.1 * errors[1]
