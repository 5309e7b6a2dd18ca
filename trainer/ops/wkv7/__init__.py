"""WKV of RWKV-7 (Peng et al. 2025, arXiv 2503.14456): a matrix state decays, is corrected by rank one, and written."""

from torch import Tensor

from trainer.ops.registration import memory_type, register, require, working_type

CHUNK = 16  # steps between checkpoints; native.c and heads.cuh have the same figure


def _shapes(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    v, initial_state = inputs[2], inputs[-1]
    batch, length = v.shape[:2]
    heads, values, keys = initial_state.shape[1:]
    checkpoints = initial_state.new_empty(batch, (length + CHUNK - 1) // CHUNK, heads, values, keys + CHUNK)
    return v.new_empty(v.shape), initial_state.new_empty(initial_state.shape), checkpoints


_operator = register("wkv7", ("r", "k", "v", "log_decay", "a", "b", "initial_state"), _shapes, checkpoints=True)


def wkv7(  # noqa: PLR0917  # the recurrence has six inputs
    r: Tensor, k: Tensor, v: Tensor, log_decay: Tensor, a: Tensor, b: Tensor, *, initial_state: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """S_t = S_{t-1} (diag(exp(log_decay_t)) + a_t b_t^T) + v_t k_t^T and y_t = S_t r_t, for each head.

    Args:
        r: (B, L, H, K), what reads the state ("receptance").
        k: (B, L, H, K), the keys.
        v: (B, L, H, V), the values; r, k, a and b go by their type on a GPU.
        log_decay: (B, L, H, K), at most 0; RWKV's w enters as -exp(w).
        a: (B, L, H, K), where the state is looked up to be corrected; RWKV-7 gives the negative of its unit keys.
        b: (B, L, H, K), where the correction goes; RWKV-7 gives its unit keys times their rates of learning.
        initial_state: (B, H, V, K), zero where None.

    Returns:
        y (B, L, H, V) in v's type and the final state (B, H, V, K) in fp32, or double for double inputs.

    Raises:
        ValueError: the shapes do not fit.

    """
    require(r.ndim == v.ndim == len("BLHK"), "r and v must be (batch, length, heads, width).")
    batch, _, heads, keys = r.shape
    require(
        k.shape == log_decay.shape == a.shape == b.shape == r.shape, "r, k, log_decay, a and b must have one shape."
    )
    require(v.shape[:3] == r.shape[:3], "v must be (batch, length, heads, values) with r's first three.")
    shape = (batch, heads, v.shape[3], keys)
    if initial_state is None:
        initial_state = v.new_zeros(shape)
    require(initial_state.shape == shape, "initial_state must be (batch, heads, values, keys).")
    kind, written = working_type(r, k, v, log_decay, a, b, initial_state), v.dtype
    narrow = memory_type(kind, v)
    r, k, v, a, b = (part.to(narrow) for part in (r, k, v, a, b))
    y, final_state, _ = _operator(r, k, v, log_decay.to(kind), a, b, initial_state.to(kind))
    return y.to(written), final_state
