"""Exact helpers that several oracles share: reduced pairs and Gaussian elimination in fractions; no oracles here."""

from fractions import Fraction

ORACLES = {}


def pair(value):
    """A number as [numerator, denominator] in lowest terms."""
    value = Fraction(value)
    return [value.numerator, value.denominator]


def solve(matrix, right):
    """The solution of a square regular linear system, exactly."""
    rows = [[Fraction(value) for value in row] + [Fraction(end)] for row, end in zip(matrix, right, strict=True)]
    size = len(rows)
    for pivot in range(size):
        swap = next(index for index in range(pivot, size) if rows[index][pivot])
        rows[pivot], rows[swap] = rows[swap], rows[pivot]
        rows[pivot] = [value / rows[pivot][pivot] for value in rows[pivot]]
        for index in range(size):
            factor = rows[index][pivot]
            if index != pivot and factor:
                rows[index] = [a - factor * b if b else a for a, b in zip(rows[index], rows[pivot], strict=True)]
    return [row[-1] for row in rows]
