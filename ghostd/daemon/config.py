"""How the daemon runs its work."""

from pydantic import BaseModel, ConfigDict, Field


class DaemonConfig(BaseModel):
    """Concurrency, timers and the end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    teacher_workers: int = Field(8, ge=1)
    """Jobs that may talk to the teacher at once."""
    sandbox_workers: int = Field(14, ge=1)
    """Lessons under verification at once; most of them wait for company in the shared replay."""
    grace_seconds: float = Field(30.0, ge=0)
    """How long SIGTERM waits for jobs in flight before they are handed back to the queue."""
    choose_every_seconds: float = Field(1.0, gt=0)
    explore_every_seconds: float = Field(2.0, gt=0)
    reverify_every_seconds: float = Field(600.0, gt=0)
    export_every_seconds: float = Field(300.0, gt=0)
    calibrate_every_seconds: float = Field(600.0, gt=0)
    """How often to ask whether the day's calibration is due."""
    train_every_seconds: float = Field(30.0, gt=0)
    """How often to ask whether a student is due, or waits to be resumed."""
    sweep_every_seconds: float = Field(20.0, gt=0)
    stalled_seconds: float = Field(45.0, gt=0)
    """Silence of a worker after which its jobs are given to another."""
