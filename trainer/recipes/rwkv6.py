"""RWKV-6: its time-mix and channel-mix in every layer."""

MIXERS = ("rwkv6",)
