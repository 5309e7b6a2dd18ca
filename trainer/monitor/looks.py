"""What was measured at one step, and what is concluded from it: records that go to JSON and come back equal."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from trainer.monitor.watch import Measures


class Kind(StrEnum):
    """What can be wrong."""

    NOT_FINITE = "not finite"
    NOTHING_TO_LEARN = "nothing to learn"
    RATE_TOO_HIGH = "rate too high"
    RATE_TOO_LOW = "rate too low"
    TARGETS_UNPREDICTABLE = "targets unpredictable"
    OVERFIT = "overfit"
    STEPS_SATURATED = "steps saturated"
    STEPS_VANISHED = "steps vanished"
    DECAYS_DENORMAL = "decays denormal"
    DECAYS_COLLAPSED = "decays collapsed"
    STATE_EXPLODES = "state explodes"
    ATTENTION_COLLAPSED = "attention collapsed"
    SLOTS_DEAD = "slots dead"
    DEAD_UNITS = "dead units"
    LOGITS_SATURATED = "logits saturated"
    NO_GRADIENT = "no gradient"
    OUTLIERS = "outliers"
    OUTPUT_EXPLODES = "output explodes"
    WEIGHTS_EXPLODE = "weights explode"
    GRADIENT_DOMINATES = "gradient dominates"
    LOSS_SPIKE = "loss spike"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that is wrong, where, and what mends it."""

    component: str  # layers.3.mamba, or optimizer, data, loss
    kind: Kind
    because: str  # the figures
    remedy: str

    def line(self, step: int) -> str:
        """One line for the terminal."""
        return f"step {step}: {self.component}: {self.kind}: {self.because}; {self.remedy}"

    def record(self) -> dict[str, object]:
        """For diagnostics.jsonl."""
        return {
            "event": "diagnosis",
            "component": self.component,
            "kind": str(self.kind),
            "because": self.because,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True)
class Look:
    """All measures of one step. See watch.py, states.py, activations.py and gradients.py for their meaning."""

    step: int
    loss: float  # nats
    norm: float  # of the whole gradient
    schedule: float  # the fraction of the peak learning rate that the schedule means for the step
    parts: Mapping[str, Measures]  # of each component, in the order of the forward pass

    def value(self, part: str, measure: str) -> float | None:
        """A measure; None where the component has none of this name."""
        found = self.parts.get(part, {}).get(measure)
        return found if isinstance(found, float) else None

    def record(self) -> dict[str, Any]:
        """In terms of JSON, six digits of each number."""
        parts = {name: {key: _short(value) for key, value in found.items()} for name, found in self.parts.items()}
        return {"step": self.step, "loss": self.loss, "norm": self.norm, "schedule": self.schedule, "parts": parts}

    @staticmethod
    def of_record(record: Mapping[str, Any]) -> "Look":
        """The look whose `record` this is."""
        return Look(record["step"], record["loss"], record["norm"], record["schedule"], record["parts"])


def _short(value: float | list[float]) -> float | list[float]:
    return [float(f"{each:.6g}") for each in value] if isinstance(value, list) else float(f"{value:.6g}")
