"""Whether a teacher's own answer to an exercise agrees with what execution gave; it evaluates literals only."""

import ast
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

from ghostd.core.canonical import decode

_RELATIVE = 1e-9  # the tolerance of the exams; below it two floats are one
_MINIMUM_DIGITS = 3  # significant digits from which a shorter answer counts as a rounding, not as another value


def contradicts(answer: str, value: str) -> bool:
    """True when `answer` is a literal that differs from the canonical `value`.

    An answer that is no literal says nothing. Sequences compare as sequences, numbers as numbers, and a
    float answer with at least three digits may be the value rounded to those digits.
    """
    try:
        stated = ast.literal_eval(answer.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return not _agrees(stated, decode(value))


def _agrees(stated: Any, found: Any) -> bool:  # noqa: PLR0911 - one return per pair of types
    match stated, found:
        case bool(), _:
            return stated is found
        case _, bool():
            return False
        case list() | tuple(), list() | tuple():
            return len(stated) == len(found) and all(_agrees(one, two) for one, two in zip(stated, found, strict=True))
        case dict(), dict():
            return stated.keys() == found.keys() and all(_agrees(stated[key], found[key]) for key in stated)
        case int() | float(), int() | float() | Fraction() | Decimal():
            return _same_number(stated, found)
        case set(), set() | frozenset():
            return bool(stated == found)
    return bool(type(stated) is type(found) and stated == found)


def _same_number(stated: float, found: float | Fraction | Decimal) -> bool:
    if stated == found:
        return True
    if isinstance(stated, int) and isinstance(found, int):
        return False
    try:
        exact = float(found)
    except OverflowError:
        return False
    if math.isclose(stated, exact, rel_tol=_RELATIVE, abs_tol=_RELATIVE):
        return True
    if isinstance(stated, int) or not math.isfinite(stated) or not math.isfinite(exact):
        return math.isnan(stated) and math.isnan(exact)
    _, digits, exponent = Decimal(repr(stated)).as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - a finite number's exponent is one
    rounded = len(digits) >= _MINIMUM_DIGITS and abs(stated - exact) <= 0.51 * 10.0**exponent
    return bool(rounded)
