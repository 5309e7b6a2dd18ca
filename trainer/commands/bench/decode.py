"""`bench decode`: every decoder against the model's own step and against the clock."""

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """The parser."""
    parser = commands.add_parser("decode", help="decoding: every decoder against the model's step, then the clock")
    parser.add_argument("--run", type=Path, help="a trained run (default: drawn models of about 12 million parameters)")
    parser.add_argument("--text", type=Path, help="of prompts and losses (default: a module of the standard library)")
    parser.add_argument("--models", default="", help="recipes of the drawn models, as A,B (default: all)")
    parser.add_argument(
        "--bytes", type=int, default=2000, help="that each decoder writes; eager a tenth (default 2000)"
    )
    parser.add_argument("--long", type=int, default=0, help="bytes over which memory is watched (default 0: not)")


def run(arguments: argparse.Namespace) -> int:
    """1 when a decoder is wrong."""
    from trainer.bench import decode

    names = [name for name in arguments.models.split(",") if name]
    return decode.main(arguments.run, names, arguments.text, count=arguments.bytes, long=arguments.long)
