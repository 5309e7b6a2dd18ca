"""Recurrent operators with differentiable initial and final states, each in a folder of its own; see ../README.md."""
