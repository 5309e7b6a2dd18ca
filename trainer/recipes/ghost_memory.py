"""The ghost, untouched, and a fact memory that every layer reads; facts can be added when training is over."""

from trainer.recipes import Parts

MIXERS = ("mamba", "mamba", "sparse_attention")
PARTS = Parts(tokenizer=True, ahead=3, facts=True)
