"""The selective scan of Mamba-1 (Gu and Dao 2023, arXiv 2312.00752, section 3): every channel has N decaying states."""

import torch
from torch import Tensor

from trainer.ops.registration import register, require, working_type

CHUNK = 32  # steps between checkpoints; native.c and chunk.cuh have the same figure
_NARROW = (torch.bfloat16, torch.float16)


def _shapes(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    u, _, a, _, _, initial_state = inputs
    batch, length, channels = u.shape
    chunks = (length + CHUNK - 1) // CHUNK
    return (
        u.new_empty(batch, length, channels),
        initial_state.new_empty(initial_state.shape),
        initial_state.new_empty(batch, chunks, a.shape[1], channels),
    )


_operator = register("selective_scan", ("u", "delta", "a", "b", "c", "initial_state"), _shapes, checkpoints=True)


def selective_scan(
    u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, *, initial_state: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """h_t = exp(delta_t a) h_{t-1} + delta_t u_t b_t and y_t = <c_t, h_t>, for each channel.

    Args:
        u: (B, L, D), the input.
        delta: (B, L, D), the step sizes, positive (after softplus).
        a: (D, N), the rates, negative.
        b: (B, L, N), what writes to the states.
        c: (B, L, N), what reads them.
        initial_state: (B, D, N), zero where None.

    Returns:
        y (B, L, D) in u's type and the final state (B, D, N) in fp32, or double for double inputs; all differentiable.

    Raises:
        ValueError: the shapes do not fit.

    """
    require(u.ndim == len("BLD") and delta.shape == u.shape, "u and delta must both be (batch, length, channels).")
    batch, length, channels = u.shape
    require(a.ndim == len("DN") and a.shape[0] == channels, "a must be (channels, states).")
    require(b.shape == c.shape == (batch, length, a.shape[1]), "b and c must both be (batch, length, states).")
    if initial_state is None:
        initial_state = u.new_zeros(batch, channels, a.shape[1])
    require(initial_state.shape == (batch, channels, a.shape[1]), "initial_state must be (batch, channels, states).")
    kind = working_type(u, delta, a, b, c, initial_state)
    # A GPU's kernels read narrow inputs as they are, for memory is what they wait for.
    narrow = u.dtype if u.device.type == "cuda" and u.dtype in _NARROW and kind is torch.float32 else kind
    written = u.dtype
    u, delta, b, c = (part.to(narrow) for part in (u, delta, b, c))
    y, final_state, _ = _operator(u, delta, a.to(kind), b, c, initial_state.to(kind))
    return y.to(written), final_state
