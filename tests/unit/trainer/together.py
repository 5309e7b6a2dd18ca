"""What each of several processes does: train the runs it is given in turn, `RUN` whole or `RUN@STEP` up to a step."""

import sys
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

from trainer.config import read_run
from trainer.loop import train
from trainer.processes import joined


def main(runs: list[str]) -> None:
    """Trains each; a later one begins when the earlier one has ended."""
    with joined():
        for run in runs:
            path, _, last = run.partition("@")
            train(read_run(Path(path)), print, partial(_reached, count(1), int(last or 0)))


def _reached(steps: Iterator[int], last: int) -> bool:
    return next(steps) == last


if __name__ == "__main__":
    main(sys.argv[1:])
