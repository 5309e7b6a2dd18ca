"""The truth: the state-space dual and its adjoint, one step at a time in torch, in the inputs' precision; not fast."""

import torch
from torch import Tensor

from trainer.ops.ssd import CHUNK


def forward(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """y, the final state, and the state before each chunk (B, chunks, H, N, P); differentiable by autograd as well."""
    x, delta, a, b, c, initial_state = inputs
    b, c = (part.repeat_interleave(x.shape[2] // part.shape[2], 2) for part in (b, c))
    state, outputs, checkpoints = initial_state.clone(), [], []
    for t in range(x.shape[1]):
        if t % CHUNK == 0:
            checkpoints.append(state.mT)
        written = (delta[:, t, :, None] * x[:, t])[..., None] * b[:, t, :, None]
        state = torch.exp(delta[:, t] * a)[..., None, None] * state + written
        outputs.append((state * c[:, t, :, None]).sum(-1))
    if not outputs:
        return torch.empty_like(x), state, x.new_empty(x.shape[0], 0, *state.mT.shape[1:])
    return torch.stack(outputs, 1), state, torch.stack(checkpoints, 1)


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The adjoint: G_{t-1} = exp(delta_t a) (G_t + dy_t c_t^T) is the gradient of S_{t-1}; the rest follows from G."""
    x, delta, a, b, c, initial_state, _ = saved
    groups, shared = b.shape[2], x.shape[2] // b.shape[2]
    b, c = (part.repeat_interleave(shared, 2) for part in (b, c))
    states = [initial_state]
    for t in range(x.shape[1]):
        written = (delta[:, t, :, None] * x[:, t])[..., None] * b[:, t, :, None]
        states.append(torch.exp(delta[:, t] * a)[..., None, None] * states[-1] + written)
    grad_x, grad_delta, grad_a, grad_b, grad_c = (torch.zeros_like(part) for part in (x, delta, a, b, c))
    adjoint = grad_final.clone()
    for t in reversed(range(x.shape[1])):
        grad_c[:, t] = (states[t + 1] * grad_y[:, t, :, :, None]).sum(-2)
        adjoint = adjoint + grad_y[:, t, :, :, None] * c[:, t, :, None]
        driven = (adjoint * b[:, t, :, None]).sum(-1)
        grad_b[:, t] = (adjoint * (delta[:, t, :, None] * x[:, t])[..., None]).sum(-2)
        adjoint = torch.exp(delta[:, t] * a)[..., None, None] * adjoint
        exponent = (adjoint * states[t]).sum((-1, -2))
        grad_x[:, t] = delta[:, t, :, None] * driven
        grad_delta[:, t] = (driven * x[:, t]).sum(-1) + exponent * a
        grad_a += (exponent * delta[:, t]).sum(0)
    grad_b, grad_c = (part.unflatten(2, (groups, shared)).sum(3) for part in (grad_b, grad_c))
    return grad_x, grad_delta, grad_a, grad_b, grad_c, adjoint
