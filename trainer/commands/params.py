"""`params`: how many parameters a run.json's model has, counted and by formula."""

import argparse
import sys
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """The parser."""
    parser = commands.add_parser("params", help="how many parameters a run.json's model has, and of what")
    parser.add_argument("run", type=Path, help="the run.json")


def run(arguments: argparse.Namespace) -> int:
    """0 when the model was built as the formula says, 1 when not."""
    import torch

    from trainer.config import read_run
    from trainer.model import LanguageModel, count_parameters, expected_parameters
    from trainer.shape import shape_of

    config = read_run(arguments.run)
    shape = shape_of(config.model, config.data.context)
    with torch.device("meta"):  # counted without the memory of the weights
        counts = count_parameters(LanguageModel(shape))
    total, expected = sum(counts.values()), expected_parameters(shape)
    for name, count in counts.items():
        sys.stdout.write(f"{name:<12}{count:>16,}\n")
    sys.stdout.write(f"{'all':<12}{total:>16,}\n")
    sys.stdout.write(f"{'by formula':<12}{expected:>16,}\n")
    return 0 if total == expected else 1
