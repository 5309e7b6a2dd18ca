"""Named models, one file each.

`MIXERS` says which layers they are made of, in the order in which these repeat. Where they are there, `ANCHOR` names
the one mixer in the middle of the stack, `PARTS` says what stands around the layers, and `DEFAULTS` what run.json need
not say.
"""

import importlib
import pkgutil
from dataclasses import dataclass

from trainer.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Parts:
    """What stands around the layers."""

    tokenizer: bool = False  # a state-space tokenizer after the embedding
    ahead: int = 0  # predictive heads: ids after the next one that are predicted too
    facts: bool = False  # a fact memory that every layer reads


def names() -> list[str]:
    """All recipes."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a model is where its configuration leaves it open."""

    feed_forward: str = "squared_relu"
    logit_cap: float = 15.0
    query_key_norm: bool = True


def mixers(name: str, layers: int) -> tuple[str, ...]:
    """The mixers of the recipe, one for each layer. Raises ConfigError for a name that no recipe has."""
    if name not in names():
        raise ConfigError(f"run.json: model: there is no recipe {name!r}; the recipes are {', '.join(names())}.")
    recipe = importlib.import_module(f"{__name__}.{name}")
    stack = repeated(recipe.MIXERS, layers)
    anchor: tuple[str, ...] = (recipe.ANCHOR,) if hasattr(recipe, "ANCHOR") and layers > 1 else ()
    middle = layers // 2
    return stack[:middle] + anchor + stack[middle + len(anchor) :]


def repeated(pattern: tuple[str, ...], layers: int) -> tuple[str, ...]:
    """The pattern over and over, one for each layer."""
    return tuple(pattern[layer % len(pattern)] for layer in range(layers))


def parts(name: str) -> Parts:
    """What stands around the recipe's layers; nothing, where its file does not say. `mixers` must know the name."""
    found: Parts = getattr(importlib.import_module(f"{__name__}.{name}"), "PARTS", Parts())
    return found


def defaults(name: str) -> Defaults:
    """What the recipe sets where run.json does not. `mixers` must know the name."""
    found: Defaults = getattr(importlib.import_module(f"{__name__}.{name}"), "DEFAULTS", Defaults())
    return found
