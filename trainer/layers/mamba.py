"""The Mamba-1 layer (Gu and Dao 2023, arXiv 2312.00752): convolution, selective scan and gate; documents do not mix.

Initial values are those of the paper's code: rates -1 to -N, step sizes spread evenly over the orders of magnitude
from 0.001 to 0.1.
"""

import math
from typing import ClassVar, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.layers.convolution import TAPS, convolved
from trainer.layers.mixer import LayerState, Mixer, Sight
from trainer.ops.selective_scan.gated import gated_scan
from trainer.shape import ModelShape

_EXPANSION: Final = 2  # inner channels for each of the residual stream
_STEP_SIZES: Final = (1e-3, 1e-1)


class Mamba(Mixer):
    """The state is the last three inputs of the convolution and the states of the scan."""

    gentle: ClassVar[tuple[str, ...]] = ("step_size",)

    def __init__(self, shape: ModelShape, inner: int | None = None) -> None:
        """`inner` channels; None for twice as many as the residual stream has."""
        super().__init__(shape)
        inner, rank = inner or _EXPANSION * shape.width, _rank(shape)
        self.sizes = (rank, shape.states, shape.states)
        self.input = nn.Linear(shape.width, 2 * inner, bias=False)
        self.taps = nn.Parameter(torch.empty(TAPS, inner))  # the first weighs the newest input
        self.taps_bias = nn.Parameter(torch.zeros(inner))
        self.selection = nn.Linear(inner, sum(self.sizes), bias=False)
        self.step_size = nn.Linear(rank, inner)
        self.log_rates = nn.Parameter(torch.log(torch.arange(1.0, shape.states + 1)).repeat(inner, 1))
        self.skip = nn.Parameter(torch.ones(inner))
        self.output = nn.Linear(inner, shape.width, bias=False)
        nn.init.uniform_(self.taps, -(TAPS**-0.5), TAPS**-0.5)
        nn.init.uniform_(self.step_size.weight, -(rank**-0.5), rank**-0.5)
        smallest, largest = (math.log(size) for size in _STEP_SIZES)
        wanted = torch.exp(torch.rand(inner) * (largest - smallest) + smallest)
        with torch.no_grad():
            self.step_size.bias.copy_(wanted + torch.log(-torch.expm1(-wanted)))  # the inverse of softplus
        nn.init.zeros_(self.output.weight)  # a new layer changes nothing

    def initial_state(self, batch: int, device: torch.device) -> LayerState:
        """Zeros: (B, 3, inner) and (B, inner, N)."""
        inner = self.output.in_features
        return {
            "inputs": torch.zeros(batch, TAPS - 1, inner, device=device),
            "scan": torch.zeros(batch, inner, self.log_rates.shape[1], device=device),
        }

    def forward(self, x: Tensor, sight: Sight, state: LayerState) -> tuple[Tensor, LayerState]:
        """See Mixer."""
        u, gate = self.input(x).chunk(2, dim=-1)  # (B, L, inner) each
        u, inputs = convolved(u, state["inputs"], self.taps, self.taps_bias, sight)
        low, write, read = self.selection(u).split(self.sizes, dim=-1)
        y, scan = gated_scan(
            u,
            functional.linear(low, self.step_size.weight),
            -torch.exp(self.log_rates.float()),
            write,
            read,
            skip=self.skip,
            gate=gate,
            bias=self.step_size.bias,
            initial_state=state["scan"].float(),
            begins=None if sight.single else ~sight.same_segment(1),
        )
        mixed: Tensor = self.output(y)
        return mixed, {"inputs": inputs, "scan": scan}

    @staticmethod
    def parameters_of(shape: ModelShape) -> int:
        """Twice as many inner channels as the residual stream has."""
        return Mamba.parameters_with(shape, _EXPANSION * shape.width)

    @staticmethod
    def parameters_with(shape: ModelShape, inner: int) -> int:
        """Input and output; taps, bias, skip and the bias of the step sizes; selection; step sizes; rates."""
        rank, states = _rank(shape), shape.states
        vectors = inner * (TAPS + 3)
        return 3 * shape.width * inner + vectors + inner * (rank + 2 * states) + rank * inner + inner * states


def _rank(shape: ModelShape) -> int:
    """Of the step sizes: a sixteenth of the width."""
    return math.ceil(shape.width / 16)


MIXER = Mamba
