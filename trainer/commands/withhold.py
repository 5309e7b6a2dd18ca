"""`withhold`: the lessons of a dataset without the questions that `eval` asks as new ones."""

import argparse
import sys
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """The parser."""
    parser = commands.add_parser("withhold", help="write a dataset's lessons without what `eval` asks as new")
    parser.add_argument("dataset", type=Path, help="a ghostd dataset")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write; name it as `data.path`")


def run(arguments: argparse.Namespace) -> int:
    """0 for done."""
    from trainer.evaluation.withhold import withhold

    counts = withhold(arguments.dataset, arguments.out)
    for suite, count in sorted(counts.items()):
        what = "kept" if suite == "seen" else "withheld"
        sys.stdout.write(f"{suite:<12}{count:>9,} rows {what}\n")
    return 0
