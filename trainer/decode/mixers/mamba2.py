"""Mamba-2 as instructions: projection and convolution, step sizes, the heads' recurrence and gate, output."""

import numpy as np

from trainer.decode.program import Common, Epilogue, Kind, Program, padded
from trainer.decode.region import heads_region, rows_region
from trainer.layers.mamba2 import Mamba2

_LOG2_E = 1.4426950408889634


def lay_out(mixer: Mamba2, program: Program, common: Common) -> None:
    """Instructions that add the mixer's output to the residual stream."""
    width = mixer.input.in_features
    inner, states, _ = mixer.sizes
    heads, channels = mixer.skip.numel(), sum(mixer.sizes)
    head_width, earlier = inner // heads, mixer.taps.shape[0] - 1
    room = padded(head_width)
    inputs, held = program.state(earlier * padded(channels)), program.state(heads * states * room)
    u, gate, mixed, steps = (program.row(each) for each in (channels, inner, inner, heads))
    matrix = mixer.input.weight
    program.take(matrix)
    taps = (program.vector(program.array(mixer.taps)), program.vector(program.array(mixer.taps_bias)))
    program.multiply(
        matrix[inner:],
        common.stream,
        u,
        epilogue=Epilogue.CONVOLVE,
        normed=width,
        wait=False,
        tables=taps,
        state=inputs,
    )
    program.multiply(matrix[:inner], common.stream, gate, epilogue=Epilogue.SILU, normed=width, wait=False)
    program.multiply(
        mixer.step_size.weight,
        common.stream,
        steps,
        epilogue=Epilogue.SOFTPLUS,
        bias=mixer.step_size.bias,
        normed=width,
        exact=True,  # few weights, and an exponential behind them
    )
    rates = -np.exp(program.array(mixer.log_rates)) * np.float32(_LOG2_E)
    program.emit(
        Kind.SSD,
        **{"in": u, "out": mixed},
        units=heads,
        wait=True,
        state=held,
        tables=(program.vector(np.stack([rates, program.array(mixer.skip)])),),
        sizes=(head_width, states, room, padded(heads), u + inner, steps, gate),
    )
    program.take(mixer.scale)
    program.take(mixer.output.weight)
    scaled = mixer.output.weight * mixer.scale
    program.multiply(scaled, mixed, common.stream, epilogue=Epilogue.ADD, normed=inner)
    program.keep(
        rows_region("inputs", inputs, (earlier, channels), padded(channels)),
        heads_region("heads", held, (heads, states, head_width), room, turned=True),
    )
