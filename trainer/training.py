"""A run in memory: built from its configuration, resumed from a checkpoint, saved to one; the steps are the loop's."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from trainer import checkpoint
from trainer.checkpoint import Checkpoint, Progress
from trainer.config import RunConfig
from trainer.data import Batch, Position, Rows, validation_batches
from trainer.documents import Splits, find_documents
from trainer.encoding import read_document
from trainer.errors import CheckpointError, ConfigError
from trainer.forward import Forward
from trainer.model import LanguageModel
from trainer.observer import Observer
from trainer.optim import Optimizer
from trainer.processes import Processes
from trainer.shape import shape_of
from trainer.spread import load_whole, spread, whole
from trainer.state import ModelState

_COUNTED_DOCUMENTS: Final = 1000  # read to estimate how many ids an epoch has


@dataclass(slots=True)
class Training:
    """All that changes while a run runs."""

    run: RunConfig
    splits: Splits
    model: LanguageModel
    forward: nn.Module  # a trainer.forward.Forward around the model, spread over the processes
    optimizer: Optimizer
    rows: Rows
    held_out: list[Batch]
    progress: Progress
    device: torch.device
    processes: Processes
    carried: dict[int, ModelState] = field(default_factory=dict)  # what this process's rows of each pass know
    observers: list[Observer] = field(default_factory=list)

    def precision(self) -> AbstractContextManager[object]:
        """The context of a forward pass."""
        if self.progress.precision == "bfloat16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()

    def lanes(self) -> range:
        """The rows of a step, of all processes together."""
        return range(self.run.data.batch * self.run.data.accumulation)

    def passes(self) -> list[range]:
        """The rows of this process, for each forward pass of a step."""
        lanes, size = self.lanes(), self.run.data.batch
        return [self.processes.share(lanes[first : first + size]) for first in range(0, len(lanes), size)]


def prepare(run: RunConfig, processes: Processes) -> Training:
    """The run at its first step. Raises ConfigError and DataError."""
    if run.data.batch % processes.size:
        raise ConfigError(
            f"run.json: data: batch {run.data.batch} cannot be divided among {processes.size} processes; "
            f"set it to a multiple of them."
        )
    device = _device(run, processes)
    splits = find_documents(run.data)
    torch.manual_seed(run.seed)
    model = LanguageModel(shape_of(run.model, run.data.context)).to(device)
    forward = spread(Forward(model, run.training.ahead_weight), processes, sharded=run.training.sharded)
    rows = Rows(splits.train, run.data, run.data.batch * run.data.accumulation, run.seed)
    progress = Progress(steps=run.training.steps or _steps_of(run, splits))
    held_out = validation_batches(splits.validation, run.data)
    optimizer = Optimizer(model, run.optimizer)
    return Training(run, splits, model, forward, optimizer, rows, held_out, progress, device, processes)


def _device(run: RunConfig, processes: Processes) -> torch.device:
    wanted = run.training.device
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError("training.device is cuda, but torch finds none here; set it to auto.")
    if wanted != "cpu" and torch.cuda.is_available():
        return torch.device("cuda", processes.local_rank)
    return torch.device("cpu")


def _steps_of(run: RunConfig, splits: Splits) -> int:
    """The steps of `epochs`, from the mean length of documents spread evenly over the training split."""
    every = max(1, len(splits.train) // _COUNTED_DOCUMENTS)
    counted = splits.train[::every]
    mean = sum(len(read_document(place, run.data.loss_on).ids) - 1 for place in counted) / len(counted)
    ids_of_step = run.data.context * run.data.batch * run.data.accumulation
    return max(1, round(run.training.epochs * mean * len(splits.train) / ids_of_step))


def resume(training: Training, folder: Path) -> None:
    """Goes on where `save` was called last, with as many processes as there are now.

    Raises:
        CheckpointError: it is of another run, of other data or of another model, or it is damaged.

    """
    saved = checkpoint.load(folder, "last")
    mine, theirs = asdict(training.run), asdict(saved.run)
    theirs["out"], theirs["data"]["path"] = mine["out"], mine["data"]["path"]  # folders may move; see the fingerprint
    for name in ("sharded", "curves_every"):  # where the weights are is not what they are, nor how they are looked at
        theirs["training"][name] = mine["training"][name]
    for section in mine:
        if mine[section] != theirs[section]:
            raise CheckpointError(
                f"{folder} is of a run with another {section} ({theirs[section]}); restore it, or set another `out`."
            )
    if saved.fingerprint != training.splits.fingerprint:
        raise CheckpointError(f"{folder} was trained on other data; restore the data, or set another `out`.")
    try:
        load_whole(training.model, saved.model)
        training.optimizer.load(saved.training)
    except (RuntimeError, KeyError) as error:
        raise CheckpointError(f"{folder} holds another model's weights; set another `out`.") from error
    training.rows.positions = [Position(**position) for position in saved.positions]
    training.progress = saved.progress
    for observer in training.observers:
        if observer.name in saved.observers:
            observer.restore(saved.observers[observer.name])
    for number in range(training.run.data.accumulation):
        prefix = f"carried.{number}."
        carried = {name[len(prefix) :]: each for name, each in saved.training.items() if name.startswith(prefix)}
        if carried:
            mine_of_pass = training.processes.share(range(training.run.data.batch))
            parts = {
                name: each[mine_of_pass.start : mine_of_pass.stop] if each.dim() else each
                for name, each in carried.items()
            }
            moved = {name: each.to(training.device) for name, each in parts.items()}
            training.carried[number] = ModelState.of_tensors(moved)


def save(training: Training, *, improved: bool) -> None:
    """Writes the last checkpoint, which is the best one too where it `improved`; the first process alone writes.

    Raises:
        CheckpointError: the disk is full, or the folder may not be written.

    """
    tensors = {name: whole(each).detach().cpu() for name, each in training.model.state_dict().items()}
    beside = {name: whole(each).detach().cpu() for name, each in training.optimizer.tensors().items()}
    beside.update(_carried_of_all(training))
    positions = _positions_of_all(training)
    if not training.processes.first:
        return
    saved = Checkpoint(
        training.run,
        training.progress,
        tuple(asdict(position) for position in positions),
        training.splits.fingerprint,
        tensors,
        beside,
        {observer.name: observer.state() for observer in training.observers},
    )
    checkpoint.save(Path(training.run.out) / "checkpoints", saved, ("best", "last") if improved else ("last",))


def _positions_of_all(training: Training) -> list[Position]:
    """How far every lane has read: each process knows that of its own lanes."""
    owned = {lane: training.rows.positions[lane] for lanes in training.passes() for lane in lanes}
    known = {lane: position for each in training.processes.gathered(owned) for lane, position in each.items()}
    return [known[lane] for lane in training.lanes()]


def _carried_of_all(training: Training) -> dict[str, Tensor]:
    """What the rows of all processes carry, by names; a tensor without dimensions is the same in all of them."""
    named = {
        f"carried.{number}.{name}": tensor.cpu()
        for number, state in training.carried.items()
        for name, tensor in state.tensors().items()
    }
    everyone = training.processes.gathered(named)
    return {
        name: torch.cat([each[name] for each in everyone]) if tensor.dim() else tensor for name, tensor in named.items()
    }
