"""`bench ops`: every implementation of the operators, against the truth and against the clock."""

import argparse
from typing import Any


def add(commands: Any) -> None:
    """The parser."""
    parser = commands.add_parser("ops", help="the operators: every implementation against the truth, then the clock")
    parser.add_argument("--repetitions", type=int, default=7, help="timed calls of each implementation (default 7)")
    parser.add_argument("--without-loops", action="store_true", help="leave out the two loops, which take seconds")


def run(arguments: argparse.Namespace) -> int:
    """1 when an implementation is wrong."""
    from trainer.bench import ops

    return ops.main(arguments.repetitions, loops=not arguments.without_loops)
