"""Named models, one file each: `MIXERS` says which layers they are made of, in the order in which these repeat."""

import importlib
import pkgutil

from trainer.errors import ConfigError


def names() -> list[str]:
    """All recipes."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def mixers(name: str) -> tuple[str, ...]:
    """The mixers of the recipe. Raises ConfigError for a name that no recipe has."""
    if name not in names():
        raise ConfigError(f"run.json: model: there is no recipe {name!r}; the recipes are {', '.join(names())}.")
    found: tuple[str, ...] = importlib.import_module(f"{__name__}.{name}").MIXERS
    return found
