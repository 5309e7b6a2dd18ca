"""RWKV-6 and Mamba side by side as instructions: each branch with its share, then the norm over groups."""

import math

from trainer.decode.mixers import mamba, rwkv6
from trainer.decode.program import Common, Epilogue, Kind, Program
from trainer.layers.blend import Blend


def lay_out(mixer: Blend, program: Program, common: Common) -> None:
    """Instructions that add the mixer's output to the residual stream. NotPlanned: heads are too wide."""
    width = mixer.gamma.numel()
    share = mixer.fixed if mixer.odds is None else 1 / (1 + math.exp(-float(program.array(mixer.odds))))
    mixed = program.row(width)
    rwkv6.mix(mixer.rwkv, program, common.stream, mixed, epilogue=Epilogue.STORE, share=share, prefix="rwkv_")
    mamba.mix(mixer.mamba, program, common.stream, mixed, normed=width, share=1 - share, prefix="mamba_")
    program.emit(
        Kind.ADD_NORMALIZED,
        **{"in": mixed, "out": common.stream},
        units=mixer.groups,
        wait=True,
        tables=(program.vector(program.array(mixer.gamma)),),
        sizes=(width // mixer.groups,),
    )
