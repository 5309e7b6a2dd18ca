"""Whether an answer says what was wanted: values as values, words without case and full stops; no model judges."""

import ast
import math
import re
from typing import Any, Final

_MARKERS: Final = re.compile(r"(?:the\s+)?(?:final\s+)?(?:answer|value|result)\s*(?:is|:|=)\s*", re.IGNORECASE)
_FENCES: Final = re.compile(r"```[a-z]*\n?|`|\*\*")
_CODE: Final = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)\n?```", re.DOTALL)
_LONGEST_VALUE: Final = 10_000  # characters that are tried as a Python value
_CLOSE: Final = 1e-9  # relative, of real numbers


def matches(given: str, wanted: str) -> bool:
    """Whether the whole answer, or what its last line says after "answer is", is the wanted one.

    Python values are compared as values (whole numbers exactly, real ones to 1e-9, true and 1 differ);
    everything else as text without case, quotes, Markdown, outer spaces and the final stop.
    """
    return any(_same(candidate, wanted) for candidate in _readings(given))


def normalised(text: str) -> str:
    """The answer as it is compared with others of the same question."""
    value = _value(text)
    return repr(value) if value is not None else _plain(text)


def code_of(text: str) -> str:
    """The first block of code, or all of the text where nothing is fenced."""
    block = _CODE.search(text)
    return block.group(1) if block else text


def _readings(given: str) -> list[str]:
    lines = [line for line in given.strip().splitlines() if line.strip()]
    if not lines:
        return []
    return [given, lines[-1], _MARKERS.split(lines[-1])[-1]]


def _same(given: str, wanted: str) -> bool:
    first, second = _value(given), _value(wanted)
    if first is not None and second is not None:
        return _equal(first, second)
    return _plain(given) == _plain(wanted)


def _plain(text: str) -> str:
    bare = " ".join(_FENCES.sub("", text).split()).casefold()
    return bare.rstrip(".!").strip("\"' ")


def _value(text: str) -> Any:
    """The Python value that the text spells, or None; the words true and false spell values too."""
    bare = _FENCES.sub("", text).strip()
    bare = {"true": "True", "false": "False"}.get(bare.rstrip(".!").casefold(), bare)
    bare = bare[:-1] if bare.endswith(".") and not bare.endswith("..") else bare
    if len(bare) > _LONGEST_VALUE:
        return None
    try:
        return ast.literal_eval(bare)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _equal(first: Any, second: Any) -> bool:
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    if isinstance(first, (int, float)) and isinstance(second, (int, float)):
        exact = isinstance(first, int) and isinstance(second, int)
        return first == second if exact else math.isclose(first, second, rel_tol=_CLOSE)
    if isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)):
        return len(first) == len(second) and all(map(_equal, first, second))
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_equal(first[key], second[key]) for key in first)
    return bool(first == second)
