"""Writes numbers the way titles, formulas and results need them; it computes nothing."""

from collections.abc import Iterable
from fractions import Fraction


def spoken(number: int) -> str:
    """The number with its sign in words, because a concept's slug drops the minus sign."""
    return f"minus {-number}" if number < 0 else str(number)


def signed(number: int) -> str:
    """The number as the next term of a sum: '+ 3' or '- 3'."""
    return f"- {-number}" if number < 0 else f"+ {number}"


def fraction_pairs(values: Iterable[Fraction]) -> list[list[int]]:
    """Each fraction as [numerator, denominator], reduced, with a positive denominator."""
    return [[value.numerator, value.denominator] for value in values]
