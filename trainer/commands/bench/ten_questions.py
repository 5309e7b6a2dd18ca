"""`bench ten-questions`: how long ghost and ghost_memory take to answer ten questions exactly."""

import argparse
from typing import Any


def add(commands: Any) -> None:
    """The parser."""
    parser = commands.add_parser("ten-questions", help="ghost and ghost_memory learn ten questions, against the clock")
    parser.add_argument("--recipes", nargs="+", default=["ghost", "ghost_memory"], help="(default: ghost ghost_memory)")
    parser.add_argument("--seed", type=int, default=0)


def run(arguments: argparse.Namespace) -> int:
    """1 when an answer is missed."""
    from trainer.bench import ten_questions

    return ten_questions.main(arguments.recipes, arguments.seed)
