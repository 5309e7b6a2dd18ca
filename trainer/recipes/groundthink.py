"""RWKV and Mamba blended in every layer, with one layer of attention in the middle of the stack.

The baselines are the recipes rwkv6 and mamba; `"mixers": ["blend"]` leaves the attention out. The ratio, whether it is
learnt, the first scale of the norm, its groups and the number of states are keys of run.json (config.py).
"""

MIXERS = ("blend",)
ANCHOR = "attention"
