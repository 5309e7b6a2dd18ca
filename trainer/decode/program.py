"""Instructions for ops/decode/native.c, their weights packed and their places assigned; it knows no model."""

from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from trainer.decode.region import FRONT, Floats, Region

PANEL: Final = 16  # floats; native.c's PANEL
WIDEST_HEAD: Final = 256  # native.c's
_LARGEST_INT8: Final = 127
_LINE: Final = 64  # bytes of a cache line


class Kind(IntEnum):
    """What an instruction does; native.c's `enum kind`."""

    EMBED = 0
    ANGLES = 1
    WORDS = 2
    NORMALIZE = 3
    MULTIPLY = 4
    ATTEND = 5
    ATTEND_SPARSELY = 6
    SHIFT = 7
    WKV6 = 8
    WKV7 = 9
    SSD = 10
    ADD_NORMALIZED = 11
    WEIGH_SLOTS = 12
    AVERAGE = 13


class Epilogue(IntEnum):
    """What the results of a product go through; product.h's `enum epilogue`."""

    STORE = 0
    ADD = 1
    TIMES = 2
    SILU = 3
    SIGMOID = 4
    TANH = 5
    SOFTPLUS = 6
    SQUARED_RELU = 7
    CAP = 8
    CONVOLVE = 9
    SCAN = 10
    ADD_SCALED = 11
    ADD_GATED = 12
    SHARED = 13
    TOWARDS = 14


INSTRUCTION: Final = np.dtype(
    [(name, np.int64) for name in ("kind", "epilogue", "wait", "in", "out", "units", "columns", "normed", "state")]
    + [("sizes", np.int64, 8), ("weights", np.uint64), ("scales", np.uint64), ("bias", np.uint64)]
    + [("tables", np.uint64, 2)]
)


@dataclass(frozen=True, slots=True)
class Packed:
    """A matrix as native.c reads it; its values are kept by the program."""

    units: int  # panels
    columns: int  # padded
    weights: int  # address
    scales: int  # address; 0 for fp32


class NotPlanned(Exception):
    """The model has a part that no instruction computes; it is decoded eagerly."""


@dataclass(frozen=True, slots=True)
class Common:
    """Places of the rows that several layers know."""

    stream: int  # the residual stream
    angles: int  # cosines, then sines, of the position
    word_angles: int  # the same, half of them of the position in soft words
    first: dict[str, int] = field(default_factory=dict)  # what a kind's first layer leaves for those above it


@dataclass(slots=True)
class Program:
    """A list of instructions under construction; places are in floats."""

    small: bool  # weights of products as int8 with one scale for each row
    instructions: list[dict[str, object]] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    owner: int = FRONT  # of the regions that are kept next
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

    def keep(self, *regions: Region) -> None:
        """Parts of the state of what is being laid out."""
        self.regions += [replace(region, owner=self.owner) for region in regions]

    def emit(self, kind: Kind, **fields: object) -> None:
        """One more instruction; fields that are left out are 0."""
        self.instructions.append({"kind": kind, **fields})

    def multiply(
        self,
        matrix: Tensor | Packed,
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
            matrix: fp32, which is copied, or one that was packed before.
            before: a place in the scratch.
            after: another one.
            epilogue: see native.c.
            bias: (rows,), added before the epilogue.
            normed: see native.c.
            wait: see native.c.
            exact: fp32 even where the program's weights are small.
            **fields: see native.c.

        """
        packed = matrix if isinstance(matrix, Packed) else self.packed(matrix, exact=exact)
        self.weight_bytes += packed.units * packed.columns * PANEL * (1 if packed.scales else 4)
        self.emit(
            Kind.MULTIPLY,
            **{"in": before, "out": after},
            epilogue=epilogue,
            units=packed.units,
            columns=packed.columns,
            normed=normed,
            wait=wait,
            weights=packed.weights,
            scales=packed.scales,
            bias=0 if bias is None else self.vector(self.array(bias)),
            **fields,
        )

    def packed(self, matrix: Tensor, *, exact: bool = False) -> Packed:
        """A matrix (rows, columns) for several products; `exact` as for `multiply`."""
        values = self.array(matrix)
        if exact or not self.small:
            room, scales = panels(values), 0
        else:
            whole, of_rows = quantized(values)
            room, scales = panels(whole), self.vector(of_rows)
        return Packed(room.shape[0], room.shape[1], self.address(room), scales)

    def take(self, parameter: Tensor) -> None:
        """Counts a parameter as taken, of which only something made of it is packed."""
        self.taken.add(id(parameter))

    def array(self, parameter: Tensor) -> Floats:
        """A parameter's values in fp32; it counts as taken."""
        self.take(parameter)
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
