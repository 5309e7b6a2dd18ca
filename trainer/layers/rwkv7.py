"""The time-mix of RWKV-7, "Goose" (Peng et al. 2025, arXiv 2503.14456); documents do not mix.

Layers above the first mix the first one's values into their own. Initial values are those of the authors' training
code.

With `reflections` an id's transition is its decay and then a product of as many Householder matrices, of which RWKV-7's
own correction is the last (Siems et al. 2025, DeltaProduct, arXiv 2502.10297). One swaps two things; two make any
rotation of a plane, and so count modulo any number. Counting needs eigenvalues down to -1 (Grazzi et al. 2024, arXiv
2411.12537), and every matrix has one rate for a head: a rate of 2 beside a decay of 0.9 would have the eigenvalue -1.1,
and rates that differ within a head stretch. So no product of transitions grows, however long the row.
"""

from typing import ClassVar, Final, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.layers.mixer import LayerState, Mixer, Sight
from trainer.layers.token_shift import depth, inputs_before, ramp
from trainer.ops.registration import for_kernels
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


class Reflections(nn.Module):
    """I - rate u uᵀ, `count` of them for each id and head: nothing at rate 0, a mirror at 2; the last u is given."""

    def __init__(self, width: int, head_width: int, count: int) -> None:
        super().__init__()
        self.matrices = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(count - 1))
        self.rates = nn.Linear(width, count * (width // head_width))
        for direction in self.directions():
            nn.init.uniform_(direction.weight, -0.5 * width**-0.5, 0.5 * width**-0.5)
        nn.init.zeros_(self.rates.weight)
        nn.init.zeros_(self.rates.bias)

    def forward(self, for_directions: Tensor, for_rates: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L, D) twice and the last u (B, L, H, K) to all u (B, L, count, H, K) and rates (B, L, count, H, 1)."""
        found = (direction(for_directions).float().view(last.shape) for direction in self.directions())
        units = torch.stack([*(functional.normalize(each, dim=-1) for each in found), last], 2)
        return units, 2 * torch.sigmoid(self.rates(for_rates).float().view(*units.shape[:-1], 1))

    def directions(self) -> list[nn.Linear]:
        """What gives all directions but the last."""
        return [matrix for matrix in self.matrices if isinstance(matrix, nn.Linear)]

    @staticmethod
    def parameters_of(width: int, head_width: int, count: int) -> int:
        """Directions; rates with bias."""
        return (count - 1) * width**2 + count * (width + 1) * (width // head_width)


class Rwkv7(Mixer):
    """The state is the last input and a matrix for each head."""

    gentle: ClassVar[tuple[str, ...]] = (
        *(f"{name}.{part}" for name in ("decay", "rate", "gate", "residual") for part in ("down", "up")),
        "rate.rates",
    )

    def __init__(self, shape: ModelShape, layer: int = 0) -> None:
        super().__init__(shape)
        width, self.head_width = shape.width, shape.head_width
        self.steps = max(1, shape.reflections)  # of the recurrence for each id
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
        self.rate: LowRank | Reflections = (
            Reflections(width, self.head_width, shape.reflections)
            if shape.reflections
            else LowRank(width, ranks["rate"], -0.19 + zigzag * 0.3 + slope * 0.4)
        )
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
        log_decay = -torch.exp(-functional.softplus(-self.decay(for_decay, nn.Tanh()).float()) - 0.5)
        r, k, v, log_decay, scaled = (self._by_head(each) for each in (r, k, v, log_decay, k * self.key_scale))
        unit, begins = functional.normalize(scaled.float(), dim=-1), None
        if not sight.single:  # a new document forgets: nothing decays into it, nothing is looked up from before
            begins = ~sight.same_segment(1)[..., None, None]
            log_decay = log_decay - begins * UNDERFLOW
        if isinstance(self.rate, Reflections):
            units, rates = self.rate(for_key, for_rate, unit)
            k = k * self._written(rates[:, :, -1])
            steps = _reflected(r, k, v, log_decay, units, rates)
        else:
            rate = self._by_head(torch.sigmoid(self.rate(for_rate, nn.Identity()).float()))
            k, lookup = k * self._written(rate), -unit if begins is None else -unit * ~begins
            steps = (r, k, v, log_decay, lookup, unit * rate)
        y, heads = wkv7(*steps, initial_state=state["heads"].float())
        y = functional.group_norm(
            y[:, self.steps - 1 :: self.steps].float().flatten(0, 1).flatten(1),
            self.bonus.shape[0],
            self.norm_scale,
            self.norm_bias,
            _NORM_EPSILON,
        ).view(*x.shape[:2], -1)
        y = y + ((r * k * self.bonus).sum(-1, keepdim=True) * v).flatten(2)
        mixed: Tensor = self.output(y.to(x.dtype) * self.gate(for_gate, nn.Sigmoid()))
        return mixed, {"input": x[:, -1], "heads": heads}

    def _by_head(self, part: Tensor) -> Tensor:
        """(..., D) to (..., H, K), in fp32 but for what kernels read narrow."""
        heads: Tensor = for_kernels(part).unflatten(-1, (-1, self.head_width))
        return heads

    def _written(self, rate: Tensor) -> Tensor:
        """What share of its key an id writes with, (B, L, H, K)."""
        return 1 + (rate - 1) * self._by_head(self.key_rate)

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
        """Of a layer above the first: four matrices, low-rank ones, six shares, eight vectors; what gives the rates."""
        width, ranks = shape.width, _ranks(shape)
        rate = width * (2 * ranks["rate"] + 1)
        if shape.reflections:
            rate = Reflections.parameters_of(width, shape.head_width, shape.reflections)
        others = 2 * sum(rank for name, rank in ranks.items() if name != "rate")
        return width * (4 * width + others + _MIXES + 7) + rate

    @staticmethod
    def parameters_of_layer(shape: ModelShape, layer: int) -> int:
        """The first layer has no share of its own values."""
        spared = shape.width * (2 * _ranks(shape)["residual"] + 1) if _NAME not in shape.mixers[:layer] else 0
        return Rwkv7.parameters_of(shape) - spared


def _reflected(  # noqa: PLR0917  # the recurrence has six inputs
    r: Tensor, k: Tensor, v: Tensor, log_decay: Tensor, units: Tensor, rates: Tensor
) -> tuple[Tensor, ...]:
    """The recurrence's inputs, a step for each reflection: the first of an id decays, the last writes and is read."""
    more = units.shape[2] - 1
    last = [functional.pad(each[:, :, None], (0, 0, 0, 0, more, 0)) for each in (r, k, v)]
    log_decay = functional.pad(log_decay[:, :, None], (0, 0, 0, 0, 0, more))
    steps = (*last, log_decay, -units * log_decay.exp(), units * rates)
    return tuple(each.flatten(1, 2) for each in steps)


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
