"""What several processes measured, each on its own rows, as one: means, and the worst of what must not happen."""

import math
from collections.abc import Sequence
from typing import Final

from trainer.monitor.watch import Measures

_WORST: Final = ("broken", "peak")
_ERRORS: Final = ("gain_error",)  # standard errors, which shrink as rows are added


def merged(found: Sequence[dict[str, Measures]]) -> dict[str, Measures]:
    """The measures of all rows, by component; every process has the same components and as many rows."""
    first, *others = found
    if not others:
        return first
    return {
        name: {key: _one(key, [each[name][key] for each in found]) for key in measures}
        for name, measures in first.items()
    }


def _one(name: str, values: Sequence[float | list[float]]) -> float | list[float]:
    lists = [value for value in values if isinstance(value, list)]
    if lists:
        return [sum(entries) / len(entries) for entries in zip(*lists, strict=True)]
    numbers = [value for value in values if isinstance(value, float)]
    if name in _WORST:
        return max(numbers)
    if name in _ERRORS:
        return math.sqrt(sum(number * number for number in numbers)) / len(numbers)
    return sum(numbers) / len(numbers)
