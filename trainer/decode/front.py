"""What stands around the layers as instructions: state-space tokenizer, fact memory, a document's mean."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from trainer.decode.mixers import mamba
from trainer.decode.program import PANEL, Epilogue, Kind, Packed, Program, padded
from trainer.decode.region import Floats, Region
from trainer.layers.fact_memory import FactMemory
from trainer.layers.mixer import LayerState
from trainer.layers.state_space_tokenizer import StateSpaceTokenizer

_DOUBLE = 2  # floats that a number in fp64 takes


def lay_out_tokenizer(
    tokenizer: StateSpaceTokenizer, program: Program, stream: int, angles: int, turns: tuple[NDArray[np.float64], ...]
) -> None:
    """Instructions that add the features of words to the embedding, and that write angles.

    Args:
        tokenizer: it is small and decides on positions, so its weights stay in fp32.
        program: takes them.
        stream: the place of the embedding.
        angles: a place for cosines and sines.
        turns: the rates of the pairs that are turned by the position, then of those by words.

    """
    narrow = tokenizer.input.out_features
    features, score, words = program.row(narrow), program.row(1), program.state(_DOUBLE)
    program.multiply(tokenizer.input.weight, stream, features, exact=True)
    program.emit(Kind.NORMALIZE, **{"in": features, "out": features}, columns=padded(narrow), normed=narrow, wait=True)
    mamba.mix(tokenizer.mixer, program, features, features, exact=True)
    scored = tokenizer.score
    program.multiply(scored.weight, features, score, epilogue=Epilogue.SIGMOID, bias=scored.bias, exact=True)
    program.emit(
        Kind.WORDS,
        out=angles,
        units=1,
        wait=False,  # attention comes much later
        state=words,
        weights=program.address(np.concatenate(turns)),
        sizes=(len(turns[0]), len(turns[1]), score),
    )
    program.multiply(
        tokenizer.output.weight, features, stream, epilogue=Epilogue.ADD_SCALED, exact=True, sizes=(score,)
    )

    def unpack(region: Floats, _position: int) -> LayerState:
        return {"words": torch.tensor(region.view(np.float64)[:1])}

    def pack(region: Floats, state: LayerState, _position: int) -> None:
        region.view(np.float64)[:1] = state["words"].cpu().numpy()

    program.keep(Region(words, padded(_DOUBLE), unpack, pack))


@dataclass(frozen=True, slots=True)
class Slots:
    """A fact memory whose values are packed once for all layers."""

    memory: FactMemory
    values: Packed
    raw: Floats  # (vocabulary, layers), what an id's embedding adds to the gates, biases included

    @staticmethod
    def of(memory: FactMemory, program: Program, embedded: Floats) -> "Slots":
        """`embedded` are the normed embeddings (vocabulary, width)."""
        width = embedded.shape[1]
        for parameter in (memory.keys, memory.scales, memory.values):
            program.take(parameter)
        raw = embedded @ program.array(memory.gates)[:, width:].T + program.array(memory.gate_biases)
        return Slots(memory, program.packed(memory.values.T), raw)

    def lay_out(self, program: Program, stream: int, layer: int) -> None:
        """Instructions that add to the stream what the memory says after a layer."""
        slots, width = self.memory.keys.shape
        scores = program.row(slots + 1)
        asked = self.memory.keys * self.memory.scales[layer]
        matrix = torch.cat([asked, self.memory.gates[layer, None, :width]])  # the last row is the gate's
        program.multiply(matrix, stream, scores, normed=width)
        program.emit(
            Kind.WEIGH_SLOTS,
            **{"in": scores},
            wait=True,
            sizes=(slots,),
            tables=(program.address(np.ascontiguousarray(self.raw[:, layer])),),
        )
        program.multiply(self.values, scores, stream, epilogue=Epilogue.ADD)


def lay_out_mean(program: Program, stream: int, width: int) -> int:
    """The place of the mean of what was known in the document, with what is known now a padded row behind it."""
    sums = program.state(_DOUBLE * padded(width))
    both = program.row(width)
    program.row(width)
    program.emit(
        Kind.AVERAGE,
        **{"in": stream, "out": both},
        units=padded(width) // PANEL,
        columns=padded(width),
        normed=width,
        wait=False,  # nothing behind it reads it
        state=sums,
        sizes=(padded(width),),
    )

    def unpack(region: Floats, position: int) -> LayerState:
        held = torch.tensor(region.view(np.float64)[None, :width])
        return {"document_sum": held, "document_place": torch.tensor([position - 1])}

    def pack(region: Floats, state: LayerState, _position: int) -> None:
        region.view(np.float64)[:width] = state["document_sum"][0].cpu().numpy()

    program.keep(Region(sums, _DOUBLE * padded(width), unpack, pack))
    return both
