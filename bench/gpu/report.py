"""What a stage found: rows that can be judged, written as a Markdown table and as JSON; it runs nothing."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

Verdict = Literal["ok", "FAILED", "measured", "not here"]


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was looked at."""

    subject: str  # an operator, a model, a tool
    what: str
    verdict: Verdict  # `measured` and `not here` say nothing about right or wrong
    seen: str
    figures: dict[str, float] = field(default_factory=dict)


def judged(subject: str, what: str, held: bool, seen: str, **figures: float) -> Row:
    """A row that is either ok or FAILED."""
    return Row(subject, what, "ok" if held else "FAILED", seen, figures)


def measured(subject: str, what: str, seen: str, **figures: float) -> Row:
    """A figure without a limit."""
    return Row(subject, what, "measured", seen, figures)


def missing(subject: str, what: str, why: str) -> Row:
    """What this machine does not have."""
    return Row(subject, what, "not here", why)


def table(rows: Iterable[tuple[str, Row]]) -> str:
    """Markdown, a line for each row."""
    lines = ["| stage | subject | what | verdict | seen |", "|---|---|---|---|---|"]
    for stage, row in rows:
        seen = row.seen.replace("|", "/").replace("\n", " ")[:300]
        lines.append(f"| {stage} | {row.subject} | {row.what} | {row.verdict} | {seen} |")
    return "\n".join(lines)


def write(rows: Iterable[Row], path: Path) -> None:
    """As JSON, for another process."""
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> list[Row]:
    """What `write` wrote; none where the file is not there."""
    return [Row(**row) for row in json.loads(path.read_bytes())] if path.exists() else []
