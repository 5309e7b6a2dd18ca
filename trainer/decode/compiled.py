"""Decoding by one call of ops/decode/native.c for each read, with a copy of the weights; it chooses no rung."""

import ctypes
from collections.abc import Callable
from typing import Literal

import numpy as np
import torch

from trainer.decode.decoder import Decoder, IdArray, Logits, Memory
from trainer.decode.plan import plan_of
from trainer.decode.program import aligned, padded
from trainer.decode.region import FRONT, Floats
from trainer.layers.document_mean import unit_contexts
from trainer.layers.mixer import LayerState
from trainer.model import LanguageModel
from trainer.ops import build
from trainer.state import ModelState

Weights = Literal["float32", "int8"]

_POSITIONS = 16  # native.c's
_HEADS, _CONTEXTS = 5, 7  # where their sizes stand among those of native.c
_FEW_WEIGHTS = 1_000_000  # bytes below which a second thread costs more than it does


class CompiledMemory(Memory):
    """One flat array, of which only the part that says something is copied."""

    def __init__(self, owner: "CompiledDecoder", values: Floats, position: int) -> None:
        self.owner, self.values, self.position = owner, values, position

    def fork(self) -> "CompiledMemory":
        """A copy."""
        values = self.owner.blank()
        for region in self.owner.program.regions:
            part = region.said(self.position)
            values[part] = self.values[part]
        return CompiledMemory(self.owner, values, self.position)

    def back(self, ids: int) -> Callable[[], None]:
        """See Memory: what the ids will overwrite is copied."""
        position = self.position
        places = [place for region in self.owner.program.regions for place in region.changed(position, ids)]
        kept = [self.values[place].copy() for place in places]

        def restore() -> None:
            for place, values in zip(places, kept, strict=True):
                self.values[place] = values
            self.position = position

        return restore

    @property
    def size(self) -> int:
        """Bytes of the whole array."""
        return self.values.nbytes


class CompiledDecoder(Decoder):
    """Gives the same bits for any number of threads, and however the ids are cut into reads.

    Raises:
        NotPlanned: the model has a part that native.c does not compute.
        build.BuildError: native.c cannot be compiled here.

    """

    def __init__(self, model: LanguageModel, weights: Weights = "float32", threads: int | None = None) -> None:
        plan = plan_of(model, small=weights == "int8")
        self.program = plan.program
        self.vocabulary, self.heads = model.shape.vocabulary, model.shape.ahead
        self._past, self._layers, self._width = model.past, len(model.shape.mixers), model.shape.width
        self._model = model  # may be told facts at any time
        self._weights = weights
        self._instructions = self.program.plan()
        without = len(self._instructions) - (self.heads > 0)
        contexts = (0, 0) if plan.contexts is None else (plan.contexts, 2 * padded(self._width))
        sizes = [without, self.program.stride, plan.logits, self.vocabulary, plan.ahead, 0, *contexts]
        self._sizes = np.array(sizes, np.int64)
        self._sizes_ahead = self._sizes + np.array([self.heads > 0, 0, 0, 0, 0, self.heads, 0, 0], np.int64)
        self._scratch = aligned(4 * _POSITIONS * self.program.stride)
        few = self.program.weight_bytes < _FEW_WEIGHTS
        self.threads = threads or (1 if few else torch.get_num_threads())
        self._run = build.library("decode").run
        self._run.argtypes = [ctypes.c_void_p] * 5 + [ctypes.c_int64] * 2 + [ctypes.c_void_p] * 3 + [ctypes.c_int64]

    @property
    def description(self) -> str:
        """The weights' type, the instruction set, the threads."""
        return f"C, {self._weights} weights, {build.instruction_set()}, {self.threads} threads"

    def blank(self) -> Floats:
        """A state of zeros."""
        return aligned(4 * self.program.state_size).view(np.float32)

    def begin(self) -> CompiledMemory:
        """See Decoder."""
        return CompiledMemory(self, self.blank(), 0)

    def read(self, memory: Memory, ids: IdArray) -> Logits:
        """See Decoder. Raises IndexError for an id that the vocabulary does not have."""
        return self._read(memory, ids, self._sizes)[0]

    def read_ahead(self, memory: Memory, ids: IdArray) -> tuple[Logits, Logits]:
        """See Decoder. Raises as `read` does."""
        return self._read(memory, ids, self._sizes_ahead)

    def _read(self, memory: Memory, ids: IdArray, sizes: IdArray) -> tuple[Logits, Logits]:
        assert isinstance(memory, CompiledMemory) and memory.owner is self  # noqa: S101, PT018  # not exchanged
        ids = np.ascontiguousarray(ids, np.int64)
        if ids.min() < 0 or ids.max() >= self.vocabulary:
            raise IndexError(f"The ids must lie between 0 and {self.vocabulary - 1}.")
        logits = np.empty((len(ids), self.vocabulary), np.float32)
        ahead = np.empty((len(ids), int(sizes[_HEADS]), self.vocabulary), np.float32)
        contexts = np.empty((len(ids), int(sizes[_CONTEXTS])), np.float32)
        self._run(
            self._instructions.ctypes.data,
            sizes.ctypes.data,
            self._scratch.ctypes.data,
            memory.values.ctypes.data,
            ids.ctypes.data,
            len(ids),
            memory.position,
            logits.ctypes.data,
            ahead.ctypes.data,
            contexts.ctypes.data,
            self.threads,
        )
        memory.position += len(ids)
        return self._with_facts(logits, contexts), ahead

    @torch.inference_mode()
    def _with_facts(self, logits: Logits, contexts: Floats) -> Logits:
        """The logits with the facts that were written into the model, where there are any."""
        recall = self._model.recall
        if recall is None or not contexts.size:
            return logits
        parts = torch.from_numpy(contexts).view(1, len(contexts), 2, -1)[..., : self._width]
        found = unit_contexts(parts[:, :, 0], parts[:, :, 1])
        recalled: Logits = recall(torch.from_numpy(logits)[None], found)[0].numpy()
        return recalled

    def export(self, memory: Memory) -> ModelState:
        """See Decoder."""
        assert isinstance(memory, CompiledMemory)  # noqa: S101  # as above
        front: LayerState = {}
        layers: tuple[LayerState, ...] = tuple({} for _ in range(self._layers))
        for region in self.program.regions:
            owner = front if region.owner == FRONT else layers[region.owner]
            owner.update(region.unpack(memory.values[region.place], memory.position))
        past = torch.zeros(1, min(memory.position, self._past), dtype=torch.int64)
        return ModelState(layers, past, memory.position, front)

    def restore(self, state: ModelState) -> CompiledMemory:
        """See Decoder."""
        values = self.blank()
        for region in self.program.regions:
            owner = state.front if region.owner == FRONT else state.layers[region.owner]
            region.pack(values[region.place], owner, state.position)
        return CompiledMemory(self, values, state.position)
