"""A small state-space model that scores word boundaries; the sum of the scores is a position counted in soft words.

Nothing tells it where words end: the scores are learnt through what uses them, the rotations of sparse attention and
the features that are added to the embedding where a boundary is scored.
"""

import math
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.layers.mamba import Mamba
from trainer.layers.mixer import LayerState, Sight
from trainer.layers.positions import sum_in_document
from trainer.shape import ModelShape

_FIRST_SCORE: Final = 0.2  # a boundary at every fifth byte, before anything is learnt


class StateSpaceTokenizer(nn.Module):
    """Embeddings to embeddings that know their words, and the position of each id in words."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        narrow = _narrow(shape)
        self.input = nn.Linear(shape.width, narrow.width, bias=False)
        self.mixer = Mamba(narrow)
        self.score = nn.Linear(narrow.width, 1)
        self.output = nn.Linear(narrow.width, shape.width, bias=False)
        nn.init.normal_(self.score.weight, std=narrow.width**-0.5)
        nn.init.constant_(self.score.bias, math.log(_FIRST_SCORE / (1 - _FIRST_SCORE)))
        nn.init.zeros_(self.output.weight)  # a new layer changes nothing

    def initial_state(self, batch: int, device: torch.device) -> LayerState:
        """That of the small Mamba, and the words so far: (B,) float64."""
        words = torch.zeros(batch, dtype=torch.float64, device=device)
        return {**self.mixer.initial_state(batch, device), "words": words}

    def forward(self, x: Tensor, sight: Sight, state: LayerState) -> tuple[Tensor, Tensor, LayerState]:
        """(B, L, D) to the same, the words of each id's document up to it (B, L) float64, and the state."""
        scores, features, after = self._scored(x, sight, state)
        words = sum_in_document(scores.double(), sight, state["words"])
        known: Tensor = x + self.output(features * scores[..., None].to(features.dtype))
        return known, words, {**after, "words": words[:, -1]}

    def boundaries(self, x: Tensor, sight: Sight, state: LayerState) -> Tensor:
        """(B, L): how much each id is a boundary, between 0 and 1."""
        return self._scored(x, sight, state)[0]

    def _scored(self, x: Tensor, sight: Sight, state: LayerState) -> tuple[Tensor, Tensor, LayerState]:
        low = self.input(x)
        low = functional.rms_norm(low, (low.shape[-1],))
        mixed, after = self.mixer(low, sight, {name: state[name] for name in state if name != "words"})
        features = low + mixed
        return torch.sigmoid(self.score(features)[..., 0].float()), features, after

    @staticmethod
    def parameters_of(shape: ModelShape) -> int:
        """Input and output, the small Mamba, the score with its bias."""
        narrow = _narrow(shape)
        return 2 * shape.width * narrow.width + Mamba.parameters_of(narrow) + narrow.width + 1


def _narrow(shape: ModelShape) -> ModelShape:
    return replace(shape, width=shape.tokenizer_width)
