"""RWKV-7: its time-mix and channel-mix in every layer."""

MIXERS = ("rwkv7",)
