"""Calls a function of a native library with tensors' addresses; shapes and types are the caller's business."""

import ctypes
import struct
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from trainer.ops import build

_NUMBERS_FOR_A_THREAD: Final = 8192  # of the largest tensor; waking another thread costs as much as fewer take


def call(
    operator: str, function: str, tensors: Sequence[Tensor], results: Sequence[Tensor], sizes: Sequence[int]
) -> None:
    """Runs `function`; all tensors are on the processor and lie as native.c says there, and the results are filled.

    Raises:
        MemoryError: the library found no room for its scratch.

    """
    run = getattr(build.library(operator), function)
    largest = max(tensor.numel() for tensor in (*tensors, *results))
    threads = min(torch.get_num_threads(), 1 + largest // _NUMBERS_FOR_A_THREAD)
    failed = run(
        (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors)),
        (ctypes.c_void_p * len(results))(*(tensor.data_ptr() for tensor in results)),
        (ctypes.c_int64 * len(sizes))(*sizes),
        ctypes.c_int64(threads),
    )
    if failed:
        msg = f"{operator} found no memory for its scratch; use a smaller batch."
        raise MemoryError(msg)


def in_rows(sequence: Tensor) -> tuple[Tensor, int]:
    """A sequence (B, L, D) without gaps but between its rows, and the numbers from one row to the next.

    So half of a projection, which lies beside the other half, is read where it is; what lies otherwise is copied.
    """
    _, length, channels = sequence.shape
    row = sequence.stride(1)
    if sequence.stride(2) == 1 and sequence.stride(0) == length * row:
        return sequence, row
    return sequence.contiguous(), channels


def bits_of(number: float) -> int:
    """The bits of a number in fp32, as native.c takes it among the sizes."""
    bits: int = struct.unpack("=i", struct.pack("=f", number))[0]
    return bits
