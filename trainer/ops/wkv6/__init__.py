"""WKV of RWKV-6 (Peng et al. 2024, arXiv 2404.05892): a matrix state, a decay for each key, a bonus for the present."""

from torch import Tensor

from trainer.ops.registration import memory_type, register, require, working_type

CHUNK = 16  # steps between checkpoints; native.c and heads.cuh have the same figure


def _shapes(*inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    _, _, v, _, _, initial_state = inputs
    batch, length = v.shape[:2]
    _, heads, keys, values = initial_state.shape
    checkpoints = initial_state.new_empty(batch, (length + CHUNK - 1) // CHUNK, heads, values, keys)
    return v.new_empty(v.shape), initial_state.new_empty(initial_state.shape), checkpoints


_operator = register("wkv6", ("r", "k", "v", "log_decay", "bonus", "initial_state"), _shapes, checkpoints=True)


def wkv6(
    r: Tensor, k: Tensor, v: Tensor, log_decay: Tensor, bonus: Tensor, *, initial_state: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """y_t = r_t (S_{t-1} + diag(bonus) k_t v_t^T) and S_t = diag(exp(log_decay_t)) S_{t-1} + k_t v_t^T, for each head.

    Args:
        r: (B, L, H, K), what reads the state ("receptance").
        k: (B, L, H, K), the keys.
        v: (B, L, H, V), the values; r and k go by their type on a GPU.
        log_decay: (B, L, H, K), at most 0; RWKV's w enters as -exp(w).
        bonus: (H, K), the weight of the present step ("time_first", u).
        initial_state: (B, H, K, V), zero where None.

    Returns:
        y (B, L, H, V) in v's type and the final state (B, H, K, V) in fp32, or double for double inputs.

    Raises:
        ValueError: the shapes do not fit.

    """
    require(r.ndim == v.ndim == len("BLHK"), "r and v must be (batch, length, heads, width).")
    batch, _, heads, keys = r.shape
    require(k.shape == log_decay.shape == r.shape, "r, k and log_decay must have one shape.")
    require(v.shape[:3] == r.shape[:3], "v must be (batch, length, heads, values) with r's first three.")
    require(bonus.shape == (heads, keys), "bonus must be (heads, keys).")
    shape = (batch, heads, keys, v.shape[3])
    if initial_state is None:
        initial_state = v.new_zeros(shape)
    require(initial_state.shape == shape, "initial_state must be (batch, heads, keys, values).")
    kind, written = working_type(r, k, v, log_decay, bonus, initial_state), v.dtype
    narrow = memory_type(kind, v)
    r, k, v = (part.to(narrow) for part in (r, k, v))
    y, final_state, _ = _operator(r, k, v, log_decay.to(kind), bonus.to(kind), initial_state.to(kind))
    return y.to(written), final_state
