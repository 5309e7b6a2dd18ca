"""What every mixer offers: positions of a row exchange what they know, and a state carries it on to the next row."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from trainer.shape import ModelShape

LayerState = dict[str, Tensor]  # every tensor's first dimension is the batch


@dataclass(frozen=True, slots=True)
class Sight:
    """Where the ids of a row stand, and which earlier ones they may see; the same for all layers of a forward pass."""

    positions: Tensor  # (L,) float64, counted from the state's beginning
    segments: Tensor  # (B, L) int64, the document of each id
    past_segments: Tensor  # (B, P) int64, those of the last ids before the row; P is 0 at the beginning
    single: bool  # all ids of the row and before it are of one document
    begin: int = 0  # ids before the row
    first: dict[str, Tensor] = field(default_factory=dict)  # what a kind's first layer leaves for those above it
    words: Tensor | None = None  # (B, L) float64, each id's position in soft words, where a tokenizer counts them

    def same_segment(self, distance: int) -> Tensor:
        """(B, L): whether the id `distance` places earlier is there and of the same document."""
        length = self.segments.shape[1]
        known = torch.cat([self.past_segments, self.segments], dim=1)
        missing = length + distance - known.shape[1]
        if missing > 0:
            known = torch.cat([known.new_full((known.shape[0], missing), -1), known], dim=1)
        start = known.shape[1] - length - distance
        return known[:, start : start + length] == self.segments


class Mixer(nn.Module, ABC):
    """A layer with one parallel form; the recurrent form is the same over a row of one id."""

    gentle: ClassVar[tuple[str, ...]] = ()  # linear layers that Muon and weight decay leave to AdamW

    @abstractmethod
    def __init__(self, shape: ModelShape) -> None:
        """Weights are drawn from torch's generator."""
        super().__init__()

    @classmethod
    def of_layer(cls, shape: ModelShape, layer: int) -> Self:  # noqa: ARG003  # some mixers override it
        """The mixer of the layer number `layer`, counted from 0."""
        return cls(shape)

    @abstractmethod
    def initial_state(self, batch: int, device: torch.device) -> LayerState:
        """What is known before the first id."""

    @abstractmethod
    def forward(self, x: Tensor, sight: Sight, state: LayerState) -> tuple[Tensor, LayerState]:
        """(B, L, D) and a state to (B, L, D) and the state after the last id; the given state is left as it is."""

    @staticmethod
    @abstractmethod
    def parameters_of(shape: ModelShape) -> int:
        """How many parameters the dimensions mean, counted by hand: building the layer must give as many."""

    @classmethod
    def parameters_of_layer(cls, shape: ModelShape, layer: int) -> int:  # noqa: ARG003  # some mixers override it
        """The same of the layer number `layer`."""
        return cls.parameters_of(shape)
