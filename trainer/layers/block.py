"""One block of the residual stream: a mixer, then an MLP with squared ReLU, each behind an RMS norm without weights.

Squared ReLU: So et al. 2021 (Primer), arXiv 2109.08668.
"""

import importlib
import pkgutil

from torch import Tensor, nn
from torch.nn import functional

from trainer import layers
from trainer.errors import ConfigError
from trainer.layers.mixer import LayerState, Mixer, Sight
from trainer.shape import ModelShape


class Block(nn.Module):
    """x + mixer(norm(x)), then x + mlp(norm(x)) where there is an MLP."""

    def __init__(self, shape: ModelShape, layer: int) -> None:
        super().__init__()
        self.mixer = mixer_class(shape.mixers[layer])(shape)
        self.mlp = SquaredReluMlp(shape.width, shape.mlp_widths[layer]) if shape.mlp_widths[layer] else None

    def forward(self, x: Tensor, sight: Sight, state: LayerState) -> tuple[Tensor, LayerState]:
        """(B, L, D) to (B, L, D), and the mixer's state after the row."""
        mixed, state = self.mixer(functional.rms_norm(x, (x.shape[-1],)), sight, state)
        x = x + mixed
        if self.mlp is not None:
            x = x + self.mlp(functional.rms_norm(x, (x.shape[-1],)))
        return x, state


class SquaredReluMlp(nn.Module):
    """down(relu(up(x))^2)."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)
        nn.init.zeros_(self.down.weight)  # a new layer changes nothing

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to (..., D)."""
        projected: Tensor = self.down(functional.relu(self.up(x)).square())
        return projected


def mixer_class(name: str) -> type[Mixer]:
    """The mixer of a file in layers/. Raises ConfigError for a name that no mixer has."""
    if name not in mixer_names():
        raise ConfigError(f"run.json: model: there is no mixer {name!r}; the mixers are {', '.join(mixer_names())}.")
    found: type[Mixer] = importlib.import_module(f"{layers.__name__}.{name}").MIXER
    return found


def mixer_names() -> list[str]:
    """All mixers: the files that are neither the interface nor the block."""
    return sorted(module.name for module in pkgutil.iter_modules(layers.__path__) if module.name not in _NO_MIXERS)


_NO_MIXERS = ("block", "mixer")
