"""RWKV-6 and Mamba side by side in one layer, blended, and normalized group by group; each is narrower than alone."""

import math
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.layers.mamba import Mamba
from trainer.layers.mixer import LayerState, Mixer, Sight
from trainer.layers.rwkv6 import Rwkv6
from trainer.shape import ModelShape


class Blend(Mixer):
    """norm(blend RWKV + (1 - blend) Mamba); the state is that of both, under their names."""

    def __init__(self, shape: ModelShape, layer: int = 0) -> None:
        super().__init__(shape)
        self.rwkv = Rwkv6(shape, layer, _rwkv_channels(shape))
        self.mamba = Mamba(shape, shape.width)
        self.groups = shape.norm_groups or shape.width // shape.head_width
        self.gamma = nn.Parameter(torch.full((shape.width,), shape.gamma))  # small: a new layer changes little
        odds = torch.tensor(math.log(shape.blend / (1 - shape.blend)))
        self.fixed = shape.blend
        self.odds = nn.Parameter(odds) if shape.blend_learned else None
        for branch in (self.rwkv, self.mamba):
            nn.init.orthogonal_(branch.output.weight)  # at 0 there would be nothing to normalize

    @classmethod
    def of_layer(cls, shape: ModelShape, layer: int) -> Self:
        """RWKV's initial values depend on the depth."""
        return cls(shape, layer)

    def initial_state(self, batch: int, device: torch.device) -> LayerState:
        """That of both."""
        return _named(self.rwkv.initial_state(batch, device), self.mamba.initial_state(batch, device))

    def forward(self, x: Tensor, sight: Sight, state: LayerState) -> tuple[Tensor, LayerState]:
        """See Mixer."""
        rwkv, rwkv_state = self.rwkv(x, sight, _of("rwkv", state))
        mamba, mamba_state = self.mamba(x, sight, _of("mamba", state))
        blend = self.fixed if self.odds is None else torch.sigmoid(self.odds)
        y = (mamba + blend * (rwkv - mamba)).float()
        mixed = functional.group_norm(y.flatten(0, 1), self.groups, self.gamma).view_as(y)
        return mixed.to(x.dtype), _named(rwkv_state, mamba_state)

    @staticmethod
    def parameters_of(shape: ModelShape) -> int:
        """Both branches, gamma, and the odds where they are learnt."""
        rwkv = Rwkv6.parameters_with(shape, _rwkv_channels(shape))
        return rwkv + Mamba.parameters_with(shape, shape.width) + shape.width + int(shape.blend_learned)


def _rwkv_channels(shape: ModelShape) -> int:
    """Half as many heads as RWKV has alone; Mamba has half its inner channels, too."""
    return max(1, shape.width // shape.head_width // 2) * shape.head_width


def _named(rwkv: LayerState, mamba: LayerState) -> LayerState:
    return {f"rwkv_{name}": each for name, each in rwkv.items()} | {
        f"mamba_{name}": each for name, each in mamba.items()
    }


def _of(branch: str, state: LayerState) -> LayerState:
    prefix = f"{branch}_"
    return {name.removeprefix(prefix): each for name, each in state.items() if name.startswith(prefix)}


MIXER = Blend
