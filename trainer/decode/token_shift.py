"""RWKV's token shift as an instruction: each input mixed with the one before it; the state is the last input."""

from trainer.decode.program import PANEL, Kind, Program, padded
from trainer.decode.region import Floats, row_region


def shift(
    program: Program, before: int, width: int, shares: Floats, state: str, *, parts: tuple[int, int] = (0, 0)
) -> list[int]:
    """The places of x + (input before - x) * share, one for each share; x is what is at `before`, normed.

    Args:
        program: takes the instruction.
        before: the place of a row of `width` floats.
        width: of it.
        shares: (mixes, width).
        state: the name of the state's tensor (1, width), the last x.
        parts: places that x and (input before - x) are written to; 0 where they are not wanted.

    """
    last = program.state(width)
    mixed = [program.row(width) for _ in shares]
    program.emit(
        Kind.SHIFT,
        **{"in": before, "out": mixed[0]},
        units=padded(width) // PANEL,
        columns=padded(width),
        normed=width,
        wait=True,
        state=last,
        tables=(program.vector(shares),),
        sizes=(len(shares), padded(width), *parts),
    )
    program.keep(row_region(state, last, width, padded(width)))
    return mixed
