"""The truth: the causal convolution and its adjoint, a step at a time in torch, in the inputs' precision; not fast."""

import torch
from torch import Tensor


def _weights(taps: Tensor, reach: Tensor | None, t: int) -> Tensor:
    """The taps as step t uses them, oldest input first: (B or 1, T, D); beyond its reach they are zero."""
    if reach is None:
        return taps.flip(0)[None]
    back = torch.arange(taps.shape[0], device=taps.device)
    return (taps * (back <= reach[:, t, None])[..., None]).flip(1)


def forward(x: Tensor, taps: Tensor, bias: Tensor, state: Tensor, reach: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Gives y and the last inputs; differentiable by autograd as well."""
    known = torch.cat([state, x], 1)
    steps = range(x.shape[1])
    outputs = [bias + (_weights(taps, reach, t) * known[:, t : t + taps.shape[0]]).sum(1) for t in steps]
    y = torch.stack(outputs, 1) if outputs else torch.empty_like(x)
    return y, known[:, x.shape[1] :].clone()


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The adjoint: what a step read gets its gradient back, through the same taps."""
    x, taps, bias, state, *limited = saved
    reach = limited[0] if limited else None
    known = torch.cat([state, x], 1)
    grad_known, grad_taps, grad_bias = torch.zeros_like(known), torch.zeros_like(taps), torch.zeros_like(bias)
    grad_known[:, x.shape[1] :] = grad_final
    for t in range(x.shape[1]):
        here, above = slice(t, t + taps.shape[0]), grad_y[:, t, None]
        grad_known[:, here] += _weights(taps, reach, t) * above
        read = _weights(torch.ones_like(taps), reach, t) * known[:, here]
        grad_taps += (read * above).sum(0).flip(0)
        grad_bias += grad_y[:, t].sum(0)
    return grad_known[:, state.shape[1] :].contiguous(), grad_taps, grad_bias, grad_known[:, : state.shape[1]].clone()
