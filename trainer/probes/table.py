"""What the models learnt, as a Markdown table and as values that JSON knows; it computes nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from trainer.probes.learner import Learnt, Tested


@dataclass(frozen=True, slots=True)
class Line:
    """One training of one task."""

    task: str
    mixers: tuple[str, ...]
    learnt: Learnt


def table(lines: Sequence[Line]) -> str:
    """One row for each training, one column for each test length; guessing's share stands in parentheses."""
    return "\n".join(_rows(lines)) + "\n"


def document(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """The same for scripts."""
    return [asdict(line) for line in lines]


def _rows(lines: Sequence[Line]) -> Iterator[str]:
    lengths = sorted({tested.length for line in lines for tested in line.learnt.tested})
    figures = ["parameters", "seed", "steps", "seconds", "CPU s"]
    head = ["task", "mixers", *figures, *(f"{length} ids" for length in lengths)]
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for line in lines:
        by_length = {tested.length: _share(tested) for tested in line.learnt.tested}
        cells = [
            line.task,
            ", ".join(dict.fromkeys(line.mixers)),
            f"{line.learnt.parameters:,}",
            str(line.learnt.seed),
            str(line.learnt.steps),
            f"{line.learnt.seconds:.1f}",
            f"{line.learnt.cpu_seconds:.1f}",
            *(by_length.get(length, "–") for length in lengths),
        ]
        yield f"| {' | '.join(cells)} |"


def _share(tested: Tested) -> str:
    lured = "" if tested.lured is None else f", lured {tested.lured:.1%}"
    return f"{tested.right:.2%} ({tested.chance:.2g}{lured})"
