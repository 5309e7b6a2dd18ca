"""The journal in memory: runs of cycles and their decisions, as a test wants to look at them."""

from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class CycleRun:
    """One run of a cycle."""

    id: int
    cycle: str
    status: str  # running, ok, failed or interrupted
    reason: str
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a cycle decided, with the figures behind it."""

    cycle: str
    kind: str
    subject: str
    choice: str
    reason: dict[str, Any]


class MemoryJournal:
    """Implements ports.Journal."""

    def __init__(self) -> None:
        self.runs: dict[int, CycleRun] = {}
        self.decisions: list[Decision] = []

    async def start_run(self, cycle: str, reason: str) -> int:
        """Note that a cycle begins; the number of its run."""
        number = len(self.runs) + 1
        self.runs[number] = CycleRun(number, cycle, "running", reason)
        return number

    async def finish_run(self, run_id: int, status: str, counts: dict[str, int], reason: str) -> None:
        """Note how it ended. A run that is closed already stays as it is."""
        if self.runs[run_id].status == "running":
            self.runs[run_id] = replace(self.runs[run_id], status=status, counts=counts, reason=reason)

    async def record_decision(self, cycle: str, kind: str, subject: str, choice: str, reason: dict[str, Any]) -> None:
        """Note what a cycle decided, with the figures behind it."""
        self.decisions.append(Decision(cycle, kind, subject, choice, reason))
