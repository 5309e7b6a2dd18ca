"""States on disk: the model's named tensors with what they belong to; whole or absent, and refused by another model."""

import hashlib
import os
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save

from trainer.errors import CheckpointError
from trainer.model import LanguageModel
from trainer.state import ModelState

_MODEL: Final = "model"


def fingerprint(model: LanguageModel) -> str:
    """SHA-256 over the names and values of all parameters, the first 32 digits."""
    digest = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        digest.update(f"{name}{tuple(parameter.shape)}".encode())
        digest.update(parameter.detach().float().cpu().contiguous().numpy().data)
    return digest.hexdigest()[:32]


def save_state(path: Path, state: ModelState, model: str) -> None:
    """Writes the state aside and renames it; `model` is the fingerprint.

    Raises:
        CheckpointError: the disk is full, or the folder may not be written.

    """
    aside = path.with_name(f"{path.name}.partial-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(save(state.tensors(), metadata={_MODEL: model}))
        aside.replace(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written ({error.strerror}); make room, or name another.") from error


def load_state(path: Path, model: str) -> ModelState:
    """The state that was saved, to the last bit.

    Raises:
        CheckpointError: there is none, it is damaged, or it is of another model.

    """
    try:
        with safe_open(path, "pt") as file:
            owner = (file.metadata() or {}).get(_MODEL)
        tensors = load(path.read_bytes())
        if owner != model:
            raise CheckpointError(f"{path} is a state of another model; use it with the one that it was made by.")
        return ModelState.of_tensors(tensors)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error}); name a state that was saved.") from error
    except (SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is no state that can be read ({error}); save it anew.") from error
