"""AdamW for every parameter, or Muon for the hidden matrices beside it; the state goes to and from named tensors.

AdamW: Loshchilov and Hutter 2017, arXiv 1711.05101.
"""

from collections.abc import Iterator
from typing import Any, Final

import torch
from torch import Tensor, nn

from trainer.config import OptimizerConfig
from trainer.layers.mixer import Mixer
from trainer.model import LanguageModel
from trainer.muon import Muon
from trainer.spread import part_like

PEAKS: Final = {"muon": 1e-2, "adamw": 2e-3}  # AdamW moves embeddings and vectors only, or hidden matrices too


class Optimizer:
    """What the loop needs: one step at a fraction of the peak, and a state that is exactly resumed."""

    def __init__(self, model: LanguageModel, config: OptimizerConfig) -> None:
        named = dict(model.named_parameters())
        hidden = {name: named[name] for name in hidden_matrices(model)}
        rest = {name: weight for name, weight in named.items() if name not in hidden}
        self._muon = Muon(hidden if config.name == "muon" else {}, config)
        decayed = {} if config.name == "muon" else hidden
        self._adamw_weights = {**decayed, **rest}
        groups = [
            {"params": list(decayed.values()), "weight_decay": config.weight_decay},
            {"params": list(rest.values()), "weight_decay": 0.0},
        ]
        self._weights = list(named.values())
        self._peak = config.learning_rate or PEAKS[config.name]
        self._adamw = torch.optim.AdamW(
            [group for group in groups if group["params"]],
            lr=self._peak,
            betas=(config.beta1, config.beta2),
            fused=True,
        )

    def step(self, factor: float) -> None:
        """One update at the fraction `factor` of the peak learning rates; the gradients are gone afterwards."""
        for group in self._adamw.param_groups:
            group["lr"] = self._peak * factor
        self._adamw.step()
        self._muon.step(factor)
        for weight in self._weights:
            weight.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """All of the state, by names."""
        named = {f"muon.{name}": tensor for name, tensor in self._muon.momentum.items()}
        for name, weight in self._adamw_weights.items():
            for part, tensor in self._adamw.state[weight].items():
                named[f"adamw.{part}.{name}"] = tensor
        return named

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Goes on where `tensors` were taken. Raises KeyError when they are another model's."""
        for name, momentum in self._muon.momentum.items():
            momentum.copy_(part_like(tensors[f"muon.{name}"], momentum))
        for name, weight in self._adamw_weights.items():
            state: dict[str, Any] = self._adamw.state[weight]
            for part in ("step", "exp_avg", "exp_avg_sq"):
                saved = tensors[f"adamw.{part}.{name}"].clone()
                state[part] = saved.to(weight.device) if part == "step" else part_like(saved, weight)


def hidden_matrices(model: LanguageModel) -> Iterator[str]:
    """The weights of the linear layers in the blocks, but those that a mixer wants to be gentle with."""
    gentle = {
        f"{owner_name}.{name}"
        for owner_name, owner in model.blocks.named_modules()
        if isinstance(owner, Mixer)
        for name in owner.gentle
    }
    for module_name, module in model.blocks.named_modules():
        if isinstance(module, nn.Linear) and module_name not in gentle:
            yield f"blocks.{module_name}.weight"
