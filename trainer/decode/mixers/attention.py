"""Attention as instructions: projections, heads over a ring of keys and values, output."""

import numpy as np
import torch

from trainer.decode.program import Epilogue, Floats, Kind, Program, Region
from trainer.layers.attention import Attention
from trainer.layers.mixer import LayerState

WIDEST_HEAD = 256  # native.c's


def lay_out(mixer: Attention, program: Program, stream: int, angles: int) -> Region | None:
    """Instructions that add the mixer's output to the residual stream, and the state's place; None: heads too wide."""
    width, head_width, window = mixer.query.in_features, mixer.head_width, mixer.window
    if head_width > WIDEST_HEAD:
        return None
    ring = program.state(window * 2 * width)
    query, key, value, mixed = (program.row(width) for _ in range(4))
    program.multiply(mixer.query.weight, stream, query, normed=width, wait=False)
    program.multiply(mixer.key.weight, stream, key, normed=width, wait=False)
    program.multiply(mixer.value.weight, stream, value, normed=width)
    program.emit(
        Kind.ATTEND,
        **{"in": query, "out": mixed},
        wait=True,
        normed=int(mixer.query_key_norm),
        state=ring,
        sizes=(width // head_width, head_width, window, key - query, value - query, angles),
    )
    program.multiply(mixer.output.weight, mixed, stream, epilogue=Epilogue.ADD)

    def rows(position: int, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.arange(position - count, position) % window

    def unpack(region: Floats, position: int) -> LayerState:
        kept = region.reshape(window, 2, -1, head_width)[rows(position, min(position, window - 1))]
        keys, values = (torch.tensor(kept[:, which].transpose(1, 0, 2)[None]) for which in (0, 1))
        return {"keys": keys, "values": values}

    def pack(region: Floats, state: LayerState, position: int) -> None:
        room = region.reshape(window, 2, -1, head_width)
        places = rows(position, state["keys"].shape[2])
        for which, name in enumerate(("keys", "values")):
            room[places, which] = state[name][0].detach().float().cpu().numpy().transpose(1, 0, 2)

    return Region(ring, window * 2 * width, lambda position: min(position, window) * 2 * width, unpack, pack)
