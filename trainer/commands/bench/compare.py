"""`bench compare`: recipes of equal size for equal seconds on the standard library's sources."""

import argparse
from pathlib import Path
from typing import Any, get_args


def add(commands: Any) -> None:
    """The parser."""
    parser = commands.add_parser(
        "compare", help="bits per byte at equal parameters and equal seconds; goes on if cut off"
    )
    models = ["transformer", "ghost", "groundthink", "mamba", "rwkv7"]
    parser.add_argument("--models", type=_words, default=models, help=f"recipes (default {','.join(models)})")
    parser.add_argument("--size", default="1M")
    parser.add_argument("--minutes", type=float, default=5.0, help="of training, each model and seed (default 5)")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="cpu: on a machine that is not idle")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--context", type=int, default=1024, help="ids of a training row (default 1024)")
    parser.add_argument("--batch", type=int, default=8, help="rows of a step (default 8)")
    parser.add_argument("--evaluate", type=_numbers, default=[256, 1024, 4096], help="lengths (default 256,1024,4096)")
    parser.add_argument("--held-out", type=int, default=1 << 17, help="ids of each evaluation (default 131072)")
    parser.add_argument("--rate", type=float, default=1.0, help="times the usual learning rates (default 1)")
    parser.add_argument("--threads", type=int, default=1, help="of each process (default 1)")
    parser.add_argument("--parallel", type=int, default=1, help="processes at a time (default 1)")
    parser.add_argument("--report", action="store_true", help="train nothing; print the table of what is there")
    parser.add_argument("--out", type=Path, default=Path("comparison"), help="the folder (default comparison)")


def run(arguments: argparse.Namespace) -> int:
    """1 when a model failed or the models cannot be compared."""
    from trainer.bench import compare
    from trainer.config import Size
    from trainer.errors import ConfigError

    if arguments.size not in get_args(Size):
        raise ConfigError(f"--size must be one of {', '.join(get_args(Size))}, not {arguments.size!r}.")
    plan = compare.Plan(
        models=tuple(arguments.models),
        seeds=arguments.seeds,
        size=arguments.size,
        seconds=60 * arguments.minutes,
        clock=arguments.clock,
        context=arguments.context,
        batch=arguments.batch,
        lengths=tuple(arguments.evaluate),
        held_out_ids=arguments.held_out,
        threads=arguments.threads,
        parallel=arguments.parallel,
        out=arguments.out.resolve(),
        rate=arguments.rate,
    )
    return compare.main(plan, report_only=arguments.report)


def _words(text: str) -> list[str]:
    return text.split(",")


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]
