"""What is launched, and a kernel's arguments as the driver takes them: an array of pointers to their values."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

Argument = Tensor | ctypes.Structure | ctypes.c_int | ctypes.c_longlong


@dataclass(frozen=True, slots=True)
class Launch:
    """A kernel, by how many blocks of how many threads."""

    operator: str
    kernel: str
    grid: tuple[int, int, int]
    block: tuple[int, int, int]


def packed(arguments: Sequence[Argument]) -> tuple[ctypes.Array[ctypes.c_void_p], list[object]]:
    """The array, and what has to live as long as it is used. Tensors go by their address and must be contiguous."""
    values = [ctypes.c_void_p(one.data_ptr()) if isinstance(one, Tensor) else one for one in arguments]
    pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
    return pointers, [*values, *arguments]
