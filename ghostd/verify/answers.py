"""Whether a teacher's own answer to an exercise agrees with what execution gave; it evaluates literals only."""

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from ghostd.core import syntax
from ghostd.core.canonical import decode

_RELATIVE = 1e-9  # the tolerance of the exams; below it two floats are one
_Number = int | float | Fraction | Decimal
_MINIMUM_DIGITS = 3  # significant digits from which a shorter answer counts as a rounding, not as another value


def contradicts(answer: str, value: str) -> bool:
    """True when `answer` is a literal that differs from the canonical `value`.

    An answer that is no literal says nothing. Sequences compare as sequences, numbers as numbers, and a
    float answer with at least three digits may be the value rounded to those digits.
    """
    try:
        stated = syntax.literal(answer.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return not _agrees(stated, decode(value), _rounds_to)


def same_value(one: str, other: str) -> bool:
    """Whether two canonical values are the same knowledge: floats within 1e-9, whatever kind of sequence or number
    holds them, sets and dicts in any order.
    """
    return one == other or _agrees(decode(one), decode(other), _is_close)


_Numbers = Callable[[Any, Any], bool]


def _agrees(stated: Any, found: Any, same: _Numbers) -> bool:
    match stated, found:
        case list() | tuple(), list() | tuple():
            pairs = zip(stated, found, strict=False)
            return len(stated) == len(found) and all(_agrees(one, two, same) for one, two in pairs)
        case dict(), dict():
            return stated.keys() == found.keys() and all(_agrees(stated[key], found[key], same) for key in stated)
        case int() | float() | Fraction() | Decimal(), int() | float() | Fraction() | Decimal():
            return same(stated, found)
        case complex(), complex():
            return same(stated.real, found.real) and same(stated.imag, found.imag)
        case set() | frozenset(), set() | frozenset():
            return bool(stated == found)
    return bool(type(stated) is type(found) and stated == found)


def _is_close(one: _Number, other: _Number) -> bool:
    """The same number, or two floats that no exam would tell apart; exact numbers have to be equal."""
    if one == other:
        return True
    if not isinstance(one, float) and not isinstance(other, float):
        return False
    try:
        close = math.isclose(one, other, rel_tol=_RELATIVE, abs_tol=_RELATIVE)
    except OverflowError:
        return False
    return close or (one != one and other != other)  # noqa: PLR0124 - only nan differs from itself


def _rounds_to(stated: float, found: _Number) -> bool:
    """Whether a stated number is the one that was found, in full or rounded to the digits that are shown."""
    if isinstance(stated, bool) or isinstance(found, bool):
        return stated is found
    close = _is_close(stated, found)
    if close or isinstance(stated, int):
        return close
    try:
        exact = float(found)
    except OverflowError:
        return False
    if not math.isfinite(stated) or not math.isfinite(exact):
        return False
    _, digits, exponent = Decimal(repr(stated)).as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - a finite number's exponent is one
    rounded = len(digits) >= _MINIMUM_DIGITS and abs(stated - exact) <= 0.51 * 10.0**exponent
    return bool(rounded)
