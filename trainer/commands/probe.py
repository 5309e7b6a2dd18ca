"""`probe TASK`: a small model learns a synthetic task on the fly and is tested, also at lengths that it never saw."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainer.probes.task import Learning, Task


def add(commands: Any) -> None:
    """The parser."""
    parser = commands.add_parser(
        "probe", help="a small model learns a synthetic task and is tested, also on longer rows"
    )
    parser.add_argument("task", help="mqar, passkey, copy, state-tracking, persistence or forgetting")
    parser.add_argument(
        "--variant", metavar="NAME", help="one of a probe's tasks, as its table names it (default: all)"
    )
    parser.add_argument("--model", metavar="RECIPE", help="the recipe whose mixers learn it (default: the probe's own)")
    parser.add_argument("--mixers", metavar="A,B", help="mixers by name, repeated over the layers")
    parser.add_argument("--width", type=int)
    parser.add_argument("--layers", type=int)
    parser.add_argument("--mlp-width", type=int, help="0 for none")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--batch", type=int, help="rows of the training length in one step")
    parser.add_argument("--length", type=int, help="ids of a training row")
    parser.add_argument("--test-lengths", metavar="N,N", help="ids of the test rows")
    parser.add_argument("--test-rows", type=int)
    parser.add_argument("--past", type=int, help="ids of the longest row whose end is learnt from; 0 for none")
    parser.add_argument("--enough", type=float, help="share of right answers that ends a training; above 1: none does")
    parser.add_argument("--optimizer", choices=["adamw", "muon"])
    parser.add_argument("--learning-rate", type=float, help="AdamW's peak")
    parser.add_argument("--seeds", type=int, default=1, help="trainings (default 1)")
    parser.add_argument("--first-seed", type=int, default=0, help="of the trainings (default 0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to a file")


def run(arguments: argparse.Namespace) -> int:
    """0 when every training reached what is enough at its own length, 1 when one did not."""
    from trainer.probes.learner import learn
    from trainer.probes.table import Line, document, table
    from trainer.probes.task import variants

    lines, enough = [], True
    for name, task in variants(arguments.task, only=arguments.variant).items():
        learning = recipe(task, arguments)
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            model, learnt = learn(task, learning, seed, _say)
            lines.append(Line(name, model.shape.mixers, learnt))
            enough &= learnt.reached >= min(1.0, learning.enough)
    sys.stdout.write(table(lines))
    if arguments.json:
        arguments.json.write_text(json.dumps(document(lines), indent=1) + "\n", encoding="utf-8")
    return 0 if enough else 1


def recipe(task: "Task", arguments: argparse.Namespace) -> "Learning":
    """The probe's own recipe with what the arguments say otherwise. Raises ConfigError for an unknown name."""
    learning = task.learning
    model = learning.model
    if arguments.model:
        model = dataclasses.replace(model, recipe=arguments.model, mixers=None)
    if arguments.width:
        model = dataclasses.replace(model, head_width=None)  # whatever divides the new width
    lengths = tuple(map(int, arguments.test_lengths.split(","))) if arguments.test_lengths else None
    model = _changed(
        model,
        mixers=tuple(arguments.mixers.split(",")) if arguments.mixers else None,
        width=arguments.width,
        layers=arguments.layers,
        mlp_width=arguments.mlp_width,
    )
    optimizer = _changed(learning.optimizer, name=arguments.optimizer, learning_rate=arguments.learning_rate)
    changed: Learning = _changed(
        learning,
        model=model,
        optimizer=optimizer,
        steps=arguments.steps,
        enough=arguments.enough,
        batch=arguments.batch,
        length=arguments.length,
        past=arguments.past,
        test_lengths=lengths,
        test_rows=arguments.test_rows,
    )
    return changed


def _changed(record: Any, **values: Any) -> Any:
    """The record with those values that were given."""
    return dataclasses.replace(record, **{name: value for name, value in values.items() if value is not None})


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
