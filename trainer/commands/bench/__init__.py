"""`bench WHAT`: benchmarks, one file each; correctness first, then the clock."""

import argparse
import sys
from typing import Any

from trainer import commands as all_commands


def add(commands: Any) -> None:
    """The parser, with one of its own for each benchmark."""
    parser = commands.add_parser("bench", help="correctness first, then the clock")
    all_commands.add_all(sys.modules[__name__], parser.add_subparsers(dest="benchmark", required=True))


def run(arguments: argparse.Namespace) -> int:
    """The benchmark's own exit code."""
    return all_commands.run(sys.modules[__name__], arguments.benchmark, arguments)
