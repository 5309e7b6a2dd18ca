"""Soft attention over key and value slots that every layer shares, added to the residual stream behind a gate.

Each layer asks with its own scaling of what it knows; the gate is its own too, and sees the embedding of the raw byte
beside it. Reading from slots: end-to-end memory networks, Sukhbaatar et al. 2015, arXiv 1503.08895. These slots are
learnt by gradient; facts that are added after training are in trainer/memory.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.shape import ModelShape

_FIRST_GATE: Final = 0.0  # half open: values are zero before they are learnt


class FactMemory(nn.Module):
    """The slots, and each layer's way to them."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        width, layers = shape.width, len(shape.mixers)
        self.keys = nn.Parameter(torch.randn(shape.fact_slots, width) * width**-0.5)
        self.values = nn.Parameter(torch.zeros(shape.fact_slots, width))  # a new memory changes nothing
        self.scales = nn.Parameter(torch.ones(layers, width))
        self.gates = nn.Parameter(torch.zeros(layers, 2 * width))
        self.gate_biases = nn.Parameter(torch.full((layers,), _FIRST_GATE))

    def forward(self, x: Tensor, raw: Tensor, layer: int) -> Tensor:
        """(B, L, D) after a layer, and the embeddings of the raw ids (B, L, D), to (B, L, D) with what memory adds."""
        known = functional.rms_norm(x, (x.shape[-1],))
        gate = torch.cat([known, raw], dim=-1) @ self.gates[layer] + self.gate_biases[layer]
        read = self.attention(known, layer) @ self.values
        remembered: Tensor = x + torch.sigmoid(gate)[..., None] * read
        return remembered

    def attention(self, known: Tensor, layer: int) -> Tensor:
        """(B, L, slots): how much of each slot a layer reads, given the normed stream; a row sums to 1."""
        weights: Tensor = ((known * self.scales[layer]) @ self.keys.T).softmax(-1)
        return weights

    @staticmethod
    def parameters_of(shape: ModelShape) -> int:
        """Keys and values; each layer's scale and gate."""
        return 2 * shape.fact_slots * shape.width + len(shape.mixers) * (3 * shape.width + 1)
