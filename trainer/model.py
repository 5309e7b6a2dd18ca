"""The byte-level language model: embedding, blocks, heads; in parallel over rows or one id at a time."""

import dataclasses
from dataclasses import dataclass
from typing import Final, Protocol

import torch
from torch import Tensor, nn

from trainer.layers.block import Block, mixer_class
from trainer.layers.document_mean import DocumentMean
from trainer.layers.fact_memory import FactMemory
from trainer.layers.feed_forward import FEED_FORWARDS
from trainer.layers.mixer import LayerState, Sight
from trainer.layers.normalization import normalized
from trainer.layers.state_space_tokenizer import StateSpaceTokenizer
from trainer.shape import ModelShape
from trainer.state import ModelState

_SMALLEST_PAST: Final = 3  # ids whose documents are remembered: what a convolution of four taps looks back at
_EMBEDDING_DEVIATION: Final = 0.1
_HEAD_DEVIATION: Final = 0.001  # the first prediction is nearly uniform


@dataclass(frozen=True, slots=True)
class Reading:
    """What the model knows after each id, before it is turned into predictions."""

    hidden: Tensor  # (B, L, D), what all heads read
    contexts: Tensor | None  # (B, L, 2 D) unit vectors that facts are found by; None without a fact memory
    state: ModelState  # after the last id


@dataclass(frozen=True, slots=True)
class Prediction:
    """The logits of the next id and of those that follow it."""

    logits: Tensor  # (B, L, vocabulary)
    ahead: Tensor  # (B, L, predictive heads, vocabulary): the first is of the id after the next one
    state: ModelState


class Recall(Protocol):
    """Facts that were written after training; see trainer/memory."""

    def __call__(self, logits: Tensor, contexts: Tensor) -> Tensor:
        """(B, L, vocabulary) logits and (B, L, 2 D) contexts to logits."""


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
        self.tokenizer = StateSpaceTokenizer(shape) if shape.tokenizer_width else None
        self.ahead = nn.Linear(shape.width, shape.ahead * shape.vocabulary, bias=False) if shape.ahead else None
        if self.ahead is not None:
            nn.init.normal_(self.ahead.weight, std=_HEAD_DEVIATION)
        # Last, so that the same seed gives the same backbone without it.
        self.memory = FactMemory(shape) if shape.fact_slots else None
        self.mean = DocumentMean(shape) if shape.fact_slots else None
        self.recall: Recall | None = None
        full = shape.window - 1 if "attention" in shape.mixers else 0
        sparse = shape.stride - 1 if "sparse_attention" in shape.mixers else 0
        self.past = max(full, sparse, _SMALLEST_PAST)

    def initial_state(self, batch: int, device: torch.device | None = None) -> ModelState:
        """Nothing was read yet."""
        device = device or self.head.weight.device
        layers = tuple(block.initial_state(batch, device) for block in self.layers())
        front: LayerState = {}
        for part in (self.tokenizer, self.mean):
            if part is not None:
                front.update(part.initial_state(batch, device))
        return ModelState(layers, torch.zeros(batch, 0, dtype=torch.int64, device=device), 0, front)

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
        reading = self.read(ids, segments, state)
        return self.next_logits(reading), reading.state

    def predict(self, ids: Tensor, segments: Tensor | None = None, state: ModelState | None = None) -> Prediction:
        """As `forward`, with what the predictive heads say."""
        reading = self.read(ids, segments, state)
        return Prediction(self.next_logits(reading), self.heads_ahead(reading.hidden), reading.state)

    def propose(self, ids: Tensor, segments: Tensor | None = None, state: ModelState | None = None) -> Prediction:
        """As `predict`, before the cap, in the heads' own type and without written facts: what training needs."""
        reading = self.read(ids, segments, state)
        hidden = reading.hidden
        if self.ahead is None:
            ahead = hidden.new_zeros(*hidden.shape[:2], 0, self.shape.vocabulary)
        else:
            ahead = self.ahead(hidden).view(*hidden.shape[:2], self.shape.ahead, self.shape.vocabulary)
        return Prediction(self.head(hidden), ahead, reading.state)

    def step(self, ids: Tensor, state: ModelState) -> tuple[Tensor, ModelState]:
        """The recurrent form: (B,) ids to the (B, vocabulary) logits after them."""
        logits, state = self(ids[:, None], None, state)
        return logits[:, 0], state

    def read(self, ids: Tensor, segments: Tensor | None = None, state: ModelState | None = None) -> Reading:
        """What is known after each id; arguments as those of `forward`."""
        state = state or self.initial_state(ids.shape[0], ids.device)
        sight = _sight(ids, segments, state)
        raw = normalized(self.embedding(ids), self.shape.norm)
        x, front = raw, dict(state.front)
        if self.tokenizer is not None:
            x, words, after_tokenizer = self.tokenizer(raw, sight, state.front)
            sight = dataclasses.replace(sight, words=words)
            front.update(after_tokenizer)
        after = []
        for number, (block, before) in enumerate(zip(self.layers(), state.layers, strict=True)):
            x, layer_state = block(x, sight, before)
            if self.memory is not None:
                x = self.memory(x, raw, number)
            after.append(layer_state)
        hidden = normalized(x, self.shape.norm)
        contexts = None
        if self.mean is not None:
            contexts, after_mean = self.mean(hidden, sight, state.front)
            front.update(after_mean)
        seen = torch.cat([state.segments, sight.segments], dim=1)[:, -self.past :]
        return Reading(hidden, contexts, ModelState(tuple(after), seen, sight.begin + ids.shape[1], front))

    def next_logits(self, reading: Reading) -> Tensor:
        """(B, L, vocabulary) in fp32: of the next id, with the facts that were written after training."""
        logits = _capped(self.head(reading.hidden), self.shape.logit_cap)
        if self.recall is None or reading.contexts is None:
            return logits
        return self.recall(logits, reading.contexts)

    def heads_ahead(self, hidden: Tensor) -> Tensor:
        """(B, L, heads, vocabulary) in fp32: head k, from 0 on, is of the id k + 2 places later."""
        if self.ahead is None:
            return hidden.new_zeros(*hidden.shape[:2], 0, self.shape.vocabulary, dtype=torch.float32)
        ahead = _capped(self.ahead(hidden), self.shape.logit_cap)
        return ahead.view(*hidden.shape[:2], self.shape.ahead, self.shape.vocabulary)

    @torch.no_grad()
    def boundary_scores(self, ids: Tensor) -> Tensor:
        """(B, L) between 0 and 1: where the tokenizer hears a word end; each row is one document from its beginning.

        Raises:
            ValueError: the model has no tokenizer.

        """
        if self.tokenizer is None:
            raise ValueError("This model has no state-space tokenizer; take the recipe ghost.")
        state = self.initial_state(ids.shape[0], ids.device)
        raw = normalized(self.embedding(ids), self.shape.norm)
        return self.tokenizer.boundaries(raw, _sight(ids, None, state), state.front)


def _sight(ids: Tensor, segments: Tensor | None, state: ModelState) -> Sight:
    """What the ids may see."""
    single = segments is None and bool((state.segments == state.segments[:, -1:]).all())
    if segments is None:
        last = state.segments[:, -1:] if state.segments.shape[1] else torch.zeros_like(ids[:, :1])
        segments = last.expand_as(ids)
    begin = state.position
    positions = torch.arange(begin, begin + ids.shape[1], device=ids.device, dtype=torch.float64)
    return Sight(positions, segments, state.segments, single, begin)


def _capped(logits: Tensor, cap: float) -> Tensor:
    """In fp32, smoothly within the cap; 0 is none."""
    return cap * torch.tanh(logits.float() / cap) if cap else logits.float()


def count_parameters(model: LanguageModel) -> dict[str, int]:
    """How many parameters each kind of component has, in the model as it was built."""
    counts = {"embedding": model.embedding.weight.numel(), "head": model.head.weight.numel()}
    parts: list[tuple[str, nn.Module | None]] = [
        *((name, getattr(model, name)) for name in ("tokenizer", "ahead", "memory")),
        *zip(model.shape.mixers, (block.mixer for block in model.layers()), strict=True),
        *(("mlp", block.mlp) for block in model.layers()),
    ]
    for name, part in parts:
        if part is not None:
            counts[name] = counts.get(name, 0) + sum(weight.numel() for weight in part.parameters())
    return counts


def expected_parameters(shape: ModelShape) -> int:
    """The same total by arithmetic on the dimensions alone; a model that has another number is built wrongly."""
    mixers = sum(mixer_class(name).parameters_of_layer(shape, layer) for layer, name in enumerate(shape.mixers))
    feeds = sum(
        FEED_FORWARDS[shape.feed_forward_of(layer)].parameters_of(shape.width, inner)
        for layer, inner in enumerate(shape.mlp_widths)
        if inner
    )
    heads = (2 + shape.ahead) * shape.vocabulary * shape.width
    tokenizer = StateSpaceTokenizer.parameters_of(shape) if shape.tokenizer_width else 0
    memory = FactMemory.parameters_of(shape) if shape.fact_slots else 0
    return heads + tokenizer + memory + mixers + feeds
