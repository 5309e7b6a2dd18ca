"""The parts of a model that a diagnosis can name, in the order in which a forward pass meets them."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from trainer.layers.mixer import Mixer
from trainer.model import LanguageModel


@dataclass(frozen=True, slots=True)
class Component:
    """A module that can be at fault."""

    name: str  # layers.3.mamba
    kind: str  # mamba, mlp, embedding, memory
    module: nn.Module
    weights: tuple[nn.Parameter, ...]  # each weight of the model is one component's
    writes: bool  # whether its output is added to the residual stream of its block


def components(model: LanguageModel) -> list[Component]:
    """All of them; together they own every weight."""
    found: list[Component] = []
    owned: set[nn.Parameter] = set()
    for name, kind, module, writes in _modules(model):
        weights = tuple(weight for weight in module.parameters() if weight not in owned)
        owned.update(weights)
        found.append(Component(name, kind, module, weights, writes))
    return found


def _modules(model: LanguageModel) -> Iterator[tuple[str, str, nn.Module, bool]]:
    """Name, kind, module and whether it writes; what lies inside another part comes before it."""
    for name, child in model.named_children():
        if name not in {"blocks", "head"}:
            yield name, name, child, False
    for layer, block in enumerate(model.layers()):
        for part, module in block.named_children():
            kind = model.shape.mixers[layer] if part == "mixer" else part
            for inner, branch in module.named_children():
                if isinstance(branch, Mixer):
                    yield f"layers.{layer}.{kind}.{inner}", inner, branch, False
            yield f"layers.{layer}.{kind}", kind, module, True
    yield "head", "head", model.head, False
