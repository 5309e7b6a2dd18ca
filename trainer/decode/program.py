"""Instructions for ops/decode/native.c, their weights packed and their places assigned; it knows no model."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from trainer.layers.mixer import LayerState

Floats = NDArray[np.float32]

PANEL: Final = 16  # floats; native.c's PANEL
_LARGEST_INT8: Final = 127
_LINE: Final = 64  # bytes of a cache line


class Kind(IntEnum):
    """What an instruction does; native.c's `enum kind`."""

    EMBED = 0
    ANGLES = 1
    MULTIPLY = 2
    ATTEND = 3


class Epilogue(IntEnum):
    """What the results of a product go through; native.c's `enum epilogue`."""

    STORE = 0
    ADD = 1
    TIMES = 2
    SILU = 3
    SQUARED_RELU = 4
    CAP = 5
    CONVOLVE = 6
    SCAN = 7


INSTRUCTION: Final = np.dtype(
    [(name, np.int64) for name in ("kind", "epilogue", "wait", "in", "out", "panels", "columns", "normed", "state")]
    + [("sizes", np.int64, 6), ("weights", np.uint64), ("scales", np.uint64), ("bias", np.uint64)]
    + [("tables", np.uint64, 2)]
)


@dataclass(frozen=True, slots=True)
class Region:
    """A layer's part of the flat state, and how it becomes the layer's named tensors and comes back."""

    offset: int  # floats
    size: int  # floats
    used: Callable[[int], int]  # position -> floats from the offset on that say anything
    unpack: Callable[[Floats, int], LayerState]  # (the region, position) -> tensors of a batch of one
    pack: Callable[[Floats, LayerState, int], None]  # fills the region


@dataclass(slots=True)
class Program:
    """A list of instructions under construction; places are in floats."""

    small: bool  # weights of products as int8 with one scale for each row
    instructions: list[dict[str, object]] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)  # ids of the parameters that some instruction uses
    stride: int = 0  # floats of the scratch of one position
    state_size: int = 0  # floats
    weight_bytes: int = 0  # that are read for every id
    _kept: list[NDArray[np.generic]] = field(default_factory=list)  # what the instructions' addresses point at

    def row(self, width: int) -> int:
        """Room for a row of `width` floats in the scratch of a position."""
        self.stride += padded(width)
        return self.stride - padded(width)

    def state(self, size: int) -> int:
        """Room for `size` floats in the state."""
        self.state_size += padded(size)
        return self.state_size - padded(size)

    def emit(self, kind: Kind, **fields: object) -> None:
        """One more instruction; fields that are left out are 0."""
        self.instructions.append({"kind": kind, **fields})

    def multiply(
        self,
        matrix: Tensor,
        before: int,
        after: int,
        *,
        epilogue: Epilogue = Epilogue.STORE,
        bias: Tensor | None = None,
        normed: int = 0,
        wait: bool = True,
        exact: bool = False,
        **fields: object,
    ) -> None:
        """The product of a matrix (rows, columns) with the row at `before`, through the epilogue to `after`.

        Args:
            matrix: fp32; it is copied.
            before: a place in the scratch.
            after: another one.
            epilogue: see native.c.
            bias: (rows,), added before the epilogue.
            normed: see native.c.
            wait: see native.c.
            exact: fp32 even where the program's weights are small.
            **fields: see native.c.

        """
        values, scales = self.array(matrix), 0
        packed: NDArray[np.generic] = panels(values)
        if self.small and not exact:
            whole, of_rows = quantized(values)
            packed, scales = panels(whole), self.vector(of_rows)
        self.weight_bytes += packed.nbytes
        self.emit(
            Kind.MULTIPLY,
            **{"in": before, "out": after},
            epilogue=epilogue,
            panels=packed.shape[0],
            columns=packed.shape[1],
            normed=normed,
            wait=wait,
            weights=self.address(packed),
            scales=scales,
            bias=0 if bias is None else self.vector(self.array(bias)),
            **fields,
        )

    def array(self, parameter: Tensor) -> Floats:
        """A parameter's values in fp32; it counts as taken."""
        self.taken.add(id(parameter))
        values: Floats = parameter.detach().float().cpu().numpy()
        return values

    def vector(self, values: Floats) -> int:
        """The address of a copy of the last dimension padded to whole panels."""
        room = np.zeros((*values.shape[:-1], padded(values.shape[-1])), np.float32)
        room[..., : values.shape[-1]] = values
        return self.address(room)

    def address(self, values: NDArray[np.generic]) -> int:
        """Where the values lie; they are kept as long as the program."""
        target = aligned(values.nbytes).view(values.dtype).reshape(values.shape)
        target[...] = values
        self._kept.append(target)
        return int(target.ctypes.data)

    def plan(self) -> NDArray[np.void]:
        """The instructions as native.c reads them."""
        made = np.zeros(len(self.instructions), INSTRUCTION)
        for number, instruction in enumerate(self.instructions):
            for name, value in instruction.items():
                if isinstance(value, tuple):
                    made[number][name][: len(value)] = value
                else:
                    made[number][name] = value
        return made


def aligned(count: int) -> NDArray[np.uint8]:
    """Zeroed bytes that begin where a cache line does; their pages cost nothing until they are written."""
    room = np.zeros(count + _LINE, np.uint8)
    start = -room.ctypes.data % _LINE
    return room[start : start + count]


def padded(width: int) -> int:
    """The floats of whole panels that hold `width`."""
    return -(-width // PANEL) * PANEL


def panels(matrix: NDArray[np.generic]) -> NDArray[np.generic]:
    """(rows, columns) to (panels, padded columns, PANEL): column by column, PANEL rows side by side."""
    rows, columns = matrix.shape
    room = np.zeros((padded(rows), padded(columns)), matrix.dtype)
    room[:rows, :columns] = matrix
    return np.ascontiguousarray(room.reshape(-1, PANEL, padded(columns)).transpose(0, 2, 1))


def quantized(matrix: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Whole numbers from -127 to 127 and a scale for each row whose products are nearest to the matrix."""
    scales = np.abs(matrix).max(axis=1) / _LARGEST_INT8
    whole = np.rint(matrix / np.where(scales == 0, 1, scales)[:, None]).astype(np.int8)
    return whole, scales.astype(np.float32)
