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

Precision = Literal["auto", "float32", "bfloat16"]
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
    stride: int = 64  # of sparse attention: ids that it sees one by one, and from one landmark to the next
    landmarks: int = 256  # that sparse attention sees: it reaches back stride * landmarks ids
    landmark_places: bool = True  # landmarks are found by how far away they are too; without, by what they say alone
    ahead: int | None = None  # predictive heads; None: the recipe's number
    fact_slots: int | None = None  # of a fact memory, learnt in training; None: half as many as the width
    feed_forward: Literal["squared_relu", "swiglu"] | None = None  # but RWKV layers have their own; None: the recipe's
    norm: Literal["rms", "layer"] = "rms"  # of the residual stream before each part; RWKV's public layouts need "layer"
    logit_cap: float | None = None  # logits stay within it, smoothly; 0 for no cap; None: the recipe's
    query_key_norm: bool | None = None  # of attention; None: the recipe's
    head_states: int = 64  # of each channel in a head of a Mamba-2 layer
    reflections: Literal[0, 1, 2, 3, 4] = 0  # in a transition of RWKV-7 (layers/rwkv7.py); no public layout has them
    blend: float = 0.6  # of RWKV in a blended layer, between 0 and 1; the rest is Mamba's
    blend_learned: bool = False  # each blended layer learns its own, from `blend` on
    gamma: float = 0.01  # first scale of a blended layer's norm
    norm_groups: int | None = None  # of a blended layer's norm; None: as many as heads fit the width


@dataclass(frozen=True, slots=True)
class DataConfig:
    """What it learns from."""

    path: str  # a ghostd dataset, or any folder of text files; from run.json's folder on
    form: Literal["messages", "text"] = "messages"  # of a ghostd dataset: conversations, or plain documents
    context: int = 256  # ids of one row
    batch: int = 32  # rows of one forward pass, of all processes together
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
    precision: Precision = "auto"  # auto: what is measured to be faster (precision.py)
    sharded: bool = False  # under torchrun: each process keeps a part of the weights (FSDP2) and not a copy (DDP)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    diagnose_every: int = 8  # steps from one look of the diagnostics to the next; 0 leaves them out
    sample_prompts: tuple[str, ...] = ()  # continued at each evaluation
    sample_bytes: int = 80
    curves_every: float = 60.0  # seconds between two drawings of curves.png, and there is one at the end; 0: none
    ahead_weight: float = 0.2  # of the predictive heads' loss beside the next id's


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
        ("model", run.model, ("width", "layers", "head_width", "window", "states", "stride", "landmarks")),
        ("model", run.model, ("head_states", "gamma", "norm_groups")),
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
    if not 0.0 < run.model.blend < _UNFRACTIONED:
        raise ConfigError(f"run.json: model: blend must be above 0 and below 1, not {run.model.blend}.")
    for section, name, value in [
        ("optimizer", "clip", run.optimizer.clip),
        ("optimizer", "weight_decay", run.optimizer.weight_decay),
        ("training", "patience", run.training.patience),
        ("training", "curves_every", run.training.curves_every),
        ("training", "diagnose_every", run.training.diagnose_every),
        ("training", "ahead_weight", run.training.ahead_weight),
        ("model", "mlp_width", run.model.mlp_width or 0),
        ("model", "ahead", run.model.ahead or 0),
        ("model", "fact_slots", run.model.fact_slots or 0),
        ("model", "logit_cap", run.model.logit_cap or 0.0),
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
