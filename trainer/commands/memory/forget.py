"""`memory forget`: takes a fact out of a run's memory."""

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """The parser."""
    parser = commands.add_parser("forget", help="take a fact out of the memory")
    parser.add_argument("run", type=Path, help="the folder that a run wrote")
    parser.add_argument("question", help="of the fact, exactly")


def run(arguments: argparse.Namespace) -> int:
    """0, also where the fact was not there."""
    from trainer.generate import load_model
    from trainer.memory.facts import Facts
    from trainer.memory.saving import save

    model, _ = load_model(arguments.run)
    if isinstance(model.recall, Facts):
        model.recall.without([arguments.question])
        save(model, model.recall, arguments.run)
    return 0
