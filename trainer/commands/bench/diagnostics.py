"""`bench diagnostics`: breaks training runs and counts what the diagnostics name; `--overhead` measures their cost."""

import argparse
import math
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """The parser."""
    parser = commands.add_parser("diagnostics", help="broken runs: are component and fault named; what does it cost")
    parser.add_argument("--models", default="", help="of trainer/bench/setups.py, or recipes for --overhead")
    parser.add_argument("--broken", type=int, default=6, help="runs of each fault, over the models (default 6)")
    parser.add_argument("--unbroken", type=int, default=170, help="runs over models and set-ups (default 170)")
    parser.add_argument("--first-seed", type=int, default=0, help="thresholds were chosen on seeds from 1000 on")
    parser.add_argument(
        "--results", type=Path, help="a file that outcomes are appended to; what it holds is not run again"
    )
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no run after so long")
    parser.add_argument("--overhead", action="store_true", help="measure the cost instead, side by side")
    parser.add_argument("--steps", type=int, default=32, help="of the overhead's two runs (default 32)")


def run(arguments: argparse.Namespace) -> int:
    """1 below a goal."""
    models = [name for name in arguments.models.split(",") if name]
    if arguments.overhead:
        from trainer.bench.overhead import main as measure

        return measure(models or ["transformer", "ghost"], arguments.steps)
    from trainer.bench.diagnostics import cases, main
    from trainer.bench.setups import MODELS

    planned = cases(models or list(MODELS), arguments.first_seed, arguments.broken, arguments.unbroken)
    return main(planned, arguments.results, arguments.seconds)
