"""The state-space dual of Mamba-2 (Dao and Gu 2024, arXiv 2405.21060): a matrix state with one decay for each head."""

from torch import Tensor

from trainer.ops.registration import memory_type, register, require, working_type

CHUNK = 32  # steps between checkpoints; native.c and chunk.cuh have the same figure


def _shapes(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    x, initial_state = inputs[0], inputs[-1]
    batch, length = x.shape[:2]
    heads, width, states = initial_state.shape[1:]
    checkpoints = initial_state.new_empty(batch, (length + CHUNK - 1) // CHUNK, heads, states, width)
    return x.new_empty(x.shape), initial_state.new_empty(initial_state.shape), checkpoints


_operator = register("ssd", ("x", "delta", "a", "b", "c", "initial_state"), _shapes, checkpoints=True)


def ssd(
    x: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, *, initial_state: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """S_t = exp(delta_t a) S_{t-1} + delta_t x_t b_t^T and y_t = S_t c_t, for each head.

    Args:
        x: (B, L, H, P), the input; b and c go by its type on a GPU.
        delta: (B, L, H), the step sizes, positive (after softplus).
        a: (H,), the rates, negative.
        b: (B, L, G, N), what writes to the states; H / G heads share a group.
        c: (B, L, G, N), what reads them.
        initial_state: (B, H, P, N), zero where None.

    Returns:
        y (B, L, H, P) in x's type and the final state (B, H, P, N) in fp32, or double for double inputs.

    Raises:
        ValueError: the shapes do not fit.

    """
    require(
        x.ndim == b.ndim == len("BLHP"), "x must be (batch, length, heads, width), b (batch, length, groups, states)."
    )
    batch, _, heads, width = x.shape
    require(delta.shape == x.shape[:3] and a.shape == (heads,), "delta must be (batch, length, heads) and a (heads,).")
    require(b.shape == c.shape and b.shape[:2] == x.shape[:2], "b and c must be (batch, length, groups, states).")
    require(heads % b.shape[2] == 0, "The number of heads must be a multiple of the number of groups.")
    shape = (batch, heads, width, b.shape[3])
    if initial_state is None:
        initial_state = x.new_zeros(shape)
    require(initial_state.shape == shape, "initial_state must be (batch, heads, width, states).")
    kind, written = working_type(x, delta, a, b, c, initial_state), x.dtype
    narrow = memory_type(kind, x)
    x, b, c = (part.to(narrow) for part in (x, b, c))
    y, final_state, _ = _operator(x, delta.to(kind), a.to(kind), b, c, initial_state.to(kind))
    return y.to(written), final_state
