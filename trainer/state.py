"""What a language model knows of the ids before: constant in size, to be saved, restored and forked."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from trainer.layers.mixer import LayerState


@dataclass(frozen=True, slots=True)
class ModelState:
    """The state after some ids. Nothing changes it in place, so a fork is a second name for it."""

    layers: tuple[LayerState, ...]
    segments: Tensor  # (B, P) int64, the documents of the last ids, P as many as the longest window looks back at
    position: int  # ids before
    front: LayerState = field(default_factory=dict)  # what stands before the layers: tokenizer, sums of documents

    def detached(self) -> "ModelState":
        """The same, and no gradient flows into what came before (truncated backpropagation through time)."""
        kept = tuple({name: tensor.detach() for name, tensor in layer.items()} for layer in self.layers)
        front = {name: tensor.detach() for name, tensor in self.front.items()}
        return ModelState(kept, self.segments, self.position, front)

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by a name, contiguous and unshared: what a file of the state holds."""
        named = {
            f"layers.{number}.{name}": tensor.detach().clone().contiguous()
            for number, layer in enumerate(self.layers)
            for name, tensor in layer.items()
        }
        named.update({f"front.{name}": tensor.detach().clone().contiguous() for name, tensor in self.front.items()})
        return {**named, "segments": self.segments.clone().contiguous(), "position": torch.tensor(self.position)}

    @staticmethod
    def of_tensors(tensors: dict[str, Tensor]) -> "ModelState":
        """The state whose `tensors` these are."""
        layers: dict[int, LayerState] = {}
        front: LayerState = {}
        for key, tensor in tensors.items():
            if key.startswith("front."):
                front[key.removeprefix("front.")] = tensor
            elif key not in {"segments", "position"}:
                _, number, name = key.split(".")
                layers.setdefault(int(number), {})[name] = tensor
        return ModelState(
            tuple(layers[number] for number in sorted(layers)), tensors["segments"], int(tensors["position"]), front
        )
