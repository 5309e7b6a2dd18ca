"""One block of the residual stream: a mixer, then a feed-forward layer, each behind a norm without weights."""

import importlib
import pkgutil

import torch
from torch import Tensor, nn

from trainer import layers
from trainer.errors import ConfigError
from trainer.layers.feed_forward import FEED_FORWARDS
from trainer.layers.mixer import LayerState, Mixer, Sight
from trainer.layers.normalization import read_by_matrices
from trainer.shape import ModelShape


class Block(nn.Module):
    """x + mixer(norm(x)), then x + mlp(norm(x)) where there is an MLP."""

    def __init__(self, shape: ModelShape, layer: int) -> None:
        super().__init__()
        self.norm = shape.norm
        self.mixer = mixer_class(shape.mixers[layer]).of_layer(shape, layer)
        inner, kind = shape.mlp_widths[layer], FEED_FORWARDS[shape.feed_forward_of(layer)]
        self.mlp = kind(shape.width, inner, layer, len(shape.mixers)) if inner else None

    def initial_state(self, batch: int, device: torch.device) -> LayerState:
        """What mixer and MLP know before the first id."""
        state = self.mixer.initial_state(batch, device)
        return state if self.mlp is None else state | self.mlp.initial_state(batch, device)

    def forward(self, x: Tensor, sight: Sight, state: LayerState) -> tuple[Tensor, LayerState]:
        """(B, L, D) to (B, L, D), and the state of mixer and MLP after the row."""
        mixed, after = self.mixer(read_by_matrices(x, self.norm), sight, state)
        x = x + mixed
        if self.mlp is not None:
            fed, fed_state = self.mlp(read_by_matrices(x, self.norm), sight, state)
            x, after = x + fed, after | fed_state
        return x, after


def mixer_class(name: str) -> type[Mixer]:
    """The mixer of a file in layers/. Raises ConfigError for a name that no mixer has."""
    if name not in mixer_names():
        raise ConfigError(f"run.json: model: there is no mixer {name!r}; the mixers are {', '.join(mixer_names())}.")
    found: type[Mixer] = importlib.import_module(f"{layers.__name__}.{name}").MIXER
    return found


def mixer_names() -> list[str]:
    """All mixers: the files of layers/ but those of `_NO_MIXERS`."""
    return sorted(module.name for module in pkgutil.iter_modules(layers.__path__) if module.name not in _NO_MIXERS)


_NO_MIXERS = (
    "block",
    "convolution",
    "document_mean",
    "fact_memory",
    "feed_forward",
    "mixer",
    "normalization",
    "positions",
    "state_space_tokenizer",
    "token_shift",
    "weighted_mean",
)
