"""What diagnostics cost: two equal runs take turns step by step in one process, one watched and one not.

Two figures: how much more processor time the watched run takes, and how much of its time passes inside the observer.
The second needs no second run, so it is the steadier one on a busy machine.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from trainer.audience import Audience
from trainer.bench.setups import corpora
from trainer.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from trainer.metrics import Journals
from trainer.monitor.diagnostics import Diagnostics
from trainer.observer import Finding
from trainer.processes import joined
from trainer.step import take_step
from trainer.training import Training, prepare

_LIMIT: Final = 0.03


class Clocked(Diagnostics):
    """Counts the processor time that passes inside it."""

    seconds = 0.0

    def after_backward(self, *arguments: object) -> Sequence[Finding]:
        """See Observer."""
        begin = time.process_time()
        found = super().after_backward(*arguments)  # type: ignore[arg-type]  # handed on as they came
        self.seconds += time.process_time() - begin
        return found

    def after_step(self, *arguments: object) -> Sequence[Finding]:
        """See Observer."""
        begin = time.process_time()
        found = super().after_step(*arguments)  # type: ignore[arg-type]  # handed on as they came
        self.seconds += time.process_time() - begin
        return found


def main(recipes: Sequence[str], steps: int) -> int:
    """Prints a line for each recipe; 1 where the cost inside the observer is above 3 %."""
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder, joined() as processes:
        texts = corpora(Path(folder) / "corpora") / "text"
        for recipe in recipes:
            sides = []
            for name in ("plain", "watched"):
                run = RunConfig(
                    f"{folder}/{recipe}/{name}",
                    DataConfig(str(texts), form="text"),
                    ModelConfig(recipe=recipe),
                    training=TrainingConfig(steps, precision="float32", device="cpu"),
                )
                training = prepare(run, processes)
                sides.append((training, Audience(training, Journals(Path(run.out), 0), _silent)))
            watch = Clocked(sides[1][0])
            sides[1][0].observers.append(watch)
            plain, watched = _take_turns(sides, steps, watch)
            inside = watch.seconds / (watched - watch.seconds)
            worst = max(worst, inside)
            sys.stdout.write(
                f"{recipe:<14}1M, batch 32 of 256 ids, {steps} steps: {1e3 * plain / steps:.0f} ms a step without, "
                f"{1e3 * watched / steps:.0f} ms with ({watched / plain - 1:+.1%}); inside the observer {inside:.1%}\n"
            )
            for _, audience in sides:
                audience.journals.close()
    return int(worst > _LIMIT)


def _take_turns(sides: Sequence[tuple[Training, Audience]], steps: int, watch: Clocked) -> list[float]:
    """Processor seconds of each side; the first step of both, which warms up, is not counted."""
    spent = [0.0, 0.0]
    for step in range(steps + 1):
        for side, (training, audience) in enumerate(sides):
            begin = time.process_time()
            take_step(training, audience)
            spent[side] += time.process_time() - begin
        if step == 0:
            spent, watch.seconds = [0.0, 0.0], 0.0
    return spent


def _silent(_line: str) -> None:
    pass
