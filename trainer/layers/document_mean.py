"""Where a document has come to, as a direction: what is known now beside the mean of all that was known in it before.

Facts are written and found by it (trainer/memory); it has no parameters, and no gradient flows through it.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.layers.mixer import LayerState, Sight
from trainer.layers.positions import places, sum_in_document
from trainer.shape import ModelShape


class DocumentMean(nn.Module):
    """The state is the sum over the document (B, D) float64 and the place in it (B,) int64."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.width = shape.width

    def initial_state(self, batch: int, device: torch.device) -> LayerState:
        """Nothing was summed."""
        return {
            "document_sum": torch.zeros(batch, self.width, dtype=torch.float64, device=device),
            "document_place": torch.full((batch,), -1, dtype=torch.int64, device=device),
        }

    @torch.no_grad()
    def forward(self, hidden: Tensor, sight: Sight, state: LayerState) -> tuple[Tensor, LayerState]:
        """(B, L, D) to the contexts (B, L, 2 D), of length 1: the mean's direction, then the present's."""
        where = places(sight, state["document_place"])
        total = sum_in_document(hidden.double(), sight, state["document_sum"])
        mean = (total / (where + 1)[..., None]).float()
        return unit_contexts(mean, hidden.float()), {"document_sum": total[:, -1], "document_place": where[:, -1]}


def unit_contexts(mean: Tensor, hidden: Tensor) -> Tensor:
    """(B, L, 2 D) of length 1 from the mean (B, L, D) and what is known now (B, L, D)."""
    return torch.cat([functional.normalize(part, dim=-1) for part in (mean, hidden)], dim=-1) * 2**-0.5
