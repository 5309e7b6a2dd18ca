"""Mamba as instructions: projection and convolution, selection, step size and scan and gate, output."""

import numpy as np
import torch
from torch import Tensor

from trainer.decode.program import PANEL, Epilogue, Floats, Program, Region, padded
from trainer.layers.mamba import Mamba
from trainer.layers.mixer import LayerState

_LOG2_E = 1.4426950408889634


def lay_out(mixer: Mamba, program: Program, stream: int, _angles: int) -> Region:
    """Instructions that add the mixer's output to the residual stream at `stream`, and the state's place."""
    width, inner = mixer.input.in_features, mixer.output.in_features
    rank, states, _ = mixer.sizes
    earlier, channels = mixer.taps.shape[0] - 1, padded(inner)
    inputs = program.state(earlier * channels)
    scan = program.state(channels * states)
    u, gate, mixed = program.row(inner), program.row(inner), program.row(inner)
    selected = program.row(rank + 2 * states)
    matrix = mixer.input.weight
    program.taken.add(id(matrix))
    taps = (program.vector(program.array(mixer.taps)), program.vector(program.array(mixer.taps_bias)))
    program.multiply(
        matrix[:inner], stream, u, epilogue=Epilogue.CONVOLVE, normed=width, wait=False, tables=taps, state=inputs
    )
    program.multiply(matrix[inner:], stream, gate, epilogue=Epilogue.SILU, normed=width)
    program.multiply(mixer.selection.weight, u, selected)
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
    program.multiply(mixer.output.weight, mixed, stream, epilogue=Epilogue.ADD)

    def unpack(region: Floats, _position: int) -> LayerState:
        kept = region[: earlier * channels].reshape(1, earlier, channels)[:, :, :inner]
        blocks = region[scan - inputs :][: channels * states].reshape(-1, states, PANEL)
        held = blocks.transpose(0, 2, 1).reshape(1, channels, states)[:, :inner]
        return {"inputs": torch.tensor(kept), "scan": torch.tensor(held)}

    def pack(region: Floats, state: LayerState, _position: int) -> None:
        region[: earlier * channels].reshape(earlier, channels)[:, :inner] = _values(state["inputs"])
        region[scan - inputs :][: channels * states] = _in_panels(_values(state["scan"])).ravel()

    size = scan + padded(channels * states) - inputs
    return Region(inputs, size, lambda _position: size, unpack, pack)


def _values(tensor: Tensor) -> Floats:
    values: Floats = tensor[0].detach().float().cpu().numpy()
    return values


def _in_panels(values: Floats) -> Floats:
    """(channels, states) to (panels, states, PANEL)."""
    room = np.zeros((padded(values.shape[0]), values.shape[1]), np.float32)
    room[: values.shape[0]] = values
    return np.ascontiguousarray(room.reshape(-1, PANEL, values.shape[1]).transpose(0, 2, 1))
