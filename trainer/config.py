"""One run as one frozen record, read from run.json; the `size` dial sets a model's dimensions, each can be overridden.

```
{"out": "runs/first", "data": {"path": "dataset"}, "model": {"recipe": "transformer", "size": "1M"}}
```
"""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from trainer.errors import ConfigError
from trainer.records import parse

Size = Literal["1M", "6M", "25M", "125M", "350M", "1B"]
_UNFRACTIONED = 1.0


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """What is trained; None takes the recipe's and the size's value (recipes/, shape.py)."""

    recipe: str = "transformer"  # the name of a file in recipes/
    size: Size = "1M"
    mixers: tuple[str, ...] | None = None  # the names of files in layers/, repeated over the layers
    width: int | None = None  # of the residual stream
    layers: int | None = None
    head_width: int | None = None  # of one attention head
    mlp_width: int | None = None  # 0 leaves the MLP out
    window: int | None = None  # positions that attention looks back at, itself included; None: the data's context
    states: int = 16  # of each channel of a Mamba layer


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What it learns from."""

    path: str  # a ghostd dataset, or any folder of text files; from run.json's folder on
    form: Literal["messages", "text"] = "messages"  # of a ghostd dataset: conversations, or plain documents
    context: int = 256  # ids of one row
    batch: int = 32  # rows of one forward pass
    accumulation: int = 1  # forward passes of one step
    carry_state: bool = False  # a row begins with what its lane knew (truncated backpropagation through time)
    loss_on: Literal["answers", "all"] = "answers"  # of conversations; plain text is learnt whole
    middle_fraction: float = 0.0  # of the plain documents that become fill-in-the-middle tasks
    validation_fraction: float = 0.1  # of the documents, by the hash of what they say; a dataset's own split goes first
    validation_rows: int = 64  # rows of context that validation reads, always the same ones


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """How a gradient becomes an update."""

    name: Literal["adamw", "muon"] = "muon"  # Muon moves the hidden matrices, AdamW always the rest
    learning_rate: float | None = None  # AdamW's peak; None: what suits the optimizer (optim.py)
    muon_learning_rate: float = 0.02
    weight_decay: float = 0.1  # of matrices; vectors, embeddings and decays have none
    beta1: float = 0.9
    beta2: float = 0.95
    clip: float = 1.0  # of the gradient's norm; 0 leaves it alone
    schedule: Literal["cosine", "wsd"] = "cosine"
    warmup_fraction: float = 0.03  # of the steps
    decay_fraction: float = 0.2  # of the steps, at the end of wsd
    floor: float = 0.05  # of the peak learning rate, where the decay ends


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How long, and what is looked at on the way."""

    steps: int | None = None  # None: from `epochs`
    epochs: float = 1.0  # passes over the training documents
    evaluate_every: int = 100  # steps
    checkpoint_every: int = 100  # steps
    patience: int = 3  # evaluations without a better one before it stops; 0 never stops early
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 on CUDA
    device: Literal["auto", "cpu", "cuda"] = "auto"
    sample_prompts: tuple[str, ...] = ()  # continued at each evaluation
    sample_bytes: int = 80


@dataclass(frozen=True, slots=True)
class RunConfig:
    """All of run.json."""

    out: str  # the folder of checkpoints and metrics; from run.json's folder on
    data: DataConfig
    model: ModelConfig = field(default_factory=ModelConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    seed: int = 0


def check(run: RunConfig) -> None:
    """Raises ConfigError for the first value that lies outside its range."""
    positive = [
        ("data", run.data, ("context", "batch", "accumulation", "validation_rows")),
        ("model", run.model, ("width", "layers", "head_width", "window", "states")),
        ("training", run.training, ("steps", "epochs", "evaluate_every", "checkpoint_every")),
        ("optimizer", run.optimizer, ("learning_rate", "muon_learning_rate")),
    ]
    for section, record, names in positive:
        for name in names:
            value = getattr(record, name)
            if value is not None and value <= 0:
                raise ConfigError(f"run.json: {section}: {name} must be above 0, not {value}.")
    fractions = [
        ("data", run.data, ("middle_fraction", "validation_fraction")),
        ("optimizer", run.optimizer, ("warmup_fraction", "decay_fraction", "floor", "beta1", "beta2")),
    ]
    for section, record, names in fractions:
        for name in names:
            value = getattr(record, name)
            if not 0.0 <= value < _UNFRACTIONED:
                raise ConfigError(f"run.json: {section}: {name} must be at least 0 and below 1, not {value}.")
    for section, name, value in [
        ("optimizer", "clip", run.optimizer.clip),
        ("optimizer", "weight_decay", run.optimizer.weight_decay),
        ("training", "patience", run.training.patience),
        ("model", "mlp_width", run.model.mlp_width or 0),
        ("seed", "seed", run.seed),
    ]:
        if value < 0:
            raise ConfigError(f"run.json: {section}: {name} must not be below 0, but is {value}.")


def read_run(path: Path) -> RunConfig:
    """The run that the file describes, its paths made absolute.

    Raises:
        ConfigError: the file cannot be read, is no JSON, or says something that cannot be meant.

    """
    try:
        run = parse(RunConfig, json.loads(path.read_bytes()), path.name)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); name a file that is there.") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}.") from error
    check(run)
    home = path.resolve().parent
    data = dataclasses.replace(run.data, path=str(home / run.data.path))
    return dataclasses.replace(run, out=str(home / run.out), data=data)
