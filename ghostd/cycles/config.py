"""How eager the cycles are."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class CuriosityConfig(BaseModel):
    """What to learn about, and how far ahead."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seeds: tuple[str, ...] = ("basic math", "advanced mathematics", "physics", "computer science")
    """Fields to begin with; the teacher is asked for domains around them."""
    domains: int = Field(12, ge=1, le=1000)
    """How many domains to open."""
    backlog: int = Field(240, ge=2)
    """Open concepts to keep ready; curiosity refills them when half are left."""
    batch: int = Field(10, ge=1, le=100)
    """Concepts to ask for in one call."""


class DistillationConfig(BaseModel):
    """How much is learnt at a time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    in_flight: int = Field(24, ge=1)
    """Concepts between being chosen and being done."""
    repairs: int = Field(2, ge=0, le=10)
    """How often a rejected lesson goes back to the teacher with the reason."""


class ReverificationConfig(BaseModel):
    """How stored crystals are checked again. A changed sandbox or a failed sibling makes one due at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after_days: float = Field(7.0, gt=0)
    """Age of the last check at which a crystal is due."""
    risky_after_days: float = Field(2.0, gt=0)
    """The same for one that was verified weakly, or whose teacher failed repeatedly in its domain."""
    batch: int = Field(20, ge=1, le=1000)
    """Crystals to check in one run; daemon.reverify_every_seconds is the time between runs."""
    run_seconds: float = Field(300.0, gt=0)
    """After so long a run begins no further replay, so that new lessons find cells; what is left stays due."""


class CalibrationConfig(BaseModel):
    """How often the verifier is tested with items of known truth, and when it is believed no more."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    items_per_day: int = Field(60, ge=0)
    """Planted each day, most of them false; 0 turns the daily sample off."""
    at_once: int = Field(2, ge=1)
    """Items of the daily sample in the pipeline at once; few, so that it does not hold up learning."""
    window_days: float = Field(30.0, gt=0)
    """Runs within this time are judged together."""
    false_accept_bound: float = Field(0.01, gt=0, lt=1)
    """Share of false items that may be accepted; crystallisation pauses when it is shown to be more."""


class VersionsConfig(BaseModel):
    """When the daemon writes a dataset version by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every_crystals: int = Field(1000, ge=1)
    """New crystals after which a dataset version is written under the data directory; old versions are kept."""
    keep: int = Field(3, ge=1)
    """Versions to keep on disk."""


class TrainingConfig(BaseModel):
    """When and how the student is trained. It needs torch; without it, nothing is trained and a line says so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every_crystals: int = Field(1000, ge=0)
    """New crystals after which a new student is trained; 0 trains none but those of `ghostd train --now`."""
    recipe: str = Field("ghost", pattern=r"^[a-z0-9_]+$")
    """Named model of the trainer; `python -m trainer params` tells what each is made of."""
    size: Literal["1M", "6M", "25M", "125M", "350M", "1B"] = "1M"
    """How many parameters, about."""
    width: int | None = Field(None, ge=1)
    """Of the residual stream, where it is not to be as the size says."""
    layers: int | None = Field(None, ge=1)
    """Their number, where it is not to be as the size says."""
    steps: int = Field(2000, ge=1)
    """Updates of the weights; fewer when no better checkpoint comes."""
    hours: float = Field(1.0, gt=0)
    """Of training at most; the best checkpoint so far counts then."""
    context: int = Field(256, ge=16)
    """Bytes that are read at a time."""
    batch: int = Field(32, ge=1)
    """Rows of `context` bytes for one step."""
    exam_rows: int = Field(200, ge=1)
    """Held-out rows that every student is asked; fixed at the first training."""
    keep: int = Field(2, ge=1)
    """Folders of the newest students to keep on disk, beside the champion's."""
    threads: int = Field(0, ge=0)
    """Of the processor for the trainer; 0 takes half of them."""
    niceness: int = Field(10, ge=0, le=19)
    """How far training steps back behind everything else."""


class SelfDistillationConfig(BaseModel):
    """How a student makes questions of the ones that it knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pairs: int = Field(10, ge=2)
    """Known questions to begin with."""
    target: int = Field(1000, ge=1)
    """Verified variations at which it ends."""
    rounds: int = Field(8, ge=1)
    """Times at most that a student is taught, asked for variations, and its successor taught those too."""
    asked: int = Field(4800, ge=1)
    """Proposals to ask for in one round, at most: they cost little beside teaching a student."""
    temperatures: tuple[Annotated[float, Field(gt=0, le=2)], ...] = Field((1.0, 1.5, 2.0), min_length=1)
    """Of the proposals: higher ones are more various and less often numbers. Each form is asked at the one that brings
    the most that is new."""
    confidence: float = Field(-4.0, le=0)
    """Mean log-probability of its bytes, in nats, below which a proposal is not looked at; a byte drawn at random has
    -5.5."""
    held_out: int = Field(35, ge=1)
    """Variations of each form that are never taught, and measure what a student makes of what it was taught."""
    steps: int = Field(40, ge=1)
    """Of each student's training at least. A first student that trains longer knows its few lessons so well that it
    proposes nothing else."""
    passes: float = Field(3.0, gt=0)
    """Over all that a student is taught who is to propose, at least: few, for the same reason."""
    last_passes: float = Field(25.0, gt=0)
    """Over all questions, for the last student, who only answers. With ten it has not yet learnt what it is taught."""
    batch: int = Field(4, ge=1)
    """Rows of one step; the lessons of a first student fill about two."""
    width: int = Field(128, ge=8)
    layers: int = Field(4, ge=1)
