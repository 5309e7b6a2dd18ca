"""A model's dimensions, from the `size` dial and the overrides; numbers only, no tensors."""

from dataclasses import dataclass
from typing import Final

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
_HEAD_WIDTHS: Final = (64, 48, 32)  # the first that divides the width
_MLP_WIDTH: Final = {"attention": 4.0, "mamba": 2.5}  # of the width: blocks of all mixers have about as many parameters


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
    pattern = config.mixers or recipes.mixers(config.recipe)
    mixers = tuple(pattern[layer % len(pattern)] for layer in range(layers))
    if config.mlp_width is None:
        mlp_widths = tuple(round(_MLP_WIDTH.get(mixer, 4.0) * width) for mixer in mixers)
    else:
        mlp_widths = (config.mlp_width,) * layers
    return ModelShape(mixers, width, head_width, mlp_widths, config.window or context, config.states)
