"""The time-mix of RWKV-7, "Goose" (Peng et al. 2025, arXiv 2503.14456); documents do not mix.

Layers above the first mix the first one's values into their own. Initial values are those of the authors' training
code.

With `reflections` the rates go up to 2 and not to 1, so that a transition's eigenvalues go down to -1 and not to 0:
what is looked up can then be turned round, not only taken away, as counting needs (Grazzi et al. 2024, arXiv
2411.12537).
"""

from typing import ClassVar, Final, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.layers.mixer import LayerState, Mixer, Sight
from trainer.layers.token_shift import depth, inputs_before, ramp
from trainer.ops.underflow import UNDERFLOW
from trainer.ops.wkv7 import wkv7
from trainer.shape import ModelShape

_MIXES: Final = 6  # receptance, decay, key, value, rate and gate each have their shares
_NORM_EPSILON: Final = 64e-5
_NAME: Final = "rwkv7"


class LowRank(nn.Module):
    """bias + up(inside(down(x))), from zero on the way down."""

    def __init__(self, width: int, rank: int, bias: Tensor | None) -> None:
        super().__init__()
        self.down = nn.Linear(width, rank, bias=False)
        self.up = nn.Linear(rank, width, bias=bias is not None)
        nn.init.zeros_(self.down.weight)
        nn.init.orthogonal_(self.up.weight, gain=0.1 * max(1.0, (rank / width) ** 0.5))
        if bias is not None:
            with torch.no_grad():
                self.up.bias.copy_(bias)

    def forward(self, x: Tensor, inside: nn.Module) -> Tensor:
        """(..., D) to (..., D)."""
        found: Tensor = self.up(inside(self.down(x)))
        return found


class Rwkv7(Mixer):
    """The state is the last input and a matrix for each head."""

    gentle: ClassVar[tuple[str, ...]] = tuple(
        f"{name}.{part}" for name in ("decay", "rate", "gate", "residual") for part in ("down", "up")
    )

    def __init__(self, shape: ModelShape, layer: int = 0) -> None:
        super().__init__(shape)
        width, self.head_width = shape.width, shape.head_width
        self.highest_rate = 2.0 if shape.reflections else 1.0
        self.first = _NAME not in shape.mixers[:layer]
        height, remaining = depth(layer, len(shape.mixers))
        powers = torch.tensor([0.2, 0.9, 0.7, 0.7, 0.9, 0.2]) * remaining
        self.shares = nn.Parameter(1 - ramp(width) ** powers[:, None])  # of the earlier input
        place = torch.arange(width) / max(1, width - 1)
        slope = place - 0.5
        middle = (self.head_width - 1) / 2
        zigzag = (torch.arange(width) % self.head_width - middle) / middle
        zigzag = zigzag * zigzag.abs()
        ranks = _ranks(shape)
        speeds = -6 + 6 * place ** (1 + height**0.3)
        self.decay = LowRank(width, ranks["decay"], speeds + 0.5 + zigzag * 2.5)
        self.rate = LowRank(width, ranks["rate"], -0.19 + zigzag * 0.3 + slope * 0.4)
        self.gate = LowRank(width, ranks["gate"], None)
        self.residual = None if self.first else LowRank(width, ranks["residual"], 0.73 - slope * 0.4)
        self.key_scale = nn.Parameter(0.71 - slope * 0.1)
        self.key_rate = nn.Parameter(torch.full((width,), 1.02))
        self.bonus = nn.Parameter(torch.full((width // self.head_width, self.head_width), -0.04))
        self.receptance = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.norm_scale = nn.Parameter(torch.full((width,), ((1 + layer) / len(shape.mixers)) ** 0.7))
        self.norm_bias = nn.Parameter(torch.zeros(width))
        for matrix, most in ((self.receptance, 0.5), (self.key, 0.05), (self.value, 0.5)):
            nn.init.uniform_(matrix.weight, -most * width**-0.5, most * width**-0.5)
        nn.init.zeros_(self.output.weight)  # a new layer changes nothing

    @classmethod
    def of_layer(cls, shape: ModelShape, layer: int) -> Self:
        """Initial values depend on the depth."""
        return cls(shape, layer)

    def initial_state(self, batch: int, device: torch.device) -> LayerState:
        """Zeros: (B, D) and (B, H, V, K)."""
        heads, keys = self.bonus.shape
        return {
            "input": torch.zeros(batch, self.output.in_features, device=device),
            "heads": torch.zeros(batch, heads, keys, keys, device=device),
        }

    def forward(self, x: Tensor, sight: Sight, state: LayerState) -> tuple[Tensor, LayerState]:
        """See Mixer."""
        change = inputs_before(x, sight, state["input"]) - x
        for_receptance, for_decay, for_key, for_value, for_rate, for_gate = (x + change * each for each in self.shares)
        r, k, v = self.receptance(for_receptance), self.key(for_key), self._values(for_value, sight)
        rate = self.highest_rate * torch.sigmoid(self.rate(for_rate, nn.Identity()).float())
        log_decay = -torch.exp(-functional.softplus(-self.decay(for_decay, nn.Tanh()).float()) - 0.5)
        r, k, v, rate, log_decay, scaled = (
            each.float().unflatten(-1, (-1, self.head_width))  # (B, L, H, K)
            for each in (r, k * (1 + (rate - 1) * self.key_rate), v, rate, log_decay, k * self.key_scale)
        )
        unit = functional.normalize(scaled, dim=-1)
        lookup = -unit
        if not sight.single:  # a new document forgets: nothing decays into it, nothing is looked up from before
            begins = ~sight.same_segment(1)[..., None, None]
            log_decay, lookup = log_decay - begins * UNDERFLOW, lookup * ~begins
        y, heads = wkv7(r, k, v, log_decay, lookup, unit * rate, initial_state=state["heads"].float())
        y = functional.group_norm(
            y.flatten(0, 1).flatten(1), self.bonus.shape[0], self.norm_scale, self.norm_bias, _NORM_EPSILON
        ).view(*x.shape[:2], -1)
        y = y + ((r * k * self.bonus).sum(-1, keepdim=True) * v).flatten(2)
        mixed: Tensor = self.output(y.to(x.dtype) * self.gate(for_gate, nn.Sigmoid()))
        return mixed, {"input": x[:, -1], "heads": heads}

    def _values(self, x: Tensor, sight: Sight) -> Tensor:
        """(B, L, D): this layer's, towards the first layer's by a learnt share."""
        values: Tensor = self.value(x)
        if self.residual is None:
            sight.first[_NAME] = values
            return values
        share = torch.sigmoid(self.residual(x, nn.Identity()))
        return values + (sight.first[_NAME] - values) * share

    @staticmethod
    def parameters_of(shape: ModelShape) -> int:
        """Of a layer above the first: four matrices, four low-rank ones, six shares and nine vectors."""
        return shape.width * (4 * shape.width + 2 * sum(_ranks(shape).values()) + _MIXES + 8)

    @staticmethod
    def parameters_of_layer(shape: ModelShape, layer: int) -> int:
        """The first layer has no share of its own values."""
        spared = shape.width * (2 * _ranks(shape)["residual"] + 1) if _NAME not in shape.mixers[:layer] else 0
        return Rwkv7.parameters_of(shape) - spared


def _ranks(shape: ModelShape) -> dict[str, int]:
    """The published ranks, but no more than an eighth of the width (of gates a quarter)."""
    root = shape.width**0.5
    published = {"decay": 1.8 * root, "rate": 1.8 * root, "gate": 0.6 * shape.width**0.8, "residual": 1.3 * root}
    shares = {"gate": 4}
    return {
        name: min(max(32, round(rank / 32) * 32), max(8, shape.width // shares.get(name, 8)))
        for name, rank in published.items()
    }


MIXER = Rwkv7
