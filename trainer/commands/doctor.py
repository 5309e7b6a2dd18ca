"""`doctor`: which implementation of each operator runs here, and why."""

import argparse
from typing import Any


def add(commands: Any) -> None:
    """The parser."""
    commands.add_parser("doctor", help="which implementation of each operator runs here, and why")


def run(_arguments: argparse.Namespace) -> int:
    """0: a slower implementation is no failure."""
    from trainer import doctor

    return doctor.main()
