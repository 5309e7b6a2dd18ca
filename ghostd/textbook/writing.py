"""Right lessons and exams for the entries of the catalogue; errors are put in elsewhere."""

import functools
import re
from collections.abc import Sequence
from typing import Any

from ghostd.core import syntax
from ghostd.core.lesson import Claim, Exam, Exercise, Lesson
from ghostd.textbook.catalogue.family import Entry, compiled

_NAME = re.compile(r"def\s+(\w+)")

# Put before a check whose expected value holds floats inside a container.
_CLOSE = """\
import math

def close(seen, expected):
    if isinstance(expected, float):
        return isinstance(seen, (int, float)) and math.isclose(seen, expected, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(expected, dict):
        same_keys = isinstance(seen, dict) and seen.keys() == expected.keys()
        return same_keys and all(close(seen[key], value) for key, value in expected.items())
    if isinstance(expected, (list, tuple)):
        return type(seen) is type(expected) and len(seen) == len(expected) and all(map(close, seen, expected))
    return seen == expected

"""


def function_name(entry: Entry) -> str:
    """The name of the function that the entry's code defines."""
    found = _NAME.search(entry.signature)
    if found is None:
        raise ValueError(f"{entry.title}: the signature {entry.signature!r} names no function")
    return found.group(1)


def evaluate(code: str, entry: Entry, arguments: str) -> Any:
    """What the code returns for arguments given as source. Only for the catalogue's own code, which is trusted."""
    name = function_name(entry)
    return eval(f"{name}({arguments})", {name: compiled(code, name)})  # noqa: S307 - the catalogue's own code


@functools.lru_cache(maxsize=8192)
def answers(code: str, signature: str, questions: tuple[str, ...]) -> tuple[str, ...]:
    """The code's answers as Python literals; recent ones are kept, because an exam and its repairs ask again."""
    name = _NAME.search(signature)
    function = compiled(code, name.group(1) if name else "")
    return tuple(repr(eval(f"f({arguments})", {"f": function})) for arguments in questions)  # noqa: S307 - as above


def write_lesson(entry: Entry, variant: int = 0) -> Lesson:
    """A right lesson; `variant` chooses among the paraphrases of the explanation."""
    solved = answers(entry.code, entry.signature, tuple(arguments for _, arguments in entry.exercises))
    return Lesson(
        explanation=entry.explanations[variant % len(entry.explanations)],
        code=entry.code,
        claims=tuple(Claim(text, check) for text, check in entry.claims),
        exercises=tuple(
            Exercise(question, arguments, answer)
            for (question, arguments), answer in zip(entry.exercises, solved, strict=True)
        ),
    )


def write_exam(entry: Entry, code: str = "") -> Exam:
    """One check for each of the entry's argument lists, with the values that the code, or else the right one, gives."""
    name = function_name(entry)
    expected = answers(code or entry.code, entry.signature, entry.exam)
    return Exam(
        tuple(_check(f"{name}({arguments})", value) for arguments, value in zip(entry.exam, expected, strict=True)),
        entry.properties,
    )


def _check(call: str, value: str) -> str:
    plain = syntax.literal(value)
    if isinstance(plain, float):
        return f"import math\nassert math.isclose({call}, {value}, rel_tol=1e-9, abs_tol=1e-9)"
    if _holds_float(plain):
        return f"{_CLOSE}assert close({call}, {value})"
    if plain is None or isinstance(plain, bool):
        return f"assert {call} is {value}"
    return f"assert {call} == {value}"


def _holds_float(value: Any) -> bool:
    inside: Sequence[Any] = (
        list(value.values()) if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    )
    return isinstance(value, float) or any(map(_holds_float, inside))
