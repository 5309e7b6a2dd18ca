"""The transformer in the parts of Llama (Touvron et al. 2023, arXiv 2302.13971), so that other programs can load it."""

from trainer.recipes import Defaults

MIXERS = ("attention",)
DEFAULTS = Defaults(feed_forward="swiglu", logit_cap=0.0, query_key_norm=False)
