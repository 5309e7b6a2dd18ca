"""What each component is worth: bits per byte on held-out rows without it, against those with it; nothing is trained.

A component that writes to the residual stream writes zeros instead; one that passes the stream on passes it unchanged.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trainer.data import Batch
from trainer.evaluate import evaluate
from trainer.model import LanguageModel
from trainer.monitor.components import Component, components

_PASSING = ("tokenizer", "memory")


@dataclass(frozen=True, slots=True)
class Worth:
    """The score without one component."""

    component: str
    bits_per_byte: float
    change: float  # bits per byte more than with it; below 0 the model is better without


def ablate(model: LanguageModel, batches: Sequence[Batch], device: torch.device) -> tuple[float, list[Worth]]:
    """Bits per byte of the whole model, and the worth of each component that can be left out, the largest first."""
    whole = evaluate(model, batches, device, nullcontext()).bits_per_byte
    found = []
    for part in components(model):
        if part.writes or part.kind in _PASSING:
            handle = part.module.register_forward_hook(_silence(part))
            try:
                score = evaluate(model, batches, device, nullcontext()).bits_per_byte
            finally:
                handle.remove()
            found.append(Worth(part.name, score, score - whole))
    return whole, sorted(found, key=lambda worth: -worth.change)


def _silence(part: Component) -> Callable[[nn.Module, Any, Any], Any]:
    def hook(_module: nn.Module, arguments: tuple[Any, ...], output: Any) -> Any:
        first: Tensor = output[0] if isinstance(output, tuple) else output
        instead = torch.zeros_like(first) if part.writes else arguments[0]
        return (instead, *output[1:]) if isinstance(output, tuple) else instead

    return hook
