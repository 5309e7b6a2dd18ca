"""The processes of one run, as torchrun starts them: which one is this, what do all know; it moves no gradients."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed

from trainer.errors import ConfigError

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Processes:
    """The place of this process among those of the run; alone, every exchange is what was handed in."""

    rank: int = 0  # counted from 0 over all machines
    size: int = 1
    local_rank: int = 0  # on this machine: the number of its GPU

    @property
    def first(self) -> bool:
        """Whether it is the one that writes and speaks."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there is no other."""
        return self.size == 1

    def sum(self, values: Sequence[float]) -> list[float]:
        """Each value added up over the processes, in double precision."""
        if self.alone:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(total)
        return [float(each) for each in total]

    def any(self, asked: bool) -> bool:
        """Whether one of them says so."""
        return self.sum([float(asked)])[0] > 0

    def told(self, value: _Value) -> _Value:
        """The first process's value."""
        if self.alone:
            return value
        carrier = [value]
        distributed.broadcast_object_list(carrier, src=0)
        return carrier[0]

    def gathered(self, value: _Value) -> list[_Value]:
        """The values of all processes, in the order of their ranks."""
        if self.alone:
            return [value]
        carriers: list[_Value | None] = [None] * self.size
        distributed.all_gather_object(carriers, value)
        return [carrier for carrier in carriers if carrier is not None]

    def share(self, rows: range) -> range:
        """The rows that are this process's, of as many as can be divided among all."""
        each = len(rows) // self.size
        return rows[self.rank * each : (self.rank + 1) * each]


@contextmanager
def joined() -> Iterator[Processes]:
    """The processes that the environment names (torchrun's RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT).

    Tensors on the processor travel by gloo, those on GPUs by NCCL. Processes that have joined before stay joined.

    Raises:
        ConfigError: the environment names processes and torch cannot join them.

    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Processes()
        return
    processes = Processes(int(os.environ["RANK"]), size, int(os.environ.get("LOCAL_RANK", "0")))
    if not distributed.is_available():
        raise ConfigError("This torch has no distributed training; start one process, without torchrun.")
    if distributed.is_initialized():
        yield processes
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(processes.local_rank)
    distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield processes
    finally:
        distributed.destroy_process_group()
