"""Causal attention over the last `window` ids of the same document, with RoPE, mostly with QK-norm; no biases.

RoPE: Su et al. 2021, arXiv 2104.09864. QK-norm: Henry et al. 2020, arXiv 2010.04245 (with RMS norms).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.layers import positions
from trainer.layers.mixer import LayerState, Mixer, Sight
from trainer.shape import ModelShape


class Attention(Mixer):
    """The state is the keys and values of the last `window` - 1 ids."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__(shape)
        self.head_width = shape.head_width
        self.window = shape.window
        self.query_key_norm = shape.query_key_norm
        self.query = nn.Linear(shape.width, shape.width, bias=False)
        self.key = nn.Linear(shape.width, shape.width, bias=False)
        self.value = nn.Linear(shape.width, shape.width, bias=False)
        self.output = nn.Linear(shape.width, shape.width, bias=False)
        nn.init.zeros_(self.output.weight)  # a new layer changes nothing

    def initial_state(self, batch: int, device: torch.device) -> LayerState:
        """No keys and no values: (B, H, 0, head width)."""
        heads = self.output.in_features // self.head_width
        nothing = torch.zeros(batch, heads, 0, self.head_width, device=device)
        return {"keys": nothing, "values": nothing}

    def forward(self, x: Tensor, sight: Sight, state: LayerState) -> tuple[Tensor, LayerState]:
        """See Mixer; the keys of the state are turned to their positions already."""
        batch, length, width = x.shape
        query, key, value = (
            each(x).view(batch, length, -1, self.head_width).transpose(1, 2)  # (B, H, L, head width)
            for each in (self.query, self.key, self.value)
        )
        if self.query_key_norm:
            query, key = (functional.rms_norm(each, (self.head_width,)) for each in (query, key))
        angles = sight.positions[:, None] * positions.rates(self.head_width // 2, x.device)  # (L, half)
        turn = angles.cos().to(query.dtype), angles.sin().to(query.dtype)
        query, key = positions.turned(query, *turn), positions.turned(key, *turn)
        keys = torch.cat([state["keys"].to(key.dtype), key], dim=2)
        values = torch.cat([state["values"].to(value.dtype), value], dim=2)
        if sight.single and keys.shape[2] == length <= self.window:
            mixed = functional.scaled_dot_product_attention(query, keys, values, is_causal=True)
        else:
            mask = self._mask(sight, keys.shape[2])
            mixed = functional.scaled_dot_product_attention(query, keys, values, attn_mask=mask)
        y = self.output(mixed.transpose(1, 2).reshape(batch, length, width))
        kept = max(0, keys.shape[2] - (self.window - 1))
        return y, {"keys": keys[:, :, kept:], "values": values[:, :, kept:]}

    def _mask(self, sight: Sight, keys: int) -> Tensor:
        """(B, 1, L, S): a key is seen when it is not later, within the window, and of the same document."""
        length = sight.segments.shape[1]
        places = torch.arange(keys, device=sight.segments.device)
        distance = places[keys - length :, None] - places[None, :]
        past = sight.past_segments[:, sight.past_segments.shape[1] - (keys - length) :]
        same = sight.segments[:, :, None] == torch.cat([past, sight.segments], dim=1)[:, None, :]
        return (same & (distance >= 0) & (distance < self.window))[:, None]

    @staticmethod
    def parameters_of(shape: ModelShape) -> int:
        """Queries, keys, values and the output."""
        return 4 * shape.width**2


MIXER = Attention
