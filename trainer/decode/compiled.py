"""Decoding by one call of ops/decode/native.c for each read, with a copy of the weights; it chooses no rung."""

import ctypes
from typing import Literal

import numpy as np
import torch

from trainer.decode.decoder import Decoder, IdArray, Logits, Memory
from trainer.decode.plan import plan_of
from trainer.decode.program import Floats, aligned
from trainer.model import LanguageModel
from trainer.ops import build
from trainer.state import ModelState

Weights = Literal["float32", "int8"]

_POSITIONS = 16  # native.c's
_FEW_WEIGHTS = 1_000_000  # bytes below which a second thread costs more than it does


class CompiledMemory(Memory):
    """One flat array, of which only the part that says something is copied."""

    def __init__(self, owner: "CompiledDecoder", values: Floats, position: int) -> None:
        self.owner, self.values, self.position = owner, values, position

    def fork(self) -> "CompiledMemory":
        """A copy."""
        values = self.owner.blank()
        for region in self.owner.program.regions:
            part = slice(region.offset, region.offset + region.used(self.position))
            values[part] = self.values[part]
        return CompiledMemory(self.owner, values, self.position)

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
        self._past = model.past
        self._weights = weights
        self._instructions = self.program.plan()
        without = len(self._instructions) - (self.heads > 0)
        self._sizes = np.array([without, self.program.stride, plan.logits, self.vocabulary, plan.ahead, 0], np.int64)
        self._sizes_ahead = self._sizes + np.array([self.heads > 0, 0, 0, 0, 0, self.heads], np.int64)
        self._scratch = aligned(4 * _POSITIONS * self.program.stride)
        few = self.program.weight_bytes < _FEW_WEIGHTS
        self.threads = threads or (1 if few else torch.get_num_threads())
        self._run = build.library("decode").run
        self._run.argtypes = [ctypes.c_void_p] * 5 + [ctypes.c_int64] * 2 + [ctypes.c_void_p] * 2 + [ctypes.c_int64]

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
        ahead = np.empty((len(ids), int(sizes[-1]), self.vocabulary), np.float32)
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
            self.threads,
        )
        memory.position += len(ids)
        return logits, ahead

    def export(self, memory: Memory) -> ModelState:
        """See Decoder."""
        assert isinstance(memory, CompiledMemory)  # noqa: S101  # as above
        layers = tuple(
            region.unpack(memory.values[region.offset : region.offset + region.size], memory.position)
            for region in self.program.regions
        )
        past = torch.zeros(1, min(memory.position, self._past), dtype=torch.int64)
        return ModelState(layers, past, memory.position)

    def restore(self, state: ModelState) -> CompiledMemory:
        """See Decoder."""
        values = self.blank()
        for region, layer in zip(self.program.regions, state.layers, strict=True):
            region.pack(values[region.offset : region.offset + region.size], layer, state.position)
        return CompiledMemory(self, values, state.position)
