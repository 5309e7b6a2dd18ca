"""What linear algebra's functions must return, by other means: minors, traces, cross products, parabolas."""

import itertools
import math
from fractions import Fraction


def _pairs(values):
    return [[Fraction(value).numerator, Fraction(value).denominator] for value in values]


def _multiply(left, right):
    return [
        [sum(a * b for a, b in zip(row, column, strict=True)) for column in zip(*right, strict=True)] for row in left
    ]


def _solve(a, b, c, d):
    def solve(e, f):
        """By Cayley-Hamilton: the inverse is (trace·I - A) / determinant."""
        trace, determinant = a + d, a * d - b * c
        inverse = [[trace - a, -b], [-c, trace - d]]
        return _pairs(Fraction(value, determinant) for (value,) in _multiply(inverse, [[e], [f]]))

    return solve


def _matrix_power(a, b, c, d):
    def power(n):
        """Square and multiply."""
        if n == 0:
            return [[1, 0], [0, 1]]
        half = power(n // 2)
        square = _multiply(half, half)
        return _multiply(square, [[a, b], [c, d]]) if n % 2 else square

    return power


def _tridiagonal(diagonal, above, below):
    def determinant(n):
        """Leibniz' terms that are not zero: k disjoint neighbours swapped, the other places on the diagonal."""
        swaps = range(n // 2 + 1)
        return sum(math.comb(n - k, k) * diagonal ** (n - 2 * k) * (-above * below) ** k for k in swaps)

    return determinant


def _determinant(rows):
    """Faddeev and LeVerrier: the coefficients of the characteristic polynomial from traces."""
    return (-1) ** len(rows) * _characteristic(rows)[-1]


def _characteristic(rows):
    size = len(rows)
    coefficients, power = [Fraction(1)], [[Fraction(0)] * size for _ in range(size)]
    for k in range(1, size + 1):
        shifted = [[x + coefficients[-1] * (i == j) for j, x in enumerate(row)] for i, row in enumerate(power)]
        power = _multiply(rows, shifted)
        coefficients.append(-sum(power[i][i] for i in range(size)) / Fraction(k))
    return coefficients


def _characteristic_value(at):
    return lambda matrix: int(sum(c * at**k for k, c in enumerate(reversed(_characteristic(matrix)))))


def _rank(prime):
    def rank(matrix):
        """The size of the largest minor that is not zero modulo the prime."""
        height, width = len(matrix), len(matrix[0])
        for size in range(min(height, width), 0, -1):
            for rows in itertools.combinations(matrix, size):
                for columns in itertools.combinations(range(width), size):
                    if _determinant([[row[j] for j in columns] for row in rows]) % prime:
                        return size
        return 0

    return rank


def _cross(u, v):
    return [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]


def _across(v, x):
    """The part of x perpendicular to v, from the triple product v × (x × v)."""
    square = sum(p * p for p in v)
    return [Fraction(entry, square) for entry in _cross(v, _cross(x, v))]


def _projection(*v):
    return lambda x: _pairs(q - entry for q, entry in zip(x, _across(v, x), strict=True))


def _reflection(*v):
    return lambda x: _pairs(2 * entry - q for q, entry in zip(x, _across(v, x), strict=True))


def _rotation(cosine, sine, radius):
    def rotate(x, y, n):
        """De Moivre with the binomial theorem."""
        terms = [math.comb(n, k) * cosine ** (n - k) * sine**k for k in range(n + 1)]
        real = sum(term * (1, 0, -1, 0)[k % 4] for k, term in enumerate(terms))
        imaginary = sum(term * (0, 1, 0, -1)[k % 4] for k, term in enumerate(terms))
        scale = radius**n
        return _pairs([Fraction(x * real - y * imaginary, scale), Fraction(x * imaginary + y * real, scale)])

    return rotate


def _orthogonal_part(*weights):
    def part(u, v):
        """The shortest v - t·u: the vertex of the parabola through its squared lengths at t = -1, 0, 1."""

        def squared(t):
            return sum(w * (q - t * p) ** 2 for w, p, q in zip(weights, u, v, strict=True))

        bend = Fraction(squared(1) + squared(-1), 2) - squared(0)
        vertex = Fraction(squared(-1) - squared(1), 4) / bend
        return _pairs(q - vertex * p for p, q in zip(u, v, strict=True))

    return part


def _fit_line(*places):
    def fit(ys):
        """The slope is the mean of the slopes between pairs, weighed by their squared distances."""
        pairs = list(itertools.combinations(zip(places, ys, strict=True), 2))
        weight = sum((b[0] - a[0]) ** 2 for a, b in pairs)
        slope = sum(Fraction(b[1] - a[1], b[0] - a[0]) * (b[0] - a[0]) ** 2 for a, b in pairs) / weight
        residues = [y - slope * x for x, y in zip(places, ys, strict=True)]
        return _pairs([slope, sum(residues) / len(residues)])

    return fit


ORACLES = {
    "linear-systems": _solve,
    "matrix-powers": _matrix_power,
    "tridiagonal-determinants": _tridiagonal,
    "rank-modulo-prime": _rank,
    "characteristic-values": _characteristic_value,
    "projections-onto-lines": _projection,
    "reflections-in-planes": _reflection,
    "rational-rotations": _rotation,
    "weighted-gram-schmidt": _orthogonal_part,
    "least-squares-lines": _fit_line,
}
