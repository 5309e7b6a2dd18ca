"""What a layout is: another program's configuration, and the weights under its names; it writes no file."""

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional

from trainer.bytes import BOUNDARY, PADDING
from trainer.errors import ExportError
from trainer.model import LanguageModel

EPSILON: Final = torch.finfo(torch.float32).eps  # of the norms, as torch takes it where none is given
SPECIAL_IDS: Final = {"bos_token_id": BOUNDARY, "eos_token_id": BOUNDARY, "pad_token_id": PADDING}


@dataclass(frozen=True, slots=True)
class Layout:
    """One model as another program reads it."""

    config: dict[str, Any]
    tensors: dict[str, Tensor]  # fp32, contiguous


def require(fits: bool, sentence: str) -> None:
    """Raises ExportError with the sentence where it does not fit."""
    if not fits:
        raise ExportError(sentence)


def require_stack(model: LanguageModel, mixer: str, recipe: str) -> None:
    """Raises ExportError unless embedding, layers of one kind and head are all there is."""
    shape = model.shape
    plain = not (shape.tokenizer_width or shape.ahead or shape.fact_slots)
    require(
        plain and set(shape.mixers) == {mixer},
        f"This layout holds layers of {mixer} alone, this model has {', '.join(sorted(set(shape.mixers)))}; "
        f"train the recipe {recipe}.",
    )


def require_options(model: LanguageModel, **wanted: object) -> None:
    """Raises ExportError for the first option of the model that the layout has no place for."""
    for name, value in wanted.items():
        found = getattr(model.shape, name)
        require(
            found == value,
            f"This layout needs model.{name} {value!r}, this model has {found!r}; set it in run.json and train anew.",
        )


def mlp_width(model: LanguageModel) -> int:
    """That of every layer; 0 for none. Raises ExportError where they differ."""
    widths = set(model.shape.mlp_widths)
    require(len(widths) == 1, "This layout needs MLPs of one width; set model.mlp_width in run.json and train anew.")
    return widths.pop()


def normed_embedding(model: LanguageModel) -> Tensor:
    """The embedding as the layers read it: its norm is taken beforehand, for programs that take none."""
    return functional.rms_norm(_plain(model.embedding.weight), (model.shape.width,))


def ones(model: LanguageModel) -> Tensor:
    """The weights of a norm that has none."""
    return torch.ones(model.shape.width)


def plain(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """In fp32 on the processor, contiguous, each with memory of its own."""
    return {name: _plain(tensor) for name, tensor in tensors.items()}


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().float().cpu().clone().contiguous()
