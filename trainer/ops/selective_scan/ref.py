"""The truth: the selective scan and its adjoint, one step at a time in torch, in the inputs' precision; not fast."""

import torch
from torch import Tensor

from trainer.ops.selective_scan import CHUNK


def forward(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """y, the final state, and the state before each chunk (B, chunks, N, D); differentiable by autograd as well."""
    u, delta, a, b, c, initial_state = inputs
    batch, length, channels = u.shape
    state, outputs, checkpoints = initial_state.clone(), [], []
    for t in range(length):
        if t % CHUNK == 0:
            checkpoints.append(state.transpose(1, 2))
        state = torch.exp(delta[:, t, :, None] * a) * state + (delta[:, t] * u[:, t])[..., None] * b[:, t, None]
        outputs.append((state * c[:, t, None]).sum(-1))
    if not length:
        return u.new_empty(batch, 0, channels), state, u.new_empty(batch, 0, a.shape[1], channels)
    return torch.stack(outputs, 1), state, torch.stack(checkpoints, 1)


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The adjoint: with g_t the gradient of h_t, g_{t-1} = exp(delta_t a) g_t; every other gradient follows from g."""
    u, delta, a, b, c, initial_state, _ = saved
    states = [initial_state]
    for t in range(u.shape[1]):
        decay = torch.exp(delta[:, t, :, None] * a)
        states.append(decay * states[-1] + (delta[:, t] * u[:, t])[..., None] * b[:, t, None])
    grad_u, grad_delta, grad_a, grad_b, grad_c = (torch.zeros_like(part) for part in (u, delta, a, b, c))
    adjoint = grad_final.clone()
    for t in reversed(range(u.shape[1])):
        grad_c[:, t] = (grad_y[:, t, :, None] * states[t + 1]).sum(1)
        adjoint = adjoint + grad_y[:, t, :, None] * c[:, t, None]
        grad_b[:, t] = (adjoint * (delta[:, t] * u[:, t])[..., None]).sum(1)
        driven = (adjoint * b[:, t, None]).sum(-1)
        adjoint = adjoint * torch.exp(delta[:, t, :, None] * a)
        exponent = adjoint * states[t]
        grad_u[:, t] = driven * delta[:, t]
        grad_delta[:, t] = driven * u[:, t] + (exponent * a).sum(-1)
        grad_a += (exponent * delta[:, t, :, None]).sum(0)
    return grad_u, grad_delta, grad_a, grad_b, grad_c, adjoint
