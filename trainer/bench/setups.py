"""What the bench of the diagnostics trains: small models of every kind, in set-ups that are in use, on two corpora."""

import ast
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from trainer.config import DataConfig, ModelConfig, OptimizerConfig, RunConfig, TrainingConfig
from trainer.shape import ModelShape, shape_of

_MODULES: Final = (
    "argparse ast bisect calendar cmd codecs colorsys configparser contextlib copy csv datetime difflib dis enum "
    "filecmp fnmatch fractions functools getopt gettext glob gzip heapq hmac inspect keyword linecache locale lzma "
    "numbers opcode operator optparse os pathlib pickle platform pprint profile pstats queue random reprlib sched "
    "selectors shelve shlex shutil site socket stat statistics string struct subprocess tempfile textwrap threading"
)
_CONTEXT: Final = 32  # ids
_SMALL: Final[dict[str, Any]] = {"width": 32, "layers": 2, "head_width": 16, "states": 4}
_THREE: Final[dict[str, Any]] = {**_SMALL, "layers": 3, "stride": 8}  # so that sparse attention is among them
MODELS: Final[dict[str, dict[str, Any]]] = {
    "transformer": {**_SMALL, "recipe": "transformer"},
    "mamba": {**_SMALL, "recipe": "mamba"},
    "hybrid": {**_SMALL, "mixers": ("mamba", "attention")},
    "llama": {**_SMALL, "recipe": "llama"},
    "mamba2": {**_SMALL, "recipe": "mamba2"},
    "rwkv6": {**_SMALL, "recipe": "rwkv6"},
    "rwkv7": {**_SMALL, "recipe": "rwkv7"},
    "groundthink": {**_SMALL, "recipe": "groundthink"},
    "ghost": {**_THREE, "recipe": "ghost"},
    "ghost_memory": {**_THREE, "recipe": "ghost_memory"},
}


@dataclass(frozen=True, slots=True)
class Setup:
    """How a run differs from the bench's usual one, section by section of its configuration."""

    name: str
    data: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    optimizer: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)


_ROWS_OF_TURNS: Final = {"form": "messages", "context": 64, "batch": 8}
USUAL: Final = Setup("usual")
SETUPS: Final = (
    USUAL,
    Setup("a third of the rates", optimizer={"learning_rate": 0.003, "muon_learning_rate": 0.006}),
    Setup("twice the rates", optimizer={"learning_rate": 0.02, "muon_learning_rate": 0.04}),
    Setup("AdamW alone", optimizer={"name": "adamw", "learning_rate": 0.002}),
    Setup("AdamW alone, twice the rate", optimizer={"name": "adamw", "learning_rate": 0.004}),
    Setup("warm-up over half of the steps", optimizer={"warmup_fraction": 0.5}),
    Setup("constant rate, late decay", optimizer={"schedule": "wsd"}),
    Setup("not clipped", optimizer={"clip": 0.0}),
    Setup("four passes a step", data={"batch": 4, "accumulation": 4}),
    Setup("small batches", data={"batch": 4}),
    Setup("states carried on", data={"carry_state": True}),
    Setup("holes to fill in", data={"middle_fraction": 0.5}),
    Setup("bfloat16", training={"precision": "bfloat16"}),
    Setup("240 steps", training={"steps": 240}),
    Setup("twice as wide, rows of 64", data={"context": 64, "batch": 8}, model={"width": 64}),
    Setup("conversations", data=_ROWS_OF_TURNS),
    Setup("conversations, questions learnt too", data={**_ROWS_OF_TURNS, "loss_on": "all"}),
)


def run_of(model: str, setup: Setup, corpora: Path, steps: int) -> RunConfig:
    """The run, still without its folder; `steps` unless the set-up has its own number."""
    data = {"form": "text", "context": _CONTEXT, "batch": 16, "validation_rows": 32, **setup.data}
    optimizer = {"learning_rate": 0.01, "muon_learning_rate": 0.02, **setup.optimizer}
    usual = {"steps": steps, "evaluate_every": 10, "checkpoint_every": 1000, "precision": "float32", "device": "cpu"}
    return RunConfig(
        "",
        DataConfig(str(corpora / data["form"]), **data),
        ModelConfig(**{**MODELS[model], **setup.model}),
        OptimizerConfig(**optimizer),
        TrainingConfig(**{**usual, "patience": 0, "curves_every": 0.0, **setup.training}),
    )


def shape(model: str) -> ModelShape:
    """The dimensions that the model has in the usual set-up."""
    return shape_of(ModelConfig(**MODELS[model]), _CONTEXT)


def corpora(folder: Path) -> Path:
    """Two folders in it: `text`, modules of the standard library, and `messages`, questions about what they hold."""
    (folder / "text").mkdir(parents=True)
    (folder / "messages").mkdir()
    with (folder / "messages" / "questions.jsonl").open("w", encoding="utf-8") as file:
        for module in _MODULES.split():
            source = Path(os.__file__).parent / f"{module}.py"
            shutil.copy(source, folder / "text")
            for turns in _conversations(module, source.read_text(encoding="utf-8")):
                file.write(json.dumps({"messages": turns}) + "\n")
    return folder


def _conversations(module: str, source: str) -> Iterator[list[dict[str, str]]]:
    """What each documented function and class of the module is for, asked and answered."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and (told := ast.get_docstring(node)):
            yield [
                {"role": "user", "content": f"What is {module}.{node.name}?"},
                {"role": "assistant", "content": told.split("\n\n")[0]},
            ]
