"""Feed-forward layers as instructions; RWKV's also mix in the input before."""

import numpy as np

from trainer.decode.program import Epilogue, NotPlanned, Program
from trainer.decode.token_shift import shift
from trainer.layers.feed_forward import FeedForward, Rwkv6ChannelMix, Rwkv7ChannelMix, SquaredReluMlp, SwigluMlp

_STATE = "channel_input"


def lay_out_mlp(mlp: FeedForward, program: Program, stream: int) -> None:
    """Instructions that add the layer's output to the residual stream. Raises NotPlanned for one without a layout."""
    width, inner = mlp.up.in_features, program.row(mlp.up.out_features)
    match mlp:
        case SquaredReluMlp():
            program.multiply(mlp.up.weight, stream, inner, epilogue=Epilogue.SQUARED_RELU, normed=width)
        case SwigluMlp():
            program.multiply(mlp.gate.weight, stream, inner, epilogue=Epilogue.SILU, normed=width)
            program.multiply(mlp.up.weight, stream, inner, epilogue=Epilogue.TIMES, normed=width)
        case Rwkv6ChannelMix():
            shares = np.stack([program.array(mlp.share), program.array(mlp.receptance_share)])
            for_up, for_gate = shift(program, stream, width, shares, _STATE)
            gate = program.row(width)
            program.multiply(mlp.receptance.weight, for_gate, gate, epilogue=Epilogue.SIGMOID, wait=False)
            program.multiply(mlp.up.weight, for_up, inner, epilogue=Epilogue.SQUARED_RELU)
            program.multiply(mlp.down.weight, inner, stream, epilogue=Epilogue.ADD_GATED, sizes=(gate,))
            return
        case Rwkv7ChannelMix():
            (for_up,) = shift(program, stream, width, program.array(mlp.share)[None], _STATE)
            program.multiply(mlp.up.weight, for_up, inner, epilogue=Epilogue.SQUARED_RELU)
        case _:
            raise NotPlanned(f"{type(mlp).__name__} has no layout")
    program.multiply(mlp.down.weight, inner, stream, epilogue=Epilogue.ADD)
