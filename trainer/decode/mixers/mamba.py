"""Mamba as instructions: projection and convolution, selection, step size and scan and gate, output."""

import numpy as np
import torch

from trainer.decode.program import PANEL, Common, Epilogue, Program, padded
from trainer.decode.region import Floats, Region, rows_region, values_of
from trainer.layers.mamba import Mamba
from trainer.layers.mixer import LayerState

_LOG2_E = 1.4426950408889634


def lay_out(mixer: Mamba, program: Program, common: Common) -> None:
    """Instructions that add the mixer's output to the residual stream."""
    mix(mixer, program, common.stream, common.stream, normed=mixer.input.in_features)


def mix(
    mixer: Mamba,
    program: Program,
    before: int,
    after: int,
    *,
    normed: int = 0,
    share: float = 1.0,
    exact: bool = False,
    prefix: str = "",
) -> None:
    """Instructions that add a share of the mixer's output to the row at `after`.

    Args:
        mixer: in fp32.
        program: takes them.
        before: the place of the mixer's input.
        after: another one.
        normed: the width of the norm that the input is still to go through; 0 for none.
        share: of the output.
        exact: fp32 weights even where the program's are small.
        prefix: of the names of the state's tensors.

    """
    inner = mixer.output.in_features
    rank, states, _ = mixer.sizes
    earlier, channels = mixer.taps.shape[0] - 1, padded(inner)
    inputs, scan = program.state(earlier * channels), program.state(channels * states)
    u, gate, mixed = program.row(inner), program.row(inner), program.row(inner)
    selected = program.row(rank + 2 * states)
    matrix = mixer.input.weight
    program.take(matrix)
    taps = (program.vector(program.array(mixer.taps)), program.vector(program.array(mixer.taps_bias)))
    program.multiply(
        matrix[:inner],
        before,
        u,
        epilogue=Epilogue.CONVOLVE,
        normed=normed,
        wait=False,
        exact=exact,
        tables=taps,
        state=inputs,
    )
    program.multiply(matrix[inner:], before, gate, epilogue=Epilogue.SILU, normed=normed, exact=exact)
    program.multiply(mixer.selection.weight, u, selected, exact=exact)
    rates = -np.exp(program.array(mixer.log_rates)) * np.float32(_LOG2_E)
    program.multiply(
        mixer.step_size.weight,
        selected,
        mixed,
        epilogue=Epilogue.SCAN,
        bias=mixer.step_size.bias,
        exact=True,  # few weights, and an exponential behind them
        tables=(program.address(_in_panels(rates)), program.vector(program.array(mixer.skip))),
        state=scan,
        sizes=(states, u, gate, selected + rank, selected + rank + states),
    )
    program.take(mixer.output.weight)
    program.multiply(mixer.output.weight * share, mixed, after, epilogue=Epilogue.ADD, exact=exact)
    name = f"{prefix}scan"

    def unpack(region: Floats, _position: int) -> LayerState:
        blocks = region.reshape(-1, states, PANEL)
        return {name: torch.tensor(blocks.transpose(0, 2, 1).reshape(1, channels, states)[:, :inner])}

    def pack(region: Floats, state: LayerState, _position: int) -> None:
        region[:] = _in_panels(values_of(state[name])).ravel()

    program.keep(
        rows_region(f"{prefix}inputs", inputs, (earlier, inner), channels),
        Region(scan, channels * states, unpack, pack),
    )


def _in_panels(values: Floats) -> Floats:
    """(channels, states) to (panels, states, PANEL)."""
    room = np.zeros((padded(values.shape[0]), values.shape[1]), np.float32)
    room[: values.shape[0]] = values
    return np.ascontiguousarray(room.reshape(-1, PANEL, values.shape[1]).transpose(0, 2, 1))
