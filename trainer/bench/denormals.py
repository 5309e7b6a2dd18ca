"""How much longer a pass takes when its gradients are denormal: one model in a process of its own; prints a factor.

Gradients of a loss scaled by 1e-36 lie below the smallest normal float32, 1.2e-38, as those do that decay over a long
sequence. Without flushing, processors take many times as long over such numbers.
"""

import math
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, cast

import torch

from trainer.bench.step import corpus, run_of
from trainer.config import Size
from trainer.processes import Processes
from trainer.processor import prepare_processor
from trainer.training import prepare

_ROWS, _CONTEXT = 12, 64
_SCALE: Final = 1e-36
_TURNS: Final = 12


def main(recipe: str, size: Size) -> int:
    """Prints the least processor time of a provoked pass over the least of a usual one."""
    prepare_processor()
    with tempfile.TemporaryDirectory() as temporary:
        run = run_of(recipe, size, _ROWS, _CONTEXT, corpus(Path(temporary) / "corpus"))
        training = prepare(run, Processes())
        batch = training.rows.take(training.lanes())
        for weight in training.model.parameters():  # layers begin at zero, and so would their gradients
            torch.nn.init.normal_(weight, std=0.02)
        least = {1.0: math.inf, _SCALE: math.inf}
        for _ in range(_TURNS):
            for scale, before in least.items():
                began = time.process_time()
                lost, _ = training.forward(batch, None)
                (lost * scale / batch.ids.numel()).backward()
                least[scale] = min(before, time.process_time() - began)
                training.model.zero_grad()
    sys.stdout.write(f"{least[_SCALE] / least[1.0]:.4f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], cast("Size", sys.argv[2])))
