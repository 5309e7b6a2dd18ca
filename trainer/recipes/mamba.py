"""The pure selective state-space baseline: Mamba in every layer, with an MLP behind each."""

MIXERS = ("mamba",)
