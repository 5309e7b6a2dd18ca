"""The learning rate as a fraction of its peak: a pure function of the step."""

import math

from trainer.config import OptimizerConfig


def factor(step: int, steps: int, config: OptimizerConfig) -> float:
    """The fraction of the peak at `step`, counted from 0, of `steps`.

    It rises in a line, then falls along a cosine to the floor, or stays and falls in a line at the end
    (warm-up, stable, decay: Hu et al. 2024, MiniCPM, arXiv 2404.06395).
    """
    warmup = math.ceil(config.warmup_fraction * steps)
    if step < warmup:
        return (step + 1) / warmup
    if config.schedule == "cosine":
        done = (step - warmup) / max(1, steps - warmup)
        return config.floor + (1 - config.floor) * 0.5 * (1 + math.cos(math.pi * done))
    decay = max(1, math.ceil(config.decay_fraction * steps))
    left = min(1.0, (steps - step) / decay)
    return config.floor + (1 - config.floor) * left
