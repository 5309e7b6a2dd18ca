"""The truth: the softmax and its adjoint in torch, in the scores' precision."""

import torch
from torch import Tensor


def forward(scores: Tensor, mask: Tensor, scale: float, narrow: bool) -> tuple[Tensor, Tensor]:
    """The weights, and each row's largest scaled score with one over its sum of exponentials."""
    scaled = torch.where(mask, scores * scale, -torch.inf)
    peak = scaled.amax(-1).clamp_min(torch.finfo(scores.dtype).min)
    total = torch.exp(scaled - peak[..., None]).sum(-1)
    kept = torch.stack([peak, torch.where(total > 0, 1 / total, 0.0)], -1)
    return _weights(scaled, kept).to(torch.bfloat16 if narrow else scores.dtype), kept


def backward(gradient: Tensor, scores: Tensor, mask: Tensor, kept: Tensor, scale: float, _narrow: bool) -> Tensor:
    """Each weight's gradient less the row's mean of them, times the weight."""
    weights = _weights(torch.where(mask, scores * scale, -torch.inf), kept)
    above = gradient.to(scores.dtype)
    return weights * (above - (weights * above).sum(-1, keepdim=True)) * scale


def _weights(scaled: Tensor, kept: Tensor) -> Tensor:
    return torch.exp(scaled - kept[..., :1]) * kept[..., 1:]
