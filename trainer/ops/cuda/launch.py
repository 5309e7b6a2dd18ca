"""Launches a kernel where its tensors are: on their GPU, or emulated on the host."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from trainer.ops.cuda import emulated
from trainer.ops.cuda.arguments import Argument, Launch

_EMULATED_MULTIPROCESSORS: Final = 1


def launch(what: Launch, arguments: Sequence[Argument]) -> None:
    """Queues the kernel on the tensors' device and its current stream; all tensors are contiguous and on one device."""
    device = next(one.device for one in arguments if isinstance(one, Tensor))
    if device.type == "cpu":
        emulated.launch(what, arguments)
        return
    from trainer.ops.cuda import driver

    driver.launch(what, arguments, device)


def multiprocessors(device: torch.device) -> int:
    """How many the device has."""
    if device.type == "cpu":
        return _EMULATED_MULTIPROCESSORS
    return int(torch.cuda.get_device_properties(device).multi_processor_count)
