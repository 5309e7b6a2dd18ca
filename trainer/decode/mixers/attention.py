"""Attention as instructions: projections, heads over a ring of keys and values, output."""

import numpy as np

from trainer.decode.program import WIDEST_HEAD, Common, Epilogue, Kind, NotPlanned, Program
from trainer.decode.region import Floats, Region, keys_and_values, put_keys_and_values
from trainer.layers.attention import Attention
from trainer.layers.mixer import LayerState


def lay_out(mixer: Attention, program: Program, common: Common) -> None:
    """Instructions that add the mixer's output to the residual stream. NotPlanned: heads are too wide."""
    width, head_width, window = mixer.query.in_features, mixer.head_width, mixer.window
    if head_width > WIDEST_HEAD:
        raise NotPlanned(f"its heads are wider than {WIDEST_HEAD}")
    ring = program.state(window * 2 * width)
    query, key, value, mixed = (program.row(width) for _ in range(4))
    program.multiply(mixer.query.weight, common.stream, query, normed=width, wait=False)
    program.multiply(mixer.key.weight, common.stream, key, normed=width, wait=False)
    program.multiply(mixer.value.weight, common.stream, value, normed=width)
    normed = int(mixer.query_key_norm)
    program.emit(
        Kind.ATTEND,
        **{"in": query, "out": mixed},
        units=width // head_width,
        wait=True,
        state=ring,
        sizes=(width // head_width, head_width, window, key - query, value - query, common.angles, normed),
    )
    program.multiply(mixer.output.weight, mixed, common.stream, epilogue=Epilogue.ADD)

    def unpack(region: Floats, position: int) -> LayerState:
        kept = np.arange(max(0, position - window + 1), position) % window
        return keys_and_values(region.reshape(window, 2, -1, head_width), kept)

    def pack(region: Floats, state: LayerState, position: int) -> None:
        kept = np.arange(position - state["keys"].shape[2], position) % window
        put_keys_and_values(region.reshape(window, 2, -1, head_width), kept, state)

    def used(position: int) -> int:
        return min(position, window) * 2 * width

    def slots(position: int) -> list[int]:
        return [position % window]

    program.keep(Region(ring, window * 2 * width, unpack, pack, used, slots, 2 * width))
