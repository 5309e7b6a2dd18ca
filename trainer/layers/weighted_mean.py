"""The mean of values that attention weighs; which keys may be seen is the mask's business."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from trainer.ops.masked_softmax import masked_softmax

_SCORES: Final = 2**24  # beyond as many, what is not written to memory saves more than products of matrices gain


def weighted_mean(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor, scale: float) -> Tensor:
    """Softmax of the queries' scaled products with the keys, times the values.

    Torch's own passes lose in bfloat16 on the processor, backwards above all. There the weights alone are bfloat16, and
    the scores fp32, so that no rounding decides which key is looked at.

    Args:
        query: (B, H, L, width), in fp32 where the values are bfloat16.
        keys: (B, H, S, width), likewise.
        values: (B, H, S, width of the result).
        mask: bool, broadcast over (B, H, L, S), what may be seen: something, for each query.
        scale: what the products are multiplied by.

    Returns:
        (B, H, L, width of the result) in the type of the values.

    """
    scores = query[..., 0].numel() * keys.shape[-2]
    if query.device.type != "cpu" or values.dtype is not torch.bfloat16 or scores > _SCORES:
        query, keys = query.to(values.dtype), keys.to(values.dtype)
        return functional.scaled_dot_product_attention(query, keys, values, attn_mask=mask, scale=scale)
    with torch.autocast("cpu", enabled=False):
        weights = masked_softmax(query @ keys.mT, mask, scale, values.dtype)
        mean: Tensor = weights @ values
    return mean
