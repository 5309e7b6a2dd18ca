"""A run's curves as a picture, `curves.png`, drawn from metrics.jsonl: losses, learning rate, gradient norm.

Without matplotlib there is no picture, and nothing else is missing.
"""

import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_SHARE: Final = 20.0  # a drawing may take one part in so many of the time
_SMOOTHING: Final = 50  # steps of the training loss that are averaged, or a tenth of what there are
_TRAINING, _VALIDATION, _FAINT = "#2a6f97", "#d1495b", "#a9cfe2"


@dataclass(slots=True)
class Curves:
    """Draws a run's picture anew when a checkpoint is written and the last drawing is some time ago."""

    folder: Path
    every: float  # seconds; 0 draws nothing
    _next: float = field(default_factory=time.monotonic)

    def after_checkpoint(self, *, last: bool) -> str:
        """Draws when it is due, or because it is the `last` time; returns why it cannot, or ''."""
        began = time.monotonic()
        if not self.every or (began < self._next and not last):
            return ""
        try:
            draw(self.folder)
        except ImportError as error:
            self.every = 0.0
            return f"no curves.png: {error}; install matplotlib for it"
        took = time.monotonic() - began
        self._next = began + max(self.every, _SHARE * took)
        return ""


def draw(folder: Path) -> Path:
    """Writes the folder's curves.png whole or not at all; returns its path.

    Raises:
        ImportError: matplotlib is not there.

    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    steps = [each for each in records if "loss" in each]
    looks = [each for each in records if "validation_loss" in each]
    figure = Figure(figsize=(9, 9), layout="constrained")
    FigureCanvasAgg(figure)
    loss, rate, norm = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1, 1.5))
    at = [each["step"] for each in steps]
    losses = [each["loss"] for each in steps]
    loss.plot(at, losses, color=_FAINT, linewidth=0.8)
    window = max(1, min(_SMOOTHING, len(losses) // 10))
    loss.plot(at, smoothed(losses, window), color=_TRAINING, label=f"training, mean of {window} steps")
    if looks:
        seen, values = [each["step"] for each in looks], [each["validation_loss"] for each in looks]
        loss.plot(seen, values, color=_VALIDATION, marker="o", markersize=3, label="validation")
        best = min(looks, key=lambda each: each["validation_loss"])
        said = (
            f"best: {best['validation_loss']:.3f} nats, {best['bits_per_byte']:.3f} bits per byte, step {best['step']}"
        )
        loss.axhline(best["validation_loss"], color=_VALIDATION, linewidth=0.6, linestyle=":", label=said)
    loss.set_ylabel("loss, nats for each id")
    loss.legend(loc="upper right", frameon=False)
    rate.plot(at, [each["rate"] for each in steps], color=_TRAINING)
    rate.set_ylabel("learning rate,\nfraction of its peak")
    rate.set_ylim(bottom=0)
    norm.plot(at, [each["gradient_norm"] for each in steps], color=_TRAINING, linewidth=0.8)
    if any(each["gradient_norm"] > 0 for each in steps):
        norm.set_yscale("log")
        norm.yaxis.set_major_formatter("{x:g}")
        norm.yaxis.set_minor_formatter("{x:g}")
    norm.set_ylabel("gradient norm,\nbefore clipping")
    norm.set_xlabel("step")
    for axes in (loss, rate, norm):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    aside, path = folder / f"curves-{os.getpid()}.partial", folder / "curves.png"
    with aside.open("wb") as file:
        figure.savefig(file, format="png")
    aside.replace(path)
    return path


def smoothed(values: Sequence[float], window: int) -> list[float]:
    """The mean of each value and those before it, `window` together at most; what is no number stays out."""
    means = []
    for end in range(1, len(values) + 1):
        known = [value for value in values[max(0, end - window) : end] if math.isfinite(value)]
        means.append(sum(known) / len(known) if known else math.nan)
    return means
