"""Checkpoints on disk: whole or absent, whenever the process dies; what they mean is the loop's business.

```
checkpoints/step-00000100-1f0c9a2b/   model.safetensors training.safetensors state.json
checkpoints/last.json best.json       which folder is which; replaced in one move
```
"""

import dataclasses
import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from trainer.config import RunConfig
from trainer.errors import CheckpointError, ConfigError
from trainer.records import parse

Name = Literal["last", "best"]
_MODEL: Final = "model.safetensors"
_TRAINING: Final = "training.safetensors"
_STATE: Final = "state.json"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come; with the weights and the optimizer's state it says all of what comes."""

    step: int = 0
    steps: int = 0  # of the whole run
    best_loss: float | None = None  # of validation, nats for each id
    best_step: int = 0
    stale: int = 0  # evaluations since the best one
    learnt_bytes: float = 0.0
    stopped: str = ""  # why the run is over; '' while it is not
    rate: float = 1.0  # what observers left of the learning rates
    precision: str = ""  # of the forward passes, float32 or bfloat16: chosen at the first step and kept


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All of a run at one step."""

    run: RunConfig
    progress: Progress
    positions: tuple[dict[str, int], ...]  # of the lanes, as data.Position has them
    fingerprint: str  # of the data
    model: dict[str, Tensor]
    training: dict[str, Tensor]  # the optimizer's state, and what the lanes carry
    observers: dict[str, dict[str, Any]] = field(default_factory=dict)  # what each of them knows, by its name


def save(folder: Path, checkpoint: Checkpoint, names: tuple[Name, ...]) -> None:
    """Write the checkpoint aside, force it to the disk, give it its name, and point `names` at it.

    A checkpoint that no name points at is removed.

    Raises:
        CheckpointError: the disk is full, or the folder may not be written.

    """
    aside = folder / f"partial-{os.getpid()}"
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        save_file(checkpoint.model, aside / _MODEL)
        save_file(checkpoint.training, aside / _TRAINING)
        hashes = {name: _sha256(aside / name) for name in (_MODEL, _TRAINING)}
        document = {
            "run": dataclasses.asdict(checkpoint.run),
            "progress": dataclasses.asdict(checkpoint.progress),
            "positions": list(checkpoint.positions),
            "fingerprint": checkpoint.fingerprint,
            "observers": checkpoint.observers,
            "sha256": hashes,
        }
        (aside / _STATE).write_text(json.dumps(document, indent=1), encoding="utf-8")
        for name in (_MODEL, _TRAINING, _STATE):
            _force(aside / name)
        _force(aside)
        whole = folder / f"step-{checkpoint.progress.step:08d}-{hashes[_MODEL][:8]}"
        if whole.exists():
            shutil.rmtree(aside)  # the same weights were saved before a kill
        else:
            aside.rename(whole)
            _force(folder)
        for name in names:
            _point(folder, name, whole.name)
        _sweep(folder)
    except OSError as error:
        raise CheckpointError(f"{folder} cannot take a checkpoint ({error.strerror}); make room and resume.") from error


def exists(folder: Path, name: Name) -> bool:
    """Whether there is one to go on from."""
    return (folder / f"{name}.json").exists()


def load(folder: Path, name: Name) -> Checkpoint:
    """The checkpoint that the name points at, its weights and states on the processor.

    Raises:
        CheckpointError: there is none, or it is not what was written.

    """
    pointer = folder / f"{name}.json"
    try:
        whole = folder / str(json.loads(pointer.read_bytes())["folder"])
        document: dict[str, Any] = json.loads((whole / _STATE).read_bytes())
        for file, expected in document["sha256"].items():
            if _sha256(whole / file) != expected:
                raise CheckpointError(f"{whole / file} is damaged; remove {pointer} and train anew.")
        return Checkpoint(
            parse(RunConfig, document["run"], _STATE),
            parse(Progress, document["progress"], _STATE),
            tuple(document["positions"]),
            document["fingerprint"],
            load_file(whole / _MODEL),
            load_file(whole / _TRAINING),
            document["observers"],
        )
    except FileNotFoundError as error:
        raise CheckpointError(f"{error.filename} is not there; name the folder of a run that was trained.") from error
    except (OSError, ValueError, KeyError, TypeError, ConfigError, SafetensorError) as error:
        raise CheckpointError(f"{pointer} leads to no readable checkpoint ({error}); train anew.") from error


def _point(folder: Path, name: Name, target: str) -> None:
    aside = folder / f"{name}.json.partial"
    aside.write_text(json.dumps({"folder": target}) + "\n", encoding="utf-8")
    _force(aside)
    aside.replace(folder / f"{name}.json")
    _force(folder)


def _sweep(folder: Path) -> None:
    """Removes what no name points at, and what dead processes left."""
    kept = {json.loads(pointer.read_bytes())["folder"] for pointer in folder.glob("*.json")}
    for path in folder.iterdir():
        if path.is_dir() and path.name not in kept:
            shutil.rmtree(path)


def _force(path: Path) -> None:
    """Fsync of a file or a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
