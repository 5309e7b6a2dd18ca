"""The byte-level language model: embedding, blocks, head; in parallel over rows or one id at a time."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.layers.block import Block, mixer_class
from trainer.layers.mixer import Sight
from trainer.shape import ModelShape
from trainer.state import ModelState

_CAP: Final = 15.0  # logits stay within it, smoothly (Gemma 2, arXiv 2408.00118, section 2)
_SMALLEST_PAST: Final = 3  # ids whose documents are remembered: what a convolution of four taps looks back at
_EMBEDDING_DEVIATION: Final = 0.1
_HEAD_DEVIATION: Final = 0.001  # the first prediction is nearly uniform


class LanguageModel(nn.Module):
    """Ids of any length to the logits of the ids that follow."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape, layer) for layer in range(len(shape.mixers)))
        self.head = nn.Linear(shape.width, shape.vocabulary, bias=False)
        nn.init.normal_(self.embedding.weight, std=_EMBEDDING_DEVIATION)
        nn.init.normal_(self.head.weight, std=_HEAD_DEVIATION)
        self._past = max(shape.window - 1 if "attention" in shape.mixers else 0, _SMALLEST_PAST)

    def initial_state(self, batch: int, device: torch.device | None = None) -> ModelState:
        """Nothing was read yet."""
        device = device or self.head.weight.device
        layers = tuple(block.mixer.initial_state(batch, device) for block in self.layers())
        return ModelState(layers, torch.zeros(batch, 0, dtype=torch.int64, device=device), 0)

    def layers(self) -> list[Block]:
        """The blocks from the first to the last."""
        return [block for block in self.blocks if isinstance(block, Block)]

    def forward(
        self, ids: Tensor, segments: Tensor | None = None, state: ModelState | None = None
    ) -> tuple[Tensor, ModelState]:
        """The logits after each id, and the state after the last one.

        Args:
            ids: (B, L) int64, L at least 1.
            segments: (B, L) int64, not negative: the document of each id; nothing is seen across documents.
                None: all ids continue the state's document.
            state: what came before; None for nothing.

        Returns:
            Logits (B, L, vocabulary) in fp32, and the state.

        """
        single = segments is None and (state is None or bool((state.segments == state.segments[:, -1:]).all()))
        state = state or self.initial_state(ids.shape[0], ids.device)
        if segments is None:
            last = state.segments[:, -1:] if state.segments.shape[1] else torch.zeros_like(ids[:, :1])
            segments = last.expand_as(ids)
        begin = state.position
        positions = torch.arange(begin, begin + ids.shape[1], device=ids.device, dtype=torch.float64)
        sight = Sight(positions, segments, state.segments, single)
        x = functional.rms_norm(self.embedding(ids), (self.shape.width,))
        after = []
        for block, before in zip(self.layers(), state.layers, strict=True):
            x, layer_state = block(x, sight, before)
            after.append(layer_state)
        logits = self.head(functional.rms_norm(x, (self.shape.width,))).float()
        seen = torch.cat([state.segments, segments], dim=1)[:, -self._past :]
        return _CAP * torch.tanh(logits / _CAP), ModelState(tuple(after), seen, begin + ids.shape[1])

    def step(self, ids: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """The recurrent form: (B,) ids to the (B, vocabulary) logits after them."""
        logits, state = self(ids[:, None], None, state)
        return logits[:, 0], state


def count_parameters(model: LanguageModel) -> dict[str, int]:
    """How many parameters each kind of component has, in the model as it was built."""
    counts = {"embedding": model.embedding.weight.numel(), "head": model.head.weight.numel()}
    for block, mixer in zip(model.layers(), model.shape.mixers, strict=True):
        parts: list[tuple[str, nn.Module | None]] = [(mixer, block.mixer), ("mlp", block.mlp)]
        for name, part in parts:
            if part is not None:
                counts[name] = counts.get(name, 0) + sum(weight.numel() for weight in part.parameters())
    return counts


def expected_parameters(shape: ModelShape) -> int:
    """The same total by arithmetic on the dimensions alone; a model that has another number is built wrongly."""
    mixers = sum(mixer_class(name).parameters_of(shape) for name in shape.mixers)
    return 2 * shape.vocabulary * shape.width + mixers + sum(2 * shape.width * inner for inner in shape.mlp_widths)
