"""One model, one seed, a budget of seconds: trains until the clock has run out, then pays for the held-out bytes.

The learning rate follows the clock, not a number of steps: at half of the seconds it is where half of the steps would
have it, so a faster model takes more steps and every model ends its schedule. Seconds of evaluation and of saving are
not counted. A run that is cut off goes on from its last checkpoint.

    python -m trainer.bench.contest CONTEST.json
"""

import dataclasses
import hashlib
import json
import math
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import torch

from trainer import checkpoint
from trainer.audience import Audience
from trainer.config import RunConfig
from trainer.data import Batch, validation_batches
from trainer.evaluate import evaluate
from trainer.metrics import MutedJournals
from trainer.model import count_parameters
from trainer.processes import Processes
from trainer.processor import prepare_processor
from trainer.records import parse, plain
from trainer.step import take_step
from trainer.training import Training, prepare, resume, save

_SAVED_EVERY: Final = 30.0  # seconds
_MANY: Final = 1_000_000  # steps, as long as none was timed: the learning rate warms up from near 0


@dataclass(frozen=True, slots=True)
class Contest:
    """What one process does."""

    run: RunConfig
    seconds: float  # of training
    clock: Literal["wall", "cpu"]  # cpu: of all threads together, for machines that do other things too
    lengths: tuple[int, ...]  # ids of the rows that are evaluated
    held_out_ids: int  # of each evaluation, the same ones at every length
    result: str  # the file that is written in the end


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it."""

    recipe: str
    seed: int
    parameters: int
    steps: int
    ids: int  # that were trained on
    seconds: float
    bits_per_byte: dict[str, float]  # by the rows' length
    held_out: dict[str, str]  # by the rows' length: SHA-256 of what was predicted
    loss: float  # of the last step, in nats


def compete(contest: Contest) -> Result:
    """Trains, evaluates, writes the result's file; a cut-off run goes on. Raises TrainerError as `prepare` does."""
    prepare_processor()
    training = prepare(contest.run, Processes())
    spent, loss = _train(training, contest)
    scores, hashes = {}, {}
    for length in contest.lengths:
        batches = held_out(training, contest, length)
        scores[str(length)] = evaluate(training.model, batches, training.device, training.precision()).bits_per_byte
        hashes[str(length)] = _sha256(batches)
    run = contest.run
    result = Result(
        run.model.recipe,
        run.seed,
        sum(count_parameters(training.model).values()),
        training.progress.step,
        training.progress.step * len(training.lanes()) * run.data.context,
        spent,
        scores,
        hashes,
        loss,
    )
    path = Path(contest.result)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".partial")
    aside.write_text(json.dumps(plain(result), indent=1) + "\n", encoding="utf-8")
    aside.replace(path)
    return result


def _train(training: Training, contest: Contest) -> tuple[float, float]:
    """The seconds that were spent, and the last loss."""
    folder = Path(contest.run.out)
    clock_file = folder / "clock.json"
    now = time.process_time if contest.clock == "cpu" else time.perf_counter
    spent, loss = 0.0, math.nan
    if checkpoint.exists(folder / "checkpoints", "last") and clock_file.exists():
        resume(training, folder / "checkpoints")
        spent, loss = json.loads(clock_file.read_bytes())
    audience = Audience(training, MutedJournals(), print)
    saved, parent = spent, os.getppid()
    while spent < contest.seconds:
        if os.getppid() != parent:
            sys.exit("Who asked for the result is gone; the same command goes on from the last checkpoint.")
        began = now()
        step = training.progress.step
        steps = max(step + 1, round(step * contest.seconds / spent)) if step else _MANY
        training.progress = dataclasses.replace(training.progress, steps=steps)
        loss = take_step(training, audience).loss
        spent += now() - began
        if spent - saved >= _SAVED_EVERY:
            save(training, improved=False)
            clock_file.write_text(json.dumps([spent, loss]), encoding="utf-8")
            saved = spent
    return spent, loss


def held_out(training: Training, contest: Contest, length: int) -> list[Batch]:
    """Rows of `length` ids over the same held-out documents; as many ids in a forward pass as in training."""
    data = contest.run.data
    rows = max(1, data.batch * data.context // length)
    config = dataclasses.replace(data, context=length, batch=rows, validation_rows=contest.held_out_ids // length)
    return validation_batches(training.splits.validation, config)


def _sha256(batches: list[Batch]) -> str:
    """Of the targets that count, one after another: equal for every length that reads the same bytes."""
    targets = [batch.targets[batch.weights > 0] for batch in batches]
    return hashlib.sha256(torch.cat(targets).numpy().tobytes()).hexdigest()


def main(path: Path) -> int:
    """Reads the contest and takes part."""
    result = compete(parse(Contest, json.loads(path.read_bytes()), path.name))
    scores = ", ".join(f"{length}: {score:.4f}" for length, score in result.bits_per_byte.items())
    print(f"{result.recipe} seed {result.seed}: {result.steps} steps, {scores} bits per byte")  # noqa: T201  # its output
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
