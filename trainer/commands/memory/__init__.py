"""`memory WHAT`: the facts that a trained model was told afterwards, one file for each thing to do with them."""

import argparse
import sys
from typing import Any

from trainer import commands as all_commands


def add(commands: Any) -> None:
    """The parser, with one of its own for each thing to do."""
    parser = commands.add_parser("memory", help="tell a trained ghost_memory facts, without training")
    all_commands.add_all(sys.modules[__name__], parser.add_subparsers(dest="deed", required=True))


def run(arguments: argparse.Namespace) -> int:
    """The exit code of what was done."""
    return all_commands.run(sys.modules[__name__], arguments.deed, arguments)
