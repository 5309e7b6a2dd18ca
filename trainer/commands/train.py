"""`train`: trains what a run.json describes, and resumes it where it was killed."""

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any


def add(commands: Any) -> None:
    """The parser."""
    parser = commands.add_parser("train", help="train what a run.json describes; resume it where it was killed")
    parser.add_argument("run", type=Path, help="the run.json")


def run(arguments: argparse.Namespace) -> int:
    """0 for done, 130 for a run that was interrupted and saved."""
    if "WORLD_SIZE" in os.environ:  # torch warns of a choice that spread.py explains, once in each process
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    from trainer.config import read_run
    from trainer.loop import train

    signals: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        if signals:
            raise KeyboardInterrupt  # asked twice: at once, back to the last checkpoint
        signals.append(number)  # and nothing is written here: the signal may have come in the middle of a line

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, remember)
    progress = train(read_run(arguments.run), _say, lambda: bool(signals))
    if progress.step == progress.steps or progress.stopped:
        _say(f"done with step {progress.step} of {progress.steps}")
        return 0
    _say(f"saved step {progress.step} of {progress.steps}; the same command goes on")
    return 130


def _say(line: str) -> None:
    if os.environ.get("RANK", "0") != "0":  # torchrun's name for this process's number: the first one speaks for all
        return
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
