"""The truth: WKV-6 and its adjoint, one step at a time in torch, in the inputs' precision; not fast."""

import torch
from torch import Tensor

from trainer.ops.wkv6 import CHUNK


def forward(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """y, the final state, and the state before each chunk (B, chunks, H, V, K); differentiable by autograd as well."""
    r, k, v, log_decay, bonus, initial_state = inputs
    state, outputs, checkpoints = initial_state.clone(), [], []
    for t in range(r.shape[1]):
        if t % CHUNK == 0:
            checkpoints.append(state.mT)
        written = k[:, t, :, :, None] * v[:, t, :, None]
        outputs.append((r[:, t, :, :, None] * (state + bonus[..., None] * written)).sum(-2))
        state = torch.exp(log_decay[:, t])[..., None] * state + written
    if not outputs:
        return torch.empty_like(v), state, v.new_empty(v.shape[0], 0, *state.mT.shape[1:])
    return torch.stack(outputs, 1), state, torch.stack(checkpoints, 1)


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The adjoint: with G_t the gradient of S_t, G_{t-1} = diag(decay_t) G_t + r_t dy_t^T; the rest follows from G."""
    r, k, v, log_decay, bonus, initial_state, _ = saved
    states = [initial_state]
    for t in range(r.shape[1]):
        states.append(torch.exp(log_decay[:, t])[..., None] * states[-1] + k[:, t, :, :, None] * v[:, t, :, None])
    grad_r, grad_k, grad_v, grad_decay, grad_bonus = (torch.zeros_like(part) for part in saved[:5])
    adjoint = grad_final.clone()
    for t in reversed(range(r.shape[1])):
        above, decay = grad_y[:, t], torch.exp(log_decay[:, t])
        met = (v[:, t] * above).sum(-1, keepdim=True)
        grad_r[:, t] = (states[t] * above[:, :, None]).sum(-1) + bonus * k[:, t] * met
        grad_k[:, t] = (adjoint * v[:, t, :, None]).sum(-1) + bonus * r[:, t] * met
        weight = (r[:, t] * k[:, t] * bonus).sum(-1, keepdim=True)
        grad_v[:, t] = (adjoint * k[:, t, :, :, None]).sum(-2) + weight * above
        grad_decay[:, t] = (adjoint * states[t]).sum(-1) * decay
        grad_bonus += (r[:, t] * k[:, t] * met).sum(0)
        adjoint = decay[..., None] * adjoint + r[:, t, :, :, None] * above[:, :, None]
    return grad_r, grad_k, grad_v, grad_decay, grad_bonus, adjoint
