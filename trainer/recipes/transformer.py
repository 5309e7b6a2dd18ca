"""The control: attention in every layer, with modern parts (RoPE, QK-norm, ReLU squared)."""

MIXERS = ("attention",)
