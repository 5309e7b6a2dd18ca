"""Mamba-2 in every layer, with an MLP behind each."""

MIXERS = ("mamba2",)
