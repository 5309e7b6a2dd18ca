"""Breaks small training runs on purpose and counts how often the diagnostics name the right component and fault.

Real runs of the real loop over the standard library's sources and documentation. A fault is named right when the first
diagnosis after it has its component and its kind; any diagnosis of an unbroken run, or before the fault, is a false
alarm. Outcomes are appended to a file, so that an interrupted bench goes on.
"""

import dataclasses
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TypeVar

from trainer.bench.faults import FAULTS
from trainer.bench.sabotage import Case, Outcome, outcome
from trainer.bench.setups import SETUPS, USUAL, corpora, shape
from trainer.bench.tally import reached, tables

_Value = TypeVar("_Value")


def cases(models: Sequence[str], first_seed: int, broken: int, unbroken: int) -> list[Case]:
    """So many runs of each fault, spread over the models that it fits, and so many unbroken ones, over all set-ups.

    They come in a shuffled order, so that an interrupted bench has a fair sample.
    """
    found: list[Case] = []
    for fault in FAULTS:
        fitting = _shuffled([model for model in models if fault.fits(model, shape(model))], fault.name)
        if fitting:
            found += [
                Case(fitting[number % len(fitting)], fault, USUAL, first_seed + number // len(fitting))
                for number in range(broken)
            ]
    ways = _shuffled(list(product(models, SETUPS)), "unbroken")
    for number in range(unbroken):
        model, setup = ways[number % len(ways)]
        found.append(Case(model, None, setup, first_seed + number // len(ways)))
    return _shuffled(found, "all")


def _shuffled(values: list[_Value], seed: str) -> list[_Value]:
    return random.Random(seed).sample(values, len(values))  # noqa: S311  # no secret


def _read(results: Path | None) -> dict[tuple[str, str, str, int], Outcome]:
    """What earlier benches left, by model, fault, set-up and seed."""
    if results is None or not results.exists():
        return {}
    found = []
    for line in results.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        found.append(Outcome(**{**record, "named": tuple(tuple(pair) for pair in record["named"])}))
    return {(each.model, each.fault, each.setup, each.seed): each for each in found}


def _append(results: Path | None, outcome: Outcome) -> None:
    if results is not None:
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dataclasses.asdict(outcome)) + "\n")


def main(planned: Sequence[Case], results: Path | None, seconds: float) -> int:
    """Runs what `results` does not hold yet, for at most so many seconds; prints the tables of all; 1 below a goal."""
    known = _read(results)
    found, left, end = [], 0, time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        documents = corpora(Path(folder) / "corpora")
        for case in planned:
            fault = case.fault.name if case.fault else ""
            each = known.get((case.model, fault, case.setup.name, case.seed))
            if each is None and time.monotonic() > end:
                left += 1
                continue
            if each is None:
                each = outcome(case, documents)
                _append(results, each)
            found.append(each)
    lines = tables(found)
    if left:
        lines.append(f"{left} runs are left; the same command goes on")
    sys.stdout.write("\n".join(lines) + "\n")
    return int(not reached(found))
