"""`memory list`: the facts of a run, and how often each was recalled before they were saved last."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """The parser."""
    parser = commands.add_parser("list", help="print the facts, one line of JSON each")
    parser.add_argument("run", type=Path, help="the folder that a run wrote")


def run(arguments: argparse.Namespace) -> int:
    """0, also where there is no fact."""
    from trainer.generate import load_model
    from trainer.memory.facts import Facts

    model, _ = load_model(arguments.run)
    if isinstance(model.recall, Facts):
        for fact, uses in zip(model.recall.facts, model.recall.uses, strict=True):
            row = {"question": fact.question, "answer": fact.answer, "topic": fact.topic, "uses": uses}
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    return 0
