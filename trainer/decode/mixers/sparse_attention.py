"""Sparse attention as instructions: projections, heads over a ring of the last ids and one of landmarks, output."""

import numpy as np
import torch
from numpy.typing import NDArray

from trainer.decode.program import WIDEST_HEAD, Common, Epilogue, Kind, NotPlanned, Program
from trainer.decode.region import Floats, Region, keys_and_values, put_keys_and_values
from trainer.layers.mixer import LayerState
from trainer.layers.sparse_attention import SparseAttention


def lay_out(mixer: SparseAttention, program: Program, common: Common) -> None:
    """Instructions that add the mixer's output to the residual stream. NotPlanned: heads are too wide."""
    width, head_width = mixer.query.in_features, mixer.head_width
    if head_width > WIDEST_HEAD:
        raise NotPlanned(f"its heads are wider than {WIDEST_HEAD}")
    stride, landmarks = mixer.stride, mixer.landmarks
    size = (stride + landmarks) * 2 * width
    rings = program.state(size)
    query, key, value, mixed = (program.row(width) for _ in range(4))
    program.multiply(mixer.query.weight, common.stream, query, normed=width, wait=False)
    program.multiply(mixer.key.weight, common.stream, key, normed=width, wait=False)
    program.multiply(mixer.value.weight, common.stream, value, normed=width)
    program.emit(
        Kind.ATTEND_SPARSELY,
        **{"in": query, "out": mixed},
        units=width // head_width,
        wait=True,
        state=rings,
        sizes=(
            width // head_width,
            head_width,
            stride,
            key - query,
            value - query,
            common.word_angles,
            int(mixer.landmark_places),
            landmarks,
        ),
    )
    program.multiply(mixer.output.weight, mixed, common.stream, epilogue=Epilogue.ADD)

    def both(region: Floats) -> Floats:
        rows: Floats = region.reshape(stride + landmarks, 2, -1, head_width)
        return rows

    def marks(position: int) -> NDArray[np.int64]:
        """The numbers of the landmarks that a state knows, counted from 1."""
        newest = position // stride
        return np.arange(max(1, newest - landmarks + 1), newest + 1)

    def unpack(region: Floats, position: int) -> LayerState:
        near = np.arange(max(0, position - stride + 1), position) % stride
        numbers = marks(position)
        return {
            **keys_and_values(both(region), near),
            **keys_and_values(both(region), stride + numbers % landmarks, "landmark_"),
            "landmark_places": torch.tensor(numbers * stride - 1)[None],
            "place": torch.tensor([position - 1]),
        }

    def pack(region: Floats, state: LayerState, position: int) -> None:
        near = np.arange(position - state["keys"].shape[2], position) % stride
        put_keys_and_values(both(region), near, state)
        put_keys_and_values(both(region), stride + marks(position) % landmarks, state, "landmark_")

    def used(position: int) -> int:
        """Landmarks lie behind the last ids' ring, and the place 0 is filled last."""
        newest = position // stride
        return (stride + min(newest + 1, landmarks) if newest else position) * 2 * width

    def slots(position: int) -> list[int]:
        """Its own, and where it is a landmark, that of the landmark."""
        number, apart = divmod(position + 1, stride)
        return [position % stride] + ([] if apart else [stride + number % landmarks])

    program.keep(Region(rings, size, unpack, pack, used, slots, 2 * width))
