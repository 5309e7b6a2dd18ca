"""The time-mix of RWKV-6, "Finch" (Peng et al. 2024, arXiv 2404.05892); documents do not mix.

Shares and decays depend on the input through low-rank matrices. Initial values are those of the authors' training code.
"""

from typing import ClassVar, Final, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.layers.mixer import LayerState, Mixer, Sight
from trainer.layers.token_shift import depth, inputs_before, ramp
from trainer.ops.registration import for_kernels
from trainer.ops.underflow import UNDERFLOW
from trainer.ops.wkv6 import wkv6
from trainer.shape import ModelShape

_MIXES: Final = 5  # decay, key, value, receptance and gate each have their shares
_SHARE_RANK, _DECAY_RANK = 32, 64  # of the published models below 4,096 channels; narrow layers have less
_SMALL: Final = 0.01  # the largest initial value of the low-rank matrices
_NORM_EPSILON: Final = 64e-5


class Rwkv6(Mixer):
    """The state is the last input and a matrix for each head."""

    gentle: ClassVar[tuple[str, ...]] = ("shares_down", "decay_down", "decay_up")

    def __init__(self, shape: ModelShape, layer: int = 0, inner: int | None = None) -> None:
        """`inner` channels in all heads together; None for as many as the residual stream has."""
        super().__init__(shape)
        width, inner = shape.width, inner or shape.width
        self.head_width = shape.head_width
        self.shares_down = nn.Linear(width, _MIXES * _share_rank(shape), bias=False)
        self.shares_up = nn.Parameter(torch.empty(_MIXES, _share_rank(shape), width))
        self.decay_down = nn.Linear(width, _decay_rank(shape), bias=False)
        self.decay_up = nn.Linear(_decay_rank(shape), inner)
        self.receptance = nn.Linear(width, inner, bias=False)
        self.key = nn.Linear(width, inner, bias=False)
        self.value = nn.Linear(width, inner, bias=False)
        self.gate = nn.Linear(width, inner, bias=False)
        self.output = nn.Linear(inner, width, bias=False)
        self.norm_scale = nn.Parameter(torch.full((inner,), ((1 + layer) / len(shape.mixers)) ** 0.7))
        self.norm_bias = nn.Parameter(torch.zeros(inner))
        height, remaining = depth(layer, len(shape.mixers))
        base = ramp(width)
        self.share = nn.Parameter(1 - base**remaining)  # of the earlier input, in what decides on the shares
        most = [base**remaining, base**remaining, base**remaining + 0.3 * height]
        self.shares = nn.Parameter(1 - torch.stack([*most, *[base ** (0.5 * remaining)] * 2]))
        place = torch.arange(inner) / max(1, inner - 1)
        zigzag = ((torch.arange(inner) + 1) % 3 - 1) * 0.1
        self.bonus = nn.Parameter((height * (1 - place) + zigzag).view(-1, self.head_width))
        nn.init.zeros_(self.shares_down.weight)
        nn.init.zeros_(self.decay_down.weight)
        nn.init.uniform_(self.shares_up, -_SMALL, _SMALL)
        nn.init.uniform_(self.decay_up.weight, -_SMALL, _SMALL)
        with torch.no_grad():
            self.decay_up.bias.copy_(-6 + 5 * place ** (0.7 + 1.3 * height))
        for matrix, gain in ((self.receptance, 1.0), (self.key, 0.1), (self.value, 1.0), (self.gate, 0.1)):
            nn.init.orthogonal_(matrix.weight, gain=gain)
        nn.init.zeros_(self.output.weight)  # a new layer changes nothing

    @classmethod
    def of_layer(cls, shape: ModelShape, layer: int) -> Self:
        """Initial values depend on the depth."""
        return cls(shape, layer)

    def initial_state(self, batch: int, device: torch.device) -> LayerState:
        """Zeros: (B, D) and (B, H, K, K)."""
        heads, keys = self.bonus.shape
        return {
            "input": torch.zeros(batch, self.receptance.in_features, device=device),
            "heads": torch.zeros(batch, heads, keys, keys, device=device),
        }

    def forward(self, x: Tensor, sight: Sight, state: LayerState) -> tuple[Tensor, LayerState]:
        """See Mixer."""
        change = inputs_before(x, sight, state["input"]) - x
        low = torch.tanh(self.shares_down(x + change * self.share)).view(*x.shape[:2], _MIXES, -1)
        shares = self.shares + torch.einsum("blmr,mrd->blmd", low, self.shares_up.to(low.dtype))
        for_decay, for_key, for_value, for_receptance, for_gate = (x[:, :, None] + change[:, :, None] * shares).unbind(
            2
        )
        decay = self.decay_up(torch.tanh(self.decay_down(for_decay)))
        r, k, v, w = (
            for_kernels(each).unflatten(-1, (-1, self.head_width))  # (B, L, H, K)
            for each in (self.receptance(for_receptance), self.key(for_key), self.value(for_value), decay.float())
        )
        y, heads = self._read(r, k, v, -torch.exp(w), sight, state["heads"].float())
        y = functional.group_norm(
            y.float().flatten(0, 1).flatten(1), self.bonus.shape[0], self.norm_scale, self.norm_bias, _NORM_EPSILON
        ).view(*x.shape[:2], -1)
        mixed: Tensor = self.output(y.to(x.dtype) * functional.silu(self.gate(for_gate)))
        return mixed, {"input": x[:, -1], "heads": heads}

    def _read(  # noqa: PLR0917  # the recurrence has four inputs
        self, r: Tensor, k: Tensor, v: Tensor, log_decay: Tensor, sight: Sight, state: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The recurrence; a document's first id reads no state, only its own value, and lets nothing of it through."""
        if sight.single:
            return wkv6(r, k, v, log_decay, self.bonus, initial_state=state)
        begins = ~sight.same_segment(1)[..., None, None]
        own = (r * self.bonus * k).sum(-1, keepdim=True) * v
        y, after = wkv6(r * ~begins, k, v, log_decay - begins * UNDERFLOW, self.bonus, initial_state=state)
        return torch.where(begins, own, y), after

    @staticmethod
    def parameters_of(shape: ModelShape) -> int:
        """As many inner channels as the residual stream has."""
        return Rwkv6.parameters_with(shape, shape.width)

    @staticmethod
    def parameters_with(shape: ModelShape, inner: int) -> int:
        """Five matrices; shares, their down and up; decays down, up and bias; bonus, scale and bias."""
        width, rank, decays = shape.width, _share_rank(shape), _decay_rank(shape)
        shares = width * (1 + _MIXES) + 2 * _MIXES * rank * width
        return 5 * width * inner + shares + decays * (width + inner) + 4 * inner


def _share_rank(shape: ModelShape) -> int:
    return min(_SHARE_RANK, max(8, shape.width // 8))


def _decay_rank(shape: ModelShape) -> int:
    return min(_DECAY_RANK, max(8, shape.width // 4))


MIXER = Rwkv6
