"""The Mamba-2 layer (Dao and Gu 2024, arXiv 2405.21060): matrix states with one decay a head; documents do not mix.

Initial values are those of the paper's code: rates spread evenly from -1 to -16, step sizes spread evenly over the
orders of magnitude from 0.001 to 0.1.
"""

import math
from typing import ClassVar, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.layers.convolution import TAPS, convolved
from trainer.layers.mixer import LayerState, Mixer, Sight
from trainer.ops.registration import for_kernels
from trainer.ops.ssd import ssd
from trainer.ops.underflow import UNDERFLOW
from trainer.shape import ModelShape

_EXPANSION: Final = 2  # inner channels for each of the residual stream
_RATES: Final = (1.0, 16.0)
_STEP_SIZES: Final = (1e-3, 1e-1)


class Mamba2(Mixer):
    """The state is the last three inputs of the convolution and the states of the heads."""

    gentle: ClassVar[tuple[str, ...]] = ("step_size",)

    def __init__(self, shape: ModelShape) -> None:
        super().__init__(shape)
        inner, heads, states = _EXPANSION * shape.width, _heads(shape), shape.head_states
        self.sizes = (inner, states, states)
        self.input = nn.Linear(shape.width, 2 * inner + 2 * states, bias=False)
        self.step_size = nn.Linear(shape.width, heads)
        self.taps = nn.Parameter(torch.empty(TAPS, sum(self.sizes)))  # the first weighs the newest input
        self.taps_bias = nn.Parameter(torch.zeros(sum(self.sizes)))
        self.log_rates = nn.Parameter(torch.log(torch.empty(heads).uniform_(*_RATES)))
        self.skip = nn.Parameter(torch.ones(heads))
        self.scale = nn.Parameter(torch.ones(inner))
        self.output = nn.Linear(inner, shape.width, bias=False)
        nn.init.uniform_(self.taps, -(TAPS**-0.5), TAPS**-0.5)
        smallest, largest = (math.log(size) for size in _STEP_SIZES)
        wanted = torch.exp(torch.rand(heads) * (largest - smallest) + smallest)
        with torch.no_grad():
            self.step_size.bias.copy_(wanted + torch.log(-torch.expm1(-wanted)))  # the inverse of softplus
        nn.init.zeros_(self.output.weight)  # a new layer changes nothing

    def initial_state(self, batch: int, device: torch.device) -> LayerState:
        """Zeros: (B, 3, inner + 2 N) and (B, H, P, N)."""
        inner, states, _ = self.sizes
        heads = self.skip.numel()
        return {
            "inputs": torch.zeros(batch, TAPS - 1, sum(self.sizes), device=device),
            "heads": torch.zeros(batch, heads, inner // heads, states, device=device),
        }

    def forward(self, x: Tensor, sight: Sight, state: LayerState) -> tuple[Tensor, LayerState]:
        """See Mixer."""
        inner = self.sizes[0]
        both: Tensor = self.input(x)
        gate, u = both[..., :inner], both[..., inner:]
        u, inputs = convolved(u, state["inputs"], self.taps, self.taps_bias, sight)
        values, write, read = torch.split(for_kernels(u), list(self.sizes), dim=-1)
        values = values.view(*x.shape[:2], self.skip.numel(), -1)  # (B, L, H, P)
        delta = functional.softplus(self.step_size(x).float())  # (B, L, H)
        rates = -torch.exp(self.log_rates.float())
        written, reset_delta = values, delta
        if not sight.single:
            # A new document forgets: a step so long that nothing is left, and an input weighed down by as much.
            begins = ~sight.same_segment(1)[..., None]
            reset_delta = delta + begins * (UNDERFLOW / rates.detach().abs().min())
            written = (values * (delta / reset_delta)[..., None]).to(values.dtype)
        y, heads = ssd(
            written, reset_delta, rates, write[:, :, None], read[:, :, None], initial_state=state["heads"].float()
        )
        y = (y + self.skip[:, None] * values).flatten(2) * functional.silu(gate.float())
        mixed: Tensor = self.output((functional.rms_norm(y, (inner,)) * self.scale).to(x.dtype))
        return mixed, {"inputs": inputs, "heads": heads}

    @staticmethod
    def parameters_of(shape: ModelShape) -> int:
        """Input and output; step sizes with bias, rates and skips; taps and bias; scale."""
        inner, heads, states = _EXPANSION * shape.width, _heads(shape), shape.head_states
        convolution = (TAPS + 1) * (inner + 2 * states)
        return shape.width * (3 * inner + 2 * states + heads) + 3 * heads + convolution + inner


def _heads(shape: ModelShape) -> int:
    return _EXPANSION * shape.width // shape.head_width


MIXER = Mamba2
