"""A run's facts as one file beside its checkpoints, `facts.safetensors`; for other weights they are written anew."""

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from trainer.errors import CheckpointError
from trainer.memory.facts import Entries, Fact, Facts
from trainer.memory.writing import new_facts, rewrite
from trainer.model import LanguageModel

_FILE: Final = "facts.safetensors"


def save(model: LanguageModel, facts: Facts, run_folder: Path) -> None:
    """Writes the file aside and gives it its name. Raises CheckpointError when the disk does not take it."""
    aside = run_folder / f"{_FILE}.partial"
    said = {
        "facts": [dataclasses.asdict(fact) for fact in facts.facts],
        "known": [dataclasses.asdict(fact) for fact in facts.known],
        "uses": facts.uses,
        "weights": fingerprint(model),
    }
    tensors = {name: getattr(facts.entries, name).cpu().contiguous() for name in Entries.__slots__}
    try:
        save_file(tensors, aside, {"memory": json.dumps(said)})
        descriptor = os.open(aside, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        aside.replace(run_folder / _FILE)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{run_folder} cannot take the facts ({error}); make room and write again.") from error


def load(model: LanguageModel, run_folder: Path) -> Facts | None:
    """The run's facts, or None where nothing was written yet.

    Raises:
        CheckpointError: the file is damaged.
        ConfigError, DataError: the weights are others, and the facts cannot be written into these.

    """
    path = run_folder / _FILE
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt", device=str(model.head.weight.device)) as file:
            said = json.loads(file.metadata()["memory"])
            entries = Entries(**{name: file.get_tensor(name) for name in Entries.__slots__})
            known, facts = ([Fact(**each) for each in said[name]] for name in ("known", "facts"))
            found = Facts(entries, facts, said["uses"], known)
            weights = said["weights"]
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path} is no readable memory ({error}); remove it and write the facts anew.") from error
    new_facts(model)  # raises for a model that has no memory
    if weights != fingerprint(model):
        rewrite(model, found)
    return found


def attach(model: LanguageModel, run_folder: Path) -> None:
    """Lets the model recall the run's facts, where there are any. Raises what `load` does."""
    model.recall = load(model, run_folder)


def fingerprint(model: LanguageModel) -> str:
    """SHA-256 of all weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
