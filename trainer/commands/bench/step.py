"""`bench step`: the training step of every recipe, side by side."""

import argparse
from typing import Any


def add(commands: Any) -> None:
    """The parser."""
    parser = commands.add_parser("step", help="the training step of every recipe: do they learn, then the clock")
    parser.add_argument("--models", default="", help="recipes, with commas between them (default: all)")
    parser.add_argument("--size", default="1M", help="of the models (default 1M)")
    formats = ("float32", "bfloat16")
    parser.add_argument("--precision", choices=formats, help="of the passes (default: both, one after the other)")
    parser.add_argument("--turns", type=int, default=3, help="turns of each model (default 3)")
    parser.add_argument("--steps", type=int, default=3, help="steps of a turn (default 3)")
    parser.add_argument("--denormals", default="transformer,mamba,ghost", help="recipes to provoke; '' for none")


def run(arguments: argparse.Namespace) -> int:
    """1 when a model fails the gate."""
    from trainer.bench import step
    from trainer.config import Precision

    chosen = [name for name in arguments.models.split(",") if name]
    provoked = [name for name in arguments.denormals.split(",") if name]
    precisions: tuple[Precision, ...] = (arguments.precision,) if arguments.precision else ("float32", "bfloat16")
    return step.main(
        chosen,
        size=arguments.size,
        turns=arguments.turns,
        steps=arguments.steps,
        provoked=provoked,
        precisions=precisions,
    )
