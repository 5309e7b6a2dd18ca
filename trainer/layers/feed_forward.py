"""What stands behind the mixer of a block and mixes channels, not positions; RWKV's also see the position before.

Squared ReLU: So et al. 2021 (Primer), arXiv 2109.08668. SwiGLU: Shazeer 2020, arXiv 2002.05202. RWKV's channel mixes:
arXiv 2404.05892 (RWKV-6) and 2503.14456 (RWKV-7), with the initial values of their authors' training code.
"""

from abc import ABC, abstractmethod
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.layers.mixer import LayerState, Sight
from trainer.layers.token_shift import depth, inputs_before, ramp
from trainer.ops.squared_relu import squared_relu


class FeedForward(nn.Module, ABC):
    """Of one interface; most keep no state."""

    @abstractmethod
    def __init__(self, width: int, inner: int, layer: int, layers: int) -> None:
        """Of the layer number `layer`, counted from 0."""
        super().__init__()
        self.up = nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)
        nn.init.zeros_(self.down.weight)  # a new layer changes nothing

    def initial_state(self, batch: int, device: torch.device) -> LayerState:  # noqa: ARG002  # others need them
        """What is known before the first id."""
        return {}

    @abstractmethod
    def forward(self, x: Tensor, sight: Sight, state: LayerState) -> tuple[Tensor, LayerState]:
        """(B, L, D) to (B, L, D), and its state after the last id."""

    @staticmethod
    @abstractmethod
    def parameters_of(width: int, inner: int) -> int:
        """How many parameters the dimensions mean, counted by hand."""


class SquaredReluMlp(FeedForward):
    """down(relu(up(x))^2)."""

    def __init__(self, width: int, inner: int, layer: int, layers: int) -> None:
        super().__init__(width, inner, layer, layers)

    def forward(self, x: Tensor, sight: Sight, state: LayerState) -> tuple[Tensor, LayerState]:  # noqa: ARG002  # see FeedForward
        """See FeedForward."""
        return self.down(squared_relu(self.up(x))), {}

    @staticmethod
    def parameters_of(width: int, inner: int) -> int:
        """Up and down."""
        return 2 * width * inner


class SwigluMlp(FeedForward):
    """down(silu(gate(x)) * up(x))."""

    def __init__(self, width: int, inner: int, layer: int, layers: int) -> None:
        super().__init__(width, inner, layer, layers)
        self.gate = nn.Linear(width, inner, bias=False)

    def forward(self, x: Tensor, sight: Sight, state: LayerState) -> tuple[Tensor, LayerState]:  # noqa: ARG002  # see FeedForward
        """See FeedForward."""
        return self.down(functional.silu(self.gate(x)) * self.up(x)), {}

    @staticmethod
    def parameters_of(width: int, inner: int) -> int:
        """Up, gate and down."""
        return 3 * width * inner


class Rwkv7ChannelMix(FeedForward):
    """Squared ReLU of a mix of each position and the one before it. The state is the last input."""

    def __init__(self, width: int, inner: int, layer: int, layers: int) -> None:
        super().__init__(width, inner, layer, layers)
        _, remaining = depth(layer, layers)
        self.share = nn.Parameter(1 - ramp(width) ** remaining**4)  # of the earlier input
        nn.init.uniform_(self.up.weight, -0.5 * width**-0.5, 0.5 * width**-0.5)

    def initial_state(self, batch: int, device: torch.device) -> LayerState:
        """Zero: (B, D)."""
        return {"channel_input": torch.zeros(batch, self.up.in_features, device=device)}

    def forward(self, x: Tensor, sight: Sight, state: LayerState) -> tuple[Tensor, LayerState]:
        """See FeedForward."""
        change = inputs_before(x, sight, state["channel_input"]) - x
        mixed = self.down(squared_relu(self.up(x + change * self.share)))
        return mixed, {"channel_input": x[:, -1]}

    @staticmethod
    def parameters_of(width: int, inner: int) -> int:
        """Up, down and the shares."""
        return 2 * width * inner + width


class Rwkv6ChannelMix(Rwkv7ChannelMix):
    """The same behind a gate, the receptance."""

    def __init__(self, width: int, inner: int, layer: int, layers: int) -> None:
        super().__init__(width, inner, layer, layers)
        _, remaining = depth(layer, layers)
        self.share = nn.Parameter(1 - ramp(width) ** remaining)
        self.receptance_share = nn.Parameter(1 - ramp(width) ** remaining)
        self.receptance = nn.Linear(width, width, bias=False)
        nn.init.orthogonal_(self.up.weight, gain=max(1.0, (inner / width) ** 0.5))
        nn.init.zeros_(self.receptance.weight)

    def forward(self, x: Tensor, sight: Sight, state: LayerState) -> tuple[Tensor, LayerState]:
        """See FeedForward."""
        change = inputs_before(x, sight, state["channel_input"]) - x
        mixed = self.down(squared_relu(self.up(x + change * self.share)))
        gate = torch.sigmoid(self.receptance(x + change * self.receptance_share))
        return gate * mixed, {"channel_input": x[:, -1]}

    @staticmethod
    def parameters_of(width: int, inner: int) -> int:
        """Up, down and the receptance; two vectors of shares."""
        return 2 * width * inner + width**2 + 2 * width


FEED_FORWARDS: Final[dict[str, type[FeedForward]]] = {
    "squared_relu": SquaredReluMlp,
    "swiglu": SwigluMlp,
    "rwkv6": Rwkv6ChannelMix,
    "rwkv7": Rwkv7ChannelMix,
}
