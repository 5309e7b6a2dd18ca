"""Loads compiled kernels through NVIDIA's driver and launches them on torch's current stream; torch's binary interface
is never touched, so any torch with CUDA will do.
"""

import ctypes
import functools
import sys
from collections.abc import Sequence

import torch

from trainer.ops.cuda.arguments import Argument, Launch, packed
from trainer.ops.cuda.compile import image, part_of


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
    function, module = ctypes.c_void_p(), _module(operator, part_of(kernel), index)
    status = _driver().cuModuleGetFunction(ctypes.byref(function), module, kernel.encode())
    _require(status, f"The kernel {kernel} was not found")
    return function


@functools.cache
def _module(operator: str, part: str, index: int) -> ctypes.c_void_p:
    module = ctypes.c_void_p()
    capability = torch.cuda.get_device_capability(index)
    if _driver().cuModuleLoadData(ctypes.byref(module), image(operator, capability, part).content):
        own = image(operator, capability, part, fresh=True).content  # by the compiler that came with torch
        _require(_driver().cuModuleLoadData(ctypes.byref(module), own), f"The kernels of {operator} do not load")
    return module


def _make_context_current(index: int) -> None:
    """The device's own context, in a thread that has none yet: autograd's threads may call the driver first."""
    context, device = ctypes.c_void_p(), ctypes.c_int()
    _require(_driver().cuCtxGetCurrent(ctypes.byref(context)), "The current context")
    if context:
        return
    _require(_driver().cuDeviceGet(ctypes.byref(device), index), f"Device {index}")
    _require(_driver().cuDevicePrimaryCtxRetain(ctypes.byref(context), device), f"The context of device {index}")
    _require(_driver().cuCtxSetCurrent(context), f"The context of device {index}")


def launch(what: Launch, arguments: Sequence[Argument], device: torch.device) -> None:
    """Queues the kernel; may be captured in a CUDA graph. Raises CudaError."""
    with torch.cuda.device(device):
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        _make_context_current(torch.cuda.current_device())
        function = _function(what.operator, what.kernel, torch.cuda.current_device())
        pointers, kept = packed(arguments)
        status = _driver().cuLaunchKernel(function, *what.grid, *what.block, 0, stream, pointers, None)
        _require(status, f"{what.kernel} by {what.grid} blocks")
        del kept
