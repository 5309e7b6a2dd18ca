"""The truth: the loss and its gradient in torch, in the logits' precision but never below fp32."""

import torch
from torch import Tensor

from trainer.ops.registration import working_type


def forward(logits: Tensor, targets: Tensor, weights: Tensor, cap: float) -> tuple[Tensor, Tensor]:
    """The weighted nats, and the logarithm of each row's sum of exponentials (0 where the weight is)."""
    bounded = _bounded(logits, cap)
    total = torch.logsumexp(bounded, -1)
    nats = total - bounded.gather(-1, targets[..., None])[..., 0]
    learnt = weights != 0
    return torch.where(learnt, weights * nats, 0.0), torch.where(learnt, total, 0.0)


def backward(  # noqa: PLR0917  # in the operator's order
    gradient: Tensor, logits: Tensor, targets: Tensor, weights: Tensor, total: Tensor, cap: float
) -> Tensor:
    """Probabilities less 1 at the target, through the cap's slope."""
    bounded = _bounded(logits, cap)
    found = torch.exp(bounded - total[..., None])
    found.scatter_add_(-1, targets[..., None], found.new_full((), -1.0).expand(targets.shape)[..., None])
    if cap:
        found = found * (1 - (bounded / cap).square())
    factor = (gradient * weights)[..., None]
    return torch.where(factor != 0, found * factor, 0.0).to(logits.dtype)


def _bounded(logits: Tensor, cap: float) -> Tensor:
    wide = logits.to(working_type(logits))
    return cap * torch.tanh(wide / cap) if cap else wide
