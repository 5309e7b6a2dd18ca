"""A model's dimensions, from the `size` dial and the overrides; numbers only, no tensors."""

import math
from dataclasses import dataclass, replace
from typing import Final, Literal

from trainer import recipes
from trainer.bytes import VOCABULARY
from trainer.config import ModelConfig
from trainer.errors import ConfigError

# Width and layers: 12 layers width^2 parameters in the blocks. The larger sizes are deep and narrow, which pays below
# 1B parameters (Liu et al. 2024, MobileLLM, arXiv 2402.14905).
_SIZES: Final = {
    "1M": (128, 5),
    "6M": (288, 6),
    "25M": (512, 8),
    "125M": (768, 18),
    "350M": (1024, 28),
    "1B": (2048, 20),
}
_TOKENIZER_STEP: Final = 16  # the tokenizer is an eighth as wide as the model, rounded up to a multiple of this
_HEAD_WIDTHS: Final = (64, 48, 32)  # the first that divides the width
_BLOCK: Final = 12  # times width^2: about the parameters of a block, whatever its mixer
_MLP_WIDTH: Final = {"attention": 4.0, "mamba": 2.5, "sparse_attention": 4.0}  # of the width; others are computed
_CHANNEL_MIXERS: Final = ("rwkv6", "rwkv7")  # they bring their own feed-forward layer, which has their name


@dataclass(frozen=True, slots=True)
class ModelShape:
    """All that a model is built from."""

    mixers: tuple[str, ...]  # one for each layer
    width: int
    head_width: int
    mlp_widths: tuple[int, ...]  # one for each layer; 0 for none
    window: int  # positions
    states: int
    vocabulary: int = VOCABULARY
    stride: int = 64  # of sparse attention: ids that it sees one by one, and from one landmark to the next
    landmarks: int = 256  # that sparse attention sees
    landmark_places: bool = True  # they are turned by their places
    tokenizer_width: int = 0  # of the state-space tokenizer; 0 for none
    ahead: int = 0  # predictive heads
    fact_slots: int = 0  # of the fact memory, learnt in training; 0 for no memory
    feed_forward: str = "squared_relu"
    norm: Literal["rms", "layer"] = "rms"
    logit_cap: float = 15.0  # logits stay within it, smoothly (Gemma 2, arXiv 2408.00118, section 2); 0 for no cap
    query_key_norm: bool = True  # of attention
    head_states: int = 64  # of each channel in a head of Mamba-2
    reflections: int = 0  # in a transition of RWKV-7
    blend: float = 0.6  # of RWKV in a blended layer; the rest is Mamba's
    blend_learned: bool = False
    gamma: float = 0.01  # first scale of a blended layer's norm
    norm_groups: int = 0  # of a blended layer; 0 for as many as heads fit the width

    def feed_forward_of(self, layer: int) -> str:
        """What stands behind the mixer of the layer: a name in layers/feed_forward.py."""
        return self.mixers[layer] if self.mixers[layer] in _CHANNEL_MIXERS else self.feed_forward


def shape_of(config: ModelConfig, context: int) -> ModelShape:
    """The dimensions that `config` means for rows of `context` ids.

    Raises:
        ConfigError: the recipe is unknown, or the heads do not fit the width.

    """
    width, layers = _SIZES[config.size]
    width, layers = config.width or width, config.layers or layers
    head_width = config.head_width or next((each for each in _HEAD_WIDTHS if width % each == 0), width)
    if width % head_width or head_width % 2:
        raise ConfigError(
            f"run.json: model: head_width {head_width} must be even and divide the width {width}; set one of them."
        )
    mixers = recipes.mixers(config.recipe, layers)
    if config.mixers:
        mixers = recipes.repeated(config.mixers, layers)
    defaults = recipes.defaults(config.recipe)
    norm_groups = config.norm_groups or 0
    if norm_groups and width % norm_groups:
        raise ConfigError(f"run.json: model: norm_groups {norm_groups} must divide the width {width}; set one of them.")
    parts = recipes.parts(config.recipe)
    tokenizer_width = _TOKENIZER_STEP * math.ceil(width / 8 / _TOKENIZER_STEP) if parts.tokenizer else 0
    ahead = parts.ahead if config.ahead is None else config.ahead
    bare = ModelShape(
        mixers,
        width,
        head_width,
        (0,) * layers,
        config.window or context,
        config.states,
        stride=config.stride,
        landmarks=config.landmarks,
        landmark_places=config.landmark_places,
        tokenizer_width=tokenizer_width,
        ahead=ahead,
        fact_slots=(width // 2 if config.fact_slots is None else config.fact_slots) if parts.facts else 0,
        feed_forward=config.feed_forward or defaults.feed_forward,
        norm=config.norm,
        logit_cap=defaults.logit_cap if config.logit_cap is None else config.logit_cap,
        query_key_norm=defaults.query_key_norm if config.query_key_norm is None else config.query_key_norm,
        head_states=config.head_states,
        reflections=config.reflections,
        blend=config.blend,
        blend_learned=config.blend_learned,
        gamma=config.gamma,
        norm_groups=norm_groups,
    )
    if config.mlp_width is None:
        # Tokenizer and predictive heads are paid for by the MLPs: recipes of one size have about as many parameters.
        around = width * (3 * tokenizer_width + ahead * VOCABULARY)
        less = round(around / (2 * width * layers))
        mlp_widths = tuple(max(8, _mlp_width(bare, layer) - less) for layer in range(layers))
    else:
        mlp_widths = (config.mlp_width,) * layers
    return replace(bare, mlp_widths=mlp_widths)


def _mlp_width(bare: ModelShape, layer: int) -> int:
    """As wide as gives the block its share of the parameters."""
    from trainer.layers.block import mixer_class
    from trainer.layers.feed_forward import FEED_FORWARDS

    mixer, width = bare.mixers[layer], bare.width
    feed = FEED_FORWARDS[bare.feed_forward_of(layer)].parameters_of
    wanted = _BLOCK * width**2 - mixer_class(mixer).parameters_of(bare)
    if mixer in _MLP_WIDTH:
        wanted = 2 * round(_MLP_WIDTH[mixer] * width) * width
    fixed = feed(width, 0)
    return round((wanted - fixed) / (feed(width, 1) - fixed))
