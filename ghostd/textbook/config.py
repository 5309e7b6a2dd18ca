"""The settings of the textbook teacher; which faults it commits is decided in `faults`."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ghostd.textbook.faults import CATCHABLE, FaultKind, FaultPlan
from ghostd.textbook.styles import Style

Rate = Annotated[float, Field(ge=0.0, le=1.0)]


class TextbookConfig(BaseModel):
    """How the textbook errs. By default it does not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    always: bool = False  # use it without looking for an LLM first
    seed: int = 0  # of every draw: the same seed commits the same faults
    fault_rate: Rate = 0.0  # share of concepts with a fault, spread evenly over all catchable kinds
    faults: dict[FaultKind, Rate] = Field(default_factory=dict)  # share per kind; added to the spread one
    repair_rate: Rate = 0.5  # chance that one repair request mends a fault
    retry_after_seconds: int = Field(default=1, ge=0)  # named by http_429
    slow_seconds: float = Field(default=2.0, ge=0.0)  # how long slow_tokens takes over an answer
    style: Style = Style.PLAIN  # of right code, wherever it can be written so

    @model_validator(mode="after")
    def _rates_are_shares(self) -> Self:
        if (total := sum(self.rates().values())) > 1.0 + 1e-9:
            raise ValueError(
                f"fault rates add up to {total:.3f}, more than 1; lower textbook.fault_rate or textbook.faults"
            )
        return self

    def rates(self) -> dict[FaultKind, float]:
        """Share of concepts per fault kind."""
        even = self.fault_rate / len(CATCHABLE)
        return {kind: self.faults.get(kind, 0.0) + (even if kind in CATCHABLE else 0.0) for kind in FaultKind}

    def plan(self) -> FaultPlan:
        """The faults that a teacher with these settings commits."""
        return FaultPlan(self.seed, self.rates(), self.repair_rate, self.style)
