"""Chooses the rung that an operator stands on - cuda, native, chunk or ref - and says why; it never fails at import.

cuda: kernels on a GPU. native: C on the processor. chunk: torch alone, whole chunks at a time. ref: torch alone, one
step at a time. A device for which nothing faster exists, and double precision, run on chunk.
"""

import functools
import importlib
import os
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, cast

import torch
from torch import Tensor

from trainer.ops import build

RUNG_VARIABLE = "TRAINER_OPS"
DENORMALS_VARIABLE = "TRAINER_FLUSH_DENORMALS"
NARROW = (torch.bfloat16, torch.float16)
OPERATORS = ("selective_scan", "wkv6", "wkv7", "ssd", "causal_conv")
FUSED = ("rms_norm", "squared_relu", "masked_softmax", "capped_cross_entropy")  # have no state: native or torch


class Rung(StrEnum):
    """The implementations of an operator, fastest first."""

    CUDA = "cuda"
    NATIVE = "native"
    CHUNK = "chunk"
    REF = "ref"


@dataclass(frozen=True, slots=True)
class Choice:
    """The rung for one operator on the processor, and why it is that one."""

    rung: Rung
    reason: str


class Implementation(Protocol):
    """What ref.py, chunk.py and cpu.py of an operator offer: plain functions of detached tensors."""

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """(outputs and, where the operator has any, checkpoints)."""

    def backward(self, grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
        """The gradients of the inputs, in their order; `saved` are the inputs and then the checkpoints."""


def choice(operator: str) -> Choice:
    """The rung for fp32 tensors on the processor.

    Raises:
        ValueError: TRAINER_OPS names no rung.
        build.BuildError: TRAINER_OPS asks for native and it cannot be made.

    """
    environment = tuple(
        os.environ.get(name, "") for name in (build.INSTRUCTION_SET_VARIABLE, build.CACHE_VARIABLE, "CC")
    )
    return _chosen(operator, os.environ.get(RUNG_VARIABLE, ""), environment)


@functools.cache
def _chosen(operator: str, forced: str, environment: tuple[str, ...]) -> Choice:
    del environment  # only the cache's key: another compiler or instruction set is another answer
    if forced:
        try:
            rung = Rung(forced)
        except ValueError as error:
            msg = f"{RUNG_VARIABLE}={forced} is no rung; use cuda, native, chunk or ref."
            raise ValueError(msg) from error
        if rung in {Rung.CHUNK, Rung.REF}:
            return Choice(rung, f"{RUNG_VARIABLE} asks for it")
    if not build.has_native(operator):
        return Choice(Rung.CHUNK, "it has no C form; torch's matrix products do its work")
    try:
        build.library(operator)
    except build.BuildError as error:
        if forced == Rung.NATIVE:
            raise
        return Choice(Rung.CHUNK, str(error))
    return Choice(Rung.NATIVE, f"compiled for {build.instruction_set()}")


def choice_on_gpu(operator: str, capability: tuple[int, int]) -> Choice:
    """The rung for tensors on a GPU of this compute capability; it never asks for one.

    Raises:
        ValueError: TRAINER_OPS names no rung.
        build.BuildError: TRAINER_OPS asks for cuda and it cannot be made.

    """
    return _chosen_on_gpu(operator, capability, os.environ.get(RUNG_VARIABLE, ""))


@functools.cache
def _chosen_on_gpu(operator: str, capability: tuple[int, int], forced: str) -> Choice:
    from trainer.ops.cuda import compile as kernels

    if forced in {Rung.CHUNK, Rung.REF}:
        return Choice(Rung(forced), f"{RUNG_VARIABLE} asks for it")
    if not kernels.has_kernels(operator):
        return Choice(Rung.CHUNK, "it has no kernels for GPUs yet; torch computes it")
    try:
        origin = kernels.image(operator, capability).origin
    except build.BuildError as error:
        if forced == Rung.CUDA:
            raise
        return Choice(Rung.CHUNK, str(error))
    return Choice(Rung.CUDA, f"kernels for compute capability {capability[0]}.{capability[1]}, {origin}")


def rung_for(operator: str, sample: Tensor) -> Rung:
    """The rung that `operator` stands on with tensors like `sample`."""
    if sample.device.type == "cuda":
        rung = choice_on_gpu(operator, torch.cuda.get_device_capability(sample.device)).rung
    else:
        rung = choice(operator).rung
    if rung in {Rung.NATIVE, Rung.CUDA} and (
        sample.dtype is torch.float64 or sample.device.type not in {"cpu", "cuda"}
    ):
        return Rung.CHUNK
    return rung


def implementation(operator: str, sample: Tensor) -> Implementation:
    """The module that computes `operator` on tensors like `sample`."""
    rung = rung_for(operator, sample)
    flush_denormals()
    module = _module(operator, rung)
    return InOneType(module) if sample.device.type == "cuda" and rung is not Rung.CUDA else module


def is_read_narrow(sample: Tensor) -> bool:
    """Whether tensors like `sample` go to kernels in bf16 or fp16, as they are: on a GPU."""
    return sample.dtype in NARROW and sample.device.type == "cuda"


@dataclass(frozen=True, slots=True)
class InOneType:
    """A rung that computes in one type, for tensors of several: narrow ones go in as fp32 and come out narrow."""

    module: Implementation

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """See Implementation."""
        y, *others = self.module.forward(*(_wide(part) for part in inputs))
        return y.to(inputs[0].dtype), *others

    def backward(self, grad_y: Tensor, grad_final: Tensor, *saved: Tensor) -> tuple[Tensor, ...]:
        """See Implementation."""
        found = self.module.backward(_wide(grad_y), _wide(grad_final), *(_wide(part) for part in saved))
        return tuple(part.to(given.dtype) for part, given in zip(found, saved, strict=False))


def _wide(part: Tensor | None) -> Tensor:
    """The tensor in fp32 where it is narrow; a missing one stays missing."""
    return part.float() if part is not None and part.dtype in NARROW else cast("Tensor", part)


@functools.cache
def _module(operator: str, rung: Rung) -> Implementation:
    file = "cpu" if rung is Rung.NATIVE else rung.value  # the file is named after where it runs
    return cast("Implementation", importlib.import_module(f"trainer.ops.{operator}.{file}"))


def flushes_denormals() -> bool:
    """Whether denormal numbers are to be taken for zero: yes, unless TRAINER_FLUSH_DENORMALS is 0."""
    return os.environ.get(DENORMALS_VARIABLE, "1") != "0"


def flush_denormals() -> None:
    """Sets flushing, unless it is not wanted, here and in torch's pool of as many threads as there are now."""
    if flushes_denormals():
        torch.set_flush_denormal(True)
        _flush_in_pool(torch.get_num_threads())


@functools.cache
def _flush_in_pool(threads: int) -> None:
    """Sets it once: vanishing gradients make matrix products 20 times slower."""
    for operator in OPERATORS:
        if _chosen_quietly(operator) is Rung.NATIVE:
            build.library(operator).flush_denormals_in_pool(threads)
            return


def _chosen_quietly(operator: str) -> Rung | None:
    try:
        return choice(operator).rung
    except (ValueError, build.BuildError):
        return None
