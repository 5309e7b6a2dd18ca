"""The causal convolution in torch alone: one product with the shifted sequence for each tap, the adjoint by hand."""

import torch
from torch import Tensor


def _reached(part: Tensor, reach: Tensor | None, back: int) -> Tensor:
    """`part` (B, L, D), zero at the steps that may not see the input `back` places earlier."""
    return part if reach is None or back == 0 else part * (reach >= back)[..., None]


def forward(x: Tensor, taps: Tensor, bias: Tensor, state: Tensor, reach: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Gives y and the last inputs; inputs as in ref.py."""
    length, oldest = x.shape[1], state.shape[1]
    known = torch.cat([state, x], 1)
    y = torch.addcmul(bias, taps[0], x)
    for back in range(1, oldest + 1):
        y.addcmul_(taps[back], _reached(known[:, oldest - back : oldest - back + length], reach, back))
    return y, known[:, length:].clone()


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The gradients of x, the taps, the bias and the initial state."""
    x, taps, _, state, *limited = saved
    reach = limited[0] if limited else None
    length, oldest = x.shape[1], state.shape[1]
    known = torch.cat([state, x], 1)
    grad_known, grad_taps = torch.zeros_like(known), torch.empty_like(taps)
    grad_known[:, length:] = grad_final
    for back in range(oldest + 1):
        here = slice(oldest - back, oldest - back + length)
        above = _reached(grad_y, reach, back)
        grad_known[:, here].addcmul_(taps[back], above)
        grad_taps[back] = (known[:, here] * above).sum((0, 1))
    return grad_known[:, oldest:].contiguous(), grad_taps, grad_y.sum((0, 1)), grad_known[:, :oldest].clone()
