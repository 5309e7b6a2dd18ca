"""A part of the flat state, and how it becomes named tensors and comes back; it computes nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer.layers.mixer import LayerState

Floats = NDArray[np.float32]

FRONT: Final = -1  # the owner of what stands before the layers


@dataclass(frozen=True, slots=True)
class Region:
    """Of one layer, or of what stands before them."""

    offset: int  # floats
    size: int  # floats
    unpack: Callable[[Floats, int], LayerState]  # (the region, position) -> tensors of a batch of one
    pack: Callable[[Floats, LayerState, int], None]  # fills the region
    used: Callable[[int], int] | None = None  # position -> floats from the offset on that say anything; None: all
    slots: Callable[[int], list[int]] | None = None  # position -> slots of a ring that its id writes; None: all
    slot: int = 0  # floats of a slot
    owner: int = field(default=FRONT)  # the layer's number

    def said(self, position: int) -> slice:
        """The part of the state that says anything after `position` ids."""
        return slice(self.offset, self.offset + (self.size if self.used is None else self.used(position)))

    def changed(self, position: int, ids: int) -> list[slice]:
        """The parts of the state that reading some ids from a position on may write; none overlaps another."""
        if self.slots is None:
            return [self.place]
        written = {slot for at in range(position, position + ids) for slot in self.slots(at)}
        starts = [self.offset + slot * self.slot for slot in sorted(written)]
        return [slice(start, start + self.slot) for start in starts]

    @property
    def place(self) -> slice:
        """All of it."""
        return slice(self.offset, self.offset + self.size)


def row_region(name: str, offset: int, width: int, room: int) -> Region:
    """A (1, width) tensor in `room` floats."""

    def unpack(region: Floats, _position: int) -> LayerState:
        return {name: torch.tensor(region[None, :width])}

    def pack(region: Floats, state: LayerState, _position: int) -> None:
        region[:width] = values_of(state[name])

    return Region(offset, room, unpack, pack)


def rows_region(name: str, offset: int, shape: tuple[int, int], room: int) -> Region:
    """A (1, rows, width) tensor, each row in `room` floats."""
    rows, width = shape

    def unpack(region: Floats, _position: int) -> LayerState:
        return {name: torch.tensor(region.reshape(1, rows, room)[:, :, :width])}

    def pack(region: Floats, state: LayerState, _position: int) -> None:
        region.reshape(rows, room)[:, :width] = values_of(state[name])

    return Region(offset, rows * room, unpack, pack)


def heads_region(name: str, offset: int, shape: tuple[int, int, int], room: int, *, turned: bool) -> Region:
    """A (1, heads, rows, width) tensor, each row in `room` floats; `turned`: the tensor is (1, heads, width, rows)."""
    heads, rows, width = shape

    def unpack(region: Floats, _position: int) -> LayerState:
        held = region.reshape(1, heads, rows, room)[..., :width]
        return {name: torch.tensor(held.swapaxes(2, 3) if turned else held).contiguous()}

    def pack(region: Floats, state: LayerState, _position: int) -> None:
        held = values_of(state[name])
        region.reshape(heads, rows, room)[..., :width] = held.swapaxes(1, 2) if turned else held

    return Region(offset, heads * rows * room, unpack, pack)


def values_of(tensor: Tensor) -> Floats:
    """The only one of a batch."""
    values: Floats = tensor[0].detach().float().cpu().numpy()
    return values


def keys_and_values(ring: Floats, places: NDArray[np.int64], prefix: str = "") -> LayerState:
    """(1, heads, places, width) tensors from some places of a ring (all places, 2, heads, width)."""
    kept = ring[places]
    return {
        f"{prefix}{name}": torch.tensor(kept[:, which].transpose(1, 0, 2)[None])
        for which, name in enumerate(("keys", "values"))
    }


def put_keys_and_values(ring: Floats, places: NDArray[np.int64], state: LayerState, prefix: str = "") -> None:
    """The other way; there may be more tensors' rows than places, of which the last ones are taken."""
    for which, name in enumerate(("keys", "values")):
        held = values_of(state[f"{prefix}{name}"]).transpose(1, 0, 2)
        ring[places, which] = held[len(held) - len(places) :]
