"""A run in memory: built from its configuration, resumed from a checkpoint, saved to one; the steps are the loop's."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import torch

from trainer import checkpoint
from trainer.checkpoint import Checkpoint, Progress
from trainer.config import RunConfig
from trainer.data import Batch, Position, Rows, validation_batches
from trainer.documents import Splits, find_documents
from trainer.encoding import read_document
from trainer.errors import CheckpointError, ConfigError
from trainer.model import LanguageModel
from trainer.optim import Optimizer
from trainer.shape import shape_of
from trainer.state import ModelState

_COUNTED_DOCUMENTS: Final = 1000  # read to estimate how many ids an epoch has


@dataclass(slots=True)
class Training:
    """All that changes while a run runs."""

    run: RunConfig
    splits: Splits
    model: LanguageModel
    optimizer: Optimizer
    rows: Rows
    held_out: list[Batch]
    progress: Progress
    device: torch.device
    carried: dict[int, ModelState] = field(default_factory=dict)  # what the lanes of a forward pass know

    def precision(self) -> AbstractContextManager[object]:
        """The context of a forward pass."""
        wanted = self.run.training.precision
        if wanted == "bfloat16" or (wanted == "auto" and self.device.type == "cuda"):
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()

    def lanes(self) -> range:
        """The rows of a step."""
        return range(self.run.data.batch * self.run.data.accumulation)


def prepare(run: RunConfig) -> Training:
    """The run at its first step. Raises ConfigError and DataError."""
    device = _device(run)
    splits = find_documents(run.data)
    torch.manual_seed(run.seed)
    model = LanguageModel(shape_of(run.model, run.data.context)).to(device)
    lanes = run.data.batch * run.data.accumulation
    rows = Rows(splits.train, run.data, lanes, run.seed)
    progress = Progress(steps=run.training.steps or _steps_of(run, splits))
    held_out = validation_batches(splits.validation, run.data)
    return Training(run, splits, model, Optimizer(model, run.optimizer), rows, held_out, progress, device)


def _device(run: RunConfig) -> torch.device:
    wanted = run.training.device
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError("training.device is cuda, but torch finds none here; set it to auto.")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def _steps_of(run: RunConfig, splits: Splits) -> int:
    """The steps of `epochs`, from the mean length of documents spread evenly over the training split."""
    every = max(1, len(splits.train) // _COUNTED_DOCUMENTS)
    counted = splits.train[::every]
    mean = sum(len(read_document(place, run.data.loss_on).ids) - 1 for place in counted) / len(counted)
    ids_of_step = run.data.context * run.data.batch * run.data.accumulation
    return max(1, round(run.training.epochs * mean * len(splits.train) / ids_of_step))


def resume(training: Training, folder: Path) -> None:
    """Goes on where `save` was called last. Raises CheckpointError for another run, other data or damage."""
    saved = checkpoint.load(folder, "last")
    mine, theirs = asdict(training.run), asdict(saved.run)
    theirs["out"], theirs["data"]["path"] = mine["out"], mine["data"]["path"]  # folders may move; see the fingerprint
    for section in mine:
        if mine[section] != theirs[section]:
            raise CheckpointError(
                f"{folder} is of a run with another {section} ({theirs[section]}); restore it, or set another `out`."
            )
    if saved.fingerprint != training.splits.fingerprint:
        raise CheckpointError(f"{folder} was trained on other data; restore the data, or set another `out`.")
    try:
        training.model.load_state_dict(saved.model)
        training.optimizer.load(saved.training)
    except (RuntimeError, KeyError) as error:
        raise CheckpointError(f"{folder} holds another model's weights; set another `out`.") from error
    training.rows.positions = [Position(**position) for position in saved.positions]
    training.progress = saved.progress
    for lane in range(training.run.data.accumulation):
        prefix = f"carried.{lane}."
        carried = {name[len(prefix) :]: each for name, each in saved.training.items() if name.startswith(prefix)}
        if carried:
            moved = {name: tensor.to(training.device) for name, tensor in carried.items()}
            training.carried[lane] = ModelState.of_tensors(moved)


def save(training: Training, *, improved: bool) -> None:
    """Writes the last checkpoint, which is the best one too where it `improved`. Raises CheckpointError."""
    beside = training.optimizer.tensors()
    for lane, state in training.carried.items():
        beside.update({f"carried.{lane}.{name}": tensor for name, tensor in state.tensors().items()})
    saved = Checkpoint(
        training.run,
        training.progress,
        tuple(asdict(position) for position in training.rows.positions),
        training.splits.fingerprint,
        {name: tensor.detach().cpu() for name, tensor in training.model.state_dict().items()},
        {name: tensor.detach().cpu() for name, tensor in beside.items()},
    )
    checkpoint.save(Path(training.run.out) / "checkpoints", saved, ("best", "last") if improved else ("last",))
