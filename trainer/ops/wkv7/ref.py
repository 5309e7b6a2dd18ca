"""The truth: WKV-7 and its adjoint, one step at a time in torch, in the inputs' precision; not fast."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from trainer.ops.wkv7 import CHUNK


def _step(state: Tensor, t: int, *inputs: Tensor) -> tuple[Tensor, Tensor]:
    """The state after step t from the state before it, and what was looked up; inputs are k, v, log_decay, a and b."""
    k, v, log_decay, a, b = (part[:, t, :, None] for part in inputs)  # (B, H, 1, K or V)
    looked_up = (state * a).sum(-1, keepdim=True)
    return state * torch.exp(log_decay) + looked_up * b + v.mT * k, looked_up


def forward(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Gives y, the final state, and the checkpoints; differentiable by autograd as well.

    The checkpoints (B, chunks, H, V, K + CHUNK) are the state before each chunk, and then what each of its steps looked
    up, S_{t-1} a_t, zero where the last chunk has no such step.
    """
    r, *writers, initial_state = inputs
    v, state, outputs, checkpoints = inputs[2], initial_state.clone(), [], []
    for start in range(0, r.shape[1], CHUNK):
        kept = [state]
        for t in range(start, min(start + CHUNK, r.shape[1])):
            state, looked_up = _step(state, t, *writers)
            kept.append(looked_up)
            outputs.append((state * r[:, t, :, None]).sum(-1))
        checkpoints.append(pad(torch.cat(kept, -1), (0, 1 + CHUNK - len(kept))))
    if not outputs:
        return torch.empty_like(v), state, v.new_empty(v.shape[0], 0, *state.shape[1:-1], state.shape[-1] + CHUNK)
    return torch.stack(outputs, 1), state, torch.stack(checkpoints, 1)


def backward(grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
    """The adjoint: with G_t the gradient of S_t, G_{t-1} = G_t diag(decay_t) + G_t b_t a_t^T + dy_{t-1} r_{t-1}^T."""
    r, k, v, log_decay, a, b, initial_state, _ = saved
    states = [initial_state]
    for t in range(r.shape[1]):
        states.append(_step(states[-1], t, k, v, log_decay, a, b)[0])
    grad_r, grad_k, grad_v, grad_decay, grad_a, grad_b = (torch.zeros_like(part) for part in saved[:6])
    adjoint = grad_final.clone()
    for t in reversed(range(r.shape[1])):
        above, before, decay = grad_y[:, t, :, :, None], states[t], torch.exp(log_decay[:, t])
        grad_r[:, t] = (states[t + 1] * above).sum(-2)
        adjoint = adjoint + above * r[:, t, :, None]
        grad_v[:, t] = (adjoint * k[:, t, :, None]).sum(-1)
        grad_k[:, t] = (adjoint * v[:, t, :, :, None]).sum(-2)
        grad_decay[:, t] = (adjoint * before).sum(-2) * decay
        grad_b[:, t] = (adjoint * (before * a[:, t, :, None]).sum(-1, keepdim=True)).sum(-2)
        corrected = (adjoint * b[:, t, :, None]).sum(-1, keepdim=True)
        grad_a[:, t] = (before * corrected).sum(-2)
        adjoint = adjoint * decay[:, :, None] + corrected * a[:, t, :, None]
    return grad_r, grad_k, grad_v, grad_decay, grad_a, grad_b, adjoint
