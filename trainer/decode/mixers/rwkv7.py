"""RWKV-7's time-mix as instructions: shifts, products and low-rank ones, the heads' recurrence and norm."""

import numpy as np

from trainer.decode.program import WIDEST_HEAD, Common, Epilogue, Kind, NotPlanned, Program, padded
from trainer.decode.region import heads_region
from trainer.decode.token_shift import shift
from trainer.layers.rwkv7 import LowRank, Reflections, Rwkv7

_NAME = "rwkv7"


def lay_out(mixer: Rwkv7, program: Program, common: Common) -> None:
    """Instructions that add the mixer's output to the residual stream. NotPlanned: heads are too wide."""
    width, head_width = mixer.output.in_features, mixer.head_width
    if head_width > WIDEST_HEAD:
        raise NotPlanned(f"its heads are wider than {WIDEST_HEAD}")
    heads, room = width // head_width, padded(head_width)
    receptance, key, value, decay, rate, gate, read = (program.row(width) for _ in range(7))
    mixed = shift(program, common.stream, width, program.array(mixer.shares), "input")
    for_receptance, for_decay, for_key, for_value, for_rate, for_gate = mixed
    low_decay = _down(mixer.decay, program, for_decay, Epilogue.TANH)
    low_rate = 0 if isinstance(mixer.rate, Reflections) else _down(mixer.rate, program, for_rate, Epilogue.STORE)
    low_gate = _down(mixer.gate, program, for_gate, Epilogue.SIGMOID)
    low_share = 0 if mixer.residual is None else _down(mixer.residual, program, for_value, Epilogue.STORE)
    program.multiply(mixer.receptance.weight, for_receptance, receptance, wait=False)
    program.multiply(mixer.key.weight, for_key, key, wait=False)
    program.multiply(mixer.value.weight, for_value, value)
    _up(mixer.decay, program, low_decay, decay, Epilogue.STORE, exact=True)  # an exponential is behind it
    if mixer.residual is None:
        common.first[_NAME] = value
    else:
        _up(mixer.residual, program, low_share, value, Epilogue.TOWARDS, sizes=(common.first[_NAME],))
    reflections: tuple[int, ...] = ()
    if isinstance(mixer.rate, Reflections):
        reflections = _reflections(mixer.rate, program, for_key, for_rate)
    else:
        _up(mixer.rate, program, low_rate, rate, Epilogue.SIGMOID, exact=True)
    _up(mixer.gate, program, low_gate, gate, Epilogue.STORE, wait=True)
    held = program.state(heads * head_width * room)
    vectors = (mixer.key_scale, mixer.key_rate, mixer.bonus, mixer.norm_scale, mixer.norm_bias)
    rows = np.stack([program.array(each).reshape(-1) for each in vectors])
    program.emit(
        Kind.WKV7,
        **{"in": receptance, "out": read},
        units=heads,
        wait=True,
        state=held,
        tables=(program.vector(rows),),
        sizes=(head_width, padded(width), room, *reflections),
    )
    program.multiply(mixer.output.weight, read, common.stream, epilogue=Epilogue.ADD)
    program.keep(heads_region("heads", held, (heads, head_width, head_width), room, turned=True))


def _down(matrices: LowRank, program: Program, before: int, epilogue: Epilogue) -> int:
    """The place of what is inside."""
    low = program.row(matrices.down.out_features)
    program.multiply(matrices.down.weight, before, low, epilogue=epilogue, wait=False)
    return low


def _reflections(rate: Reflections, program: Program, for_key: int, for_rate: int) -> tuple[int, ...]:
    """How many there are, the place of the directions of all but the last, and that of halves of their rates."""
    rows = [program.row(direction.in_features) for direction in rate.directions()]
    for direction, row in zip(rate.directions(), rows, strict=True):
        program.multiply(direction.weight, for_key, row, wait=False)
    halves = program.row(rate.rates.out_features)
    program.multiply(rate.rates.weight, for_rate, halves, bias=rate.rates.bias, epilogue=Epilogue.SIGMOID, exact=True)
    return len(rows) + 1, rows[0] if rows else 0, halves


def _up(
    matrices: LowRank,
    program: Program,
    low: int,
    after: int,
    epilogue: Epilogue,
    *,
    exact: bool = False,
    wait: bool = False,
    sizes: tuple[int, ...] = (),
) -> None:
    up = matrices.up
    program.multiply(
        up.weight, low, after, epilogue=epilogue, bias=up.bias, exact=exact, wait=wait, sizes=sizes or (0,)
    )
