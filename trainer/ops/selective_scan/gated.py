"""The selective scan with what a Mamba layer does around it: softplus of the step sizes, skip, gate, new documents.

On a GPU and in C it is one operator, so that nothing in between is written to memory, and narrow inputs flow into the
GPU's kernels as they are. Elsewhere it is composed of torch's functions around the scan, which autograd sees through.
"""

from types import ModuleType
from typing import cast

import torch
from torch import Tensor

from trainer.ops import loader
from trainer.ops.registration import register, require, working_type
from trainer.ops.selective_scan import CHUNK, gated_torch

_INPUTS = ("u", "delta", "a", "b", "c", "skip", "gate", "bias", "initial_state")


def _shapes(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    u, a, initial_state = inputs[0], inputs[2], inputs[8]
    batch, length, channels = u.shape
    chunks = (length + CHUNK - 1) // CHUNK
    return (
        u.new_empty(batch, length, channels),
        initial_state.new_empty(initial_state.shape),
        initial_state.new_empty(batch, chunks, a.shape[1], channels),
    )


def _implementation(u: Tensor) -> loader.Implementation:
    """The kernels where the scan itself runs on them."""
    chosen: ModuleType = gated_torch
    rung = loader.rung_for("selective_scan", u)
    if rung is loader.Rung.CUDA:
        from trainer.ops.selective_scan import gated_cuda

        chosen = gated_cuda
    elif rung is loader.Rung.NATIVE:
        from trainer.ops.selective_scan import gated_cpu

        chosen = gated_cpu
    return cast("loader.Implementation", chosen)


def _as_one_operator(u: Tensor) -> bool:
    """Whether it is to be opaque to torch: in C, and on a GPU even where the kernels cannot be had.

    While torch.compile traces, no rung can be asked for: what it traces on the processor is one operator.
    """
    if u.device.type != "cpu" or u.dtype is torch.float64:
        return u.device.type == "cuda"
    return torch.compiler.is_compiling() or loader.rung_for("selective_scan", u) is loader.Rung.NATIVE


_operator = register(
    "gated_scan", _INPUTS, _shapes, checkpoints=True, optional=("begins",), implementation=_implementation
)


def gated_scan(
    u: Tensor,
    delta: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor,
    *,
    skip: Tensor,
    gate: Tensor,
    bias: Tensor,
    initial_state: Tensor | None = None,
    begins: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Gives (selective_scan(u, softplus(delta + bias), a, b, c) + skip u) silu(gate), for each channel.

    Args:
        u: (B, L, D), the input; delta, b, c and gate go by its type on a GPU.
        delta: (B, L, D), the step sizes before softplus and without their bias.
        a: (D, N), the rates, negative.
        b: (B, L, N), what writes to the states.
        c: (B, L, N), what reads them.
        skip: (D,).
        gate: (B, L, D).
        bias: (D,), of the step sizes.
        initial_state: (B, D, N), zero where None.
        begins: (B, L) bool, where a document begins: it sees nothing of the states before. Nowhere where None.

    Returns:
        y (B, L, D) in u's type and the final state (B, D, N) in fp32, or double for double inputs; all differentiable.

    Raises:
        ValueError: the shapes do not fit.

    """
    require(
        u.ndim == len("BLD") and delta.shape == gate.shape == u.shape,
        "u, delta and gate must all be (batch, length, channels).",
    )
    batch, length, channels = u.shape
    require(a.ndim == len("DN") and a.shape[0] == channels, "a must be (channels, states).")
    require(b.shape == c.shape == (batch, length, a.shape[1]), "b and c must both be (batch, length, states).")
    require(skip.shape == bias.shape == (channels,), "skip and bias must both be (channels,).")
    if initial_state is None:
        initial_state = a.new_zeros(batch, channels, a.shape[1])
    require(initial_state.shape == (batch, channels, a.shape[1]), "initial_state must be (batch, channels, states).")
    require(begins is None or begins.shape == (batch, length), "begins must be (batch, length).")
    if not _as_one_operator(u):
        return gated_torch.composed((u, delta, a, b, c, skip, gate, bias, initial_state), begins)
    kind = working_type(u, delta, a, b, c, initial_state)
    narrow = [part.to(u.dtype) for part in (delta, b, c, gate)]
    wide = [part.to(kind) for part in (a, skip, bias, initial_state)]
    y, final_state, _ = _operator(u, narrow[0], wide[0], *narrow[1:3], wide[1], narrow[3], wide[2], wide[3], begins)
    return y, final_state
