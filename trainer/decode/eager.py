"""Decoding by the model's own torch code: every mixer, every device, a few hundred bytes a second."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trainer.decode.decoder import Decoder, IdArray, Logits, Memory
from trainer.model import LanguageModel, Reading
from trainer.state import ModelState


@dataclass(slots=True)
class EagerMemory(Memory):
    """A name for the model's state, which nothing changes in place."""

    state: ModelState
    position: int

    def fork(self) -> "EagerMemory":
        """A second name."""
        return EagerMemory(self.state, self.position)

    def back(self, ids: int) -> Callable[[], None]:
        """See Memory."""
        del ids
        state, position = self.state, self.position

        def restore() -> None:
            self.state, self.position = state, position

        return restore

    @property
    def size(self) -> int:
        """Bytes of all tensors."""
        groups = [*self.state.layers, self.state.front]
        return sum(tensor.nbytes for group in groups for tensor in group.values()) + self.state.segments.nbytes


class EagerDecoder(Decoder):
    """Calls the model."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self.vocabulary, self.heads = model.shape.vocabulary, model.shape.ahead

    @property
    def description(self) -> str:
        """Which device."""
        return f"torch, eager, {self._model.head.weight.device.type}"

    def begin(self) -> EagerMemory:
        """See Decoder."""
        return EagerMemory(self._model.initial_state(1), 0)

    @torch.inference_mode()
    def read(self, memory: Memory, ids: IdArray) -> Logits:
        """See Decoder; one id alone is read as `model.step` reads it."""
        return _values(self._model.next_logits(self._reading(memory, ids)))

    @torch.inference_mode()
    def read_ahead(self, memory: Memory, ids: IdArray) -> tuple[Logits, Logits]:
        """See Decoder."""
        reading = self._reading(memory, ids)
        return _values(self._model.next_logits(reading)), _values(self._model.heads_ahead(reading.hidden))

    def _reading(self, memory: Memory, ids: IdArray) -> Reading:
        assert isinstance(memory, EagerMemory)  # noqa: S101  # memories are not exchanged between decoders
        row = torch.from_numpy(np.ascontiguousarray(ids, np.int64))[None].to(self._model.head.weight.device)
        reading = self._model.read(row, None, memory.state)
        memory.state = reading.state
        memory.position += len(ids)
        return reading

    def export(self, memory: Memory) -> ModelState:
        """See Decoder."""
        assert isinstance(memory, EagerMemory)  # noqa: S101  # as above
        return memory.state

    def restore(self, state: ModelState) -> EagerMemory:
        """See Decoder."""
        return EagerMemory(state, state.position)


def _values(logits: Tensor) -> Logits:
    found: Logits = logits[0].float().cpu().numpy()
    return found
