"""Choosing the next id from logits: temperature, top-k, top-p; pure functions of logits and a generator."""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.bytes import BOUNDARY, BYTES


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next id is chosen."""

    temperature: float = 0.8  # 0 takes the most likely id
    top_k: int = 0  # ids to choose among; 0 for all
    top_p: float = 1.0  # of the probability to choose among, the most likely ids first (arXiv 1904.09751)


def distribution(logits: Tensor, sampling: Sampling) -> Tensor:
    """The probabilities (B, vocabulary) that the next id is drawn with: a byte, or the boundary, the end."""
    allowed = torch.full_like(logits, float("-inf"))
    allowed[:, :BYTES] = logits[:, :BYTES]
    allowed[:, BOUNDARY] = logits[:, BOUNDARY]
    if sampling.temperature == 0:
        return torch.nn.functional.one_hot(allowed.argmax(-1), logits.shape[-1]).to(logits.dtype)
    scaled = allowed / sampling.temperature
    if 0 < sampling.top_k < BYTES:
        smallest = scaled.topk(sampling.top_k, dim=-1).values[:, -1:]
        scaled = scaled.masked_fill(scaled < smallest, float("-inf"))
    probabilities = scaled.softmax(-1)
    if sampling.top_p < 1:
        ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
        before = ordered.cumsum(-1) - ordered
        kept = torch.where(before < sampling.top_p, ordered, torch.zeros_like(ordered))
        probabilities = torch.zeros_like(probabilities).scatter(-1, order, kept)
        probabilities = probabilities / probabilities.sum(-1, keepdim=True)
    return probabilities


def choose(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """(B,) ids drawn from (B, vocabulary) logits."""
    probabilities = distribution(logits, sampling)
    if sampling.temperature == 0:
        return probabilities.argmax(-1)
    return torch.multinomial(probabilities, 1, generator=generator)[:, 0]
