"""Loads compiled kernels through NVIDIA's driver and launches them on torch's current stream; torch's binary interface
is never touched, so any torch with CUDA will do.
"""

import ctypes
import functools
import sys
from collections.abc import Sequence

import torch

from trainer.ops.cuda.arguments import Argument, Launch, packed
from trainer.ops.cuda.compile import image


class CudaError(RuntimeError):
    """The driver refused; the message is its own, with what was asked of it."""


@functools.cache
def _driver() -> ctypes.CDLL:
    return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")


def _require(status: int, what: str) -> None:
    if status:
        told = ctypes.c_char_p()
        _driver().cuGetErrorString(status, ctypes.byref(told))
        raise CudaError(f"{what}: {(told.value or b'unknown error').decode()} ({status})")


@functools.cache
def _function(operator: str, kernel: str, index: int) -> ctypes.c_void_p:
    """The kernel on the device of this index, whose context is current."""
    function = ctypes.c_void_p()
    status = _driver().cuModuleGetFunction(ctypes.byref(function), _module(operator, index), kernel.encode())
    _require(status, f"The kernel {kernel} was not found")
    return function


@functools.cache
def _module(operator: str, index: int) -> ctypes.c_void_p:
    module = ctypes.c_void_p()
    content = image(operator, torch.cuda.get_device_capability(index))
    _require(_driver().cuModuleLoadData(ctypes.byref(module), content), f"The kernels of {operator} do not load")
    return module


def launch(what: Launch, arguments: Sequence[Argument], device: torch.device) -> None:
    """Queues the kernel; may be captured in a CUDA graph. Raises CudaError."""
    with torch.cuda.device(device):
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        function = _function(what.operator, what.kernel, torch.cuda.current_device())
        pointers, kept = packed(arguments)
        status = _driver().cuLaunchKernel(function, *what.grid, *what.block, 0, stream, pointers, None)
        _require(status, f"{what.kernel} by {what.grid} blocks")
        del kept
