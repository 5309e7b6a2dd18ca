"""The short causal convolution of recurrent layers: each channel weighs its last few inputs; documents need not mix."""

import torch
from torch import Tensor

from trainer.ops.registration import memory_type, register, require, working_type

MOST_TAPS = 8


def _shapes(*inputs: Tensor | None) -> tuple[Tensor, Tensor]:
    x, _, _, initial_state = (part for part in inputs[:4] if part is not None)
    return x.new_empty(x.shape), initial_state.new_empty(initial_state.shape)


_operator = register(
    "causal_conv", ("x", "taps", "bias", "initial_state"), _shapes, checkpoints=False, optional=("reach",)
)


def causal_conv(
    x: Tensor,
    taps: Tensor,
    bias: Tensor | None = None,
    *,
    initial_state: Tensor | None = None,
    reach: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """y_t = bias + sum over i of taps_i x_{t-i}, for each channel, with i from 0 to reach_t or the last tap.

    Args:
        x: (B, L, D), the input.
        taps: (T, D) with 1 to 8 taps; the first weighs the newest input.
        bias: (D,), none where None.
        initial_state: (B, T - 1, D), the inputs before x, oldest first; zero where None.
        reach: (B, L) integers, how many earlier inputs each step may see: with the number of its predecessors in its
            own document, documents do not mix. More than there are taps is all of them, less than 0 is 0: a step sees
            its own input whatever is written here. All where None.

    Returns:
        y (B, L, D) in x's type and the last T - 1 inputs (B, T - 1, D) in fp32, or double for double inputs.

    Raises:
        ValueError: the shapes do not fit, or reach is not of integers.

    """
    bias, initial_state, reach = completed(x, taps, bias, initial_state, reach)
    kind = working_type(x, taps, bias, initial_state)
    y, final_state = _operator(
        x.to(memory_type(kind, x)), *(part.to(kind) for part in (taps, bias, initial_state)), reach
    )
    return y.to(x.dtype), final_state


def completed(
    x: Tensor, taps: Tensor, bias: Tensor | None, initial_state: Tensor | None, reach: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Bias and initial state, zero where they were left out, and the reach as kernels take it.

    Raises:
        ValueError: the shapes do not fit, or reach is not of integers.

    """
    require(x.ndim == len("BLD"), "x must be (batch, length, channels).")
    batch, length, channels = x.shape
    require(taps.ndim == len("TD") and taps.shape[1] == channels, "taps must be (taps, channels).")
    require(1 <= taps.shape[0] <= MOST_TAPS, f"There must be 1 to {MOST_TAPS} taps.")
    shape = (batch, taps.shape[0] - 1, channels)
    if bias is None:
        bias = taps.new_zeros(channels)
    require(bias.shape == (channels,), "bias must be (channels,).")
    if initial_state is None:
        initial_state = x.new_zeros(shape)
    require(initial_state.shape == shape, "initial_state must be (batch, taps - 1, channels).")
    if reach is not None:
        require(reach.shape == (batch, length), "reach must be (batch, length).")
        require(not (reach.is_floating_point() or reach.dtype is torch.bool), "reach must be of integers.")
        reach = reach.clamp(0, MOST_TAPS).int()  # a look at the values would wait for a GPU and break a compiled graph
    return bias, initial_state, reach
