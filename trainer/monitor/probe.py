"""Lets the model read a few rows of its last batch again, without gradient, with every component under watch.

An eighth of the batch costs a few hundredths of a step and keeps no graph alive.
"""

from contextlib import nullcontext
from typing import Any, Final

import torch
from torch import nn

from trainer.data import Batch
from trainer.forward import Forward
from trainer.monitor.components import Component
from trainer.monitor.watch import Measures, Watch
from trainer.spread import reshard
from trainer.state import ModelState

_SHARE: Final = 8  # one row of so many is read again
_MOST_IDS: Final = 1024  # that are read again, unless a single row is longer


class Probe:
    """Holds on to what the model reads with a gradient."""

    def __init__(self, forward: nn.Module, parts: list[Component]) -> None:
        self._forward = next(module for module in forward.modules() if isinstance(module, Forward))
        self._parts = parts
        self._last: tuple[Batch, ModelState | None] | None = None
        self._kind: torch.dtype | None = None  # of autocast
        self._forward.register_forward_pre_hook(self._remember)

    def _remember(self, _module: nn.Module, arguments: tuple[Any, ...]) -> None:
        if torch.is_grad_enabled():
            batch, state = arguments
            device = batch.ids.device.type
            self._kind = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
            self._last = batch, state

    @torch.no_grad()
    def read(self, *, whole: bool = False) -> dict[str, Measures]:
        """The measures of each component, by its name and in the order of the forward pass; {} before the first batch.

        Sharded weights: every process must ask, with as many rows.

        Args:
            whole: read all rows again; else an eighth, at least one.

        """
        if self._last is None:
            return {}
        batch, state = self._last
        rows, length = batch.ids.shape
        taken = rows if whole else max(1, min(rows // _SHARE, _MOST_IDS // length))
        part = Batch(batch.ids[:taken], batch.targets[:taken], batch.weights[:taken], batch.segments[:taken])
        precision = torch.autocast(part.ids.device.type, self._kind) if self._kind else nullcontext()
        with precision, Watch(self._forward.model, self._parts, part) as watch:
            self._forward(part, None if state is None else _rows(state, taken))
        reshard(self._forward.model)
        return watch.measures()


def _rows(state: ModelState, count: int) -> ModelState:
    """The state of the first rows."""
    layers = tuple({name: each[:count] for name, each in layer.items()} for layer in state.layers)
    front = {name: each[:count] for name, each in state.front.items()}
    return ModelState(layers, state.segments[:count], state.position, front)
