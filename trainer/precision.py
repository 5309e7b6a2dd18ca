"""Which number format the forward passes use: asked for, or measured at the first step; then it is part of the run.

Autocast to bfloat16 pays on CUDA, and on processors that multiply bfloat16 matrices where these are wide: narrow ones
gain less than the conversions cost. Weights, gradients and the optimizer are float32 in both.
"""

import time
from dataclasses import replace
from typing import Final

import torch

from trainer.audience import Say
from trainer.data import Batch
from trainer.training import Training

_NARROW: Final = 128  # of the residual stream: below it nothing is measured, for nothing is to be gained
_IDS: Final = 2048  # of the pass that is timed
_TURNS: Final = 3  # each format has them in turn, and its figure is the least
_WORTH: Final = 1.1  # times as fast, or the digits that are lost are not worth it


def settle(training: Training, say: Say) -> None:
    """Chooses, where the run has not chosen yet, and says why; all processes of a run choose the same."""
    if training.progress.precision:
        say(f"{training.progress.precision}, as this run began")
        return
    asked = training.run.training.precision
    width = training.model.shape.width
    if asked != "auto":
        chosen, why = asked, "as run.json asks"
    elif training.device.type == "cuda":
        chosen, why = "bfloat16", "as is usual on CUDA"
    elif width < _NARROW:
        chosen, why = "float32", f"for matrices of width {width} are too narrow to gain from bfloat16"
    else:
        seconds = measured(training)
        times = seconds["float32"] / seconds["bfloat16"]
        chosen = "bfloat16" if times >= _WORTH else "float32"
        why = f"for bfloat16 was measured to be {times:.2f} times as fast; set training.precision to decide yourself"
    chosen, why = training.processes.told((chosen, why))
    training.progress = replace(training.progress, precision=chosen)
    say(f"{chosen}, {why}")


def measured(training: Training) -> dict[str, float]:
    """Seconds of a forward and a backward pass in either format; weights, data and random numbers stay as they are.

    Seconds are those of this process on the processor, so that other programs do not decide.
    """
    context = training.run.data.context
    rows = max(1, min(len(training.passes()[0]), _IDS // context))
    ids = torch.arange(rows * context, device=training.device).view(rows, context) % training.model.shape.vocabulary
    batch = Batch(ids, ids, torch.ones_like(ids, dtype=torch.float32), torch.zeros_like(ids))
    least = {"float32": float("inf"), "bfloat16": float("inf")}
    for turn in range(_TURNS + 1):
        for name, before in least.items():
            began = time.process_time()
            with torch.autocast(training.device.type, torch.bfloat16, enabled=name == "bfloat16"):
                lost, _ = training.forward(batch, None)
            lost.backward()
            if turn:  # the first one warms up
                least[name] = min(before, time.process_time() - began)
            training.model.zero_grad()
    return least
