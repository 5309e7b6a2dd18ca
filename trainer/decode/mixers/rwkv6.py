"""RWKV-6's time-mix as instructions: shares of the input before, products, the heads' recurrence and norm."""

import numpy as np

from trainer.decode.program import WIDEST_HEAD, Common, Epilogue, Kind, NotPlanned, Program, padded
from trainer.decode.region import heads_region
from trainer.decode.token_shift import shift
from trainer.layers.rwkv6 import Rwkv6


def lay_out(mixer: Rwkv6, program: Program, common: Common) -> None:
    """Instructions that add the mixer's output to the residual stream. NotPlanned: heads are too wide."""
    mix(mixer, program, common.stream, common.stream)


def mix(
    mixer: Rwkv6,
    program: Program,
    before: int,
    after: int,
    *,
    epilogue: Epilogue = Epilogue.ADD,
    share: float = 1.0,
    prefix: str = "",
) -> None:
    """Instructions for a share of the mixer's output.

    Args:
        mixer: in fp32.
        program: takes them.
        before: the place of what is the mixer's input once it is normed.
        after: where the output goes to, through the epilogue.
        epilogue: see product.h.
        share: of the output.
        prefix: of the names of the state's tensors.

    Raises:
        NotPlanned: heads are too wide.

    """
    width, inner, head_width = mixer.receptance.in_features, mixer.output.in_features, mixer.head_width
    if head_width > WIDEST_HEAD:
        raise NotPlanned(f"its heads are wider than {WIDEST_HEAD}")
    heads, room = inner // head_width, padded(head_width)
    mixes, rank, _ = mixer.shares_up.shape
    parts = (program.row(width), program.row(width))
    low, low_decay = program.row(mixes * rank + padded(rank)), program.row(mixer.decay_down.out_features)
    receptance, key, value, decay, gate, read = (program.row(inner) for _ in range(6))
    (for_shares,) = shift(program, before, width, program.array(mixer.share)[None], f"{prefix}input", parts=parts)
    program.multiply(mixer.shares_down.weight, for_shares, low, epilogue=Epilogue.TANH)
    program.take(mixer.shares)
    program.take(mixer.shares_up)
    mixed = [program.row(width) for _ in range(mixes)]
    for number, place in enumerate(mixed):
        program.multiply(
            mixer.shares_up[number].T,
            low + number * rank,
            place,
            epilogue=Epilogue.SHARED,
            bias=mixer.shares[number],
            wait=number == mixes - 1,
            sizes=parts,
        )
    for_decay, for_key, for_value, for_receptance, for_gate = mixed
    program.multiply(mixer.decay_down.weight, for_decay, low_decay, epilogue=Epilogue.TANH, wait=False)
    program.multiply(mixer.receptance.weight, for_receptance, receptance, wait=False)
    program.multiply(mixer.key.weight, for_key, key, wait=False)
    program.multiply(mixer.value.weight, for_value, value, wait=False)
    program.multiply(mixer.gate.weight, for_gate, gate, epilogue=Epilogue.SILU)
    up = mixer.decay_up
    program.multiply(up.weight, low_decay, decay, bias=up.bias, exact=True)  # two exponentials behind it
    held = program.state(heads * head_width * room)
    tables = [program.array(each).reshape(-1) for each in (mixer.bonus, mixer.norm_scale, mixer.norm_bias)]
    program.emit(
        Kind.WKV6,
        **{"in": receptance, "out": read},
        units=heads,
        wait=True,
        state=held,
        tables=(program.vector(np.stack(tables)),),
        sizes=(head_width, padded(inner), room),
    )
    program.take(mixer.output.weight)
    program.multiply(mixer.output.weight * share, read, after, epilogue=epilogue)
    program.keep(heads_region(f"{prefix}heads", held, (heads, head_width, head_width), room, turned=False))
