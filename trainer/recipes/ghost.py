"""Two Mamba layers, then sparse attention, again and again; a state-space tokenizer before, predictive heads behind."""

from trainer.recipes import Parts

MIXERS = ("mamba", "mamba", "sparse_attention")
PARTS = Parts(tokenizer=True, ahead=3)
