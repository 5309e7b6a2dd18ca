"""The part of linear algebra about orthogonality beyond the dot product: weighted Gram-Schmidt steps and least squares."""

import itertools
import math
from fractions import Fraction

from ghostd.textbook.catalogue._numerals import fraction_pairs
from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family


def _weighted_orthogonal(*weights: int) -> Entry:
    shown = ", ".join(map(str, weights))
    form = " + ".join(f"{w}·a{i}·b{i}" for i, w in enumerate(weights, 1))
    code = source(
        """
        from fractions import Fraction

        def orthogonal_part(u: list[int], v: list[int]) -> list[list[int]]:
            mixed = sum(w * p * q for w, p, q in zip(WEIGHTS, u, v))
            square = sum(w * p * p for w, p in zip(WEIGHTS, u))
            rest = [q - Fraction(mixed, square) * p for p, q in zip(u, v)]
            return [[entry.numerator, entry.denominator] for entry in rest]
        """,
        WEIGHTS=weights,
    )
    alternative = source(
        """
        from math import gcd

        def orthogonal_part(u: list[int], v: list[int]) -> list[list[int]]:
            def inner(a: list[int], b: list[int]) -> int:
                return FIRST * a[0] * b[0] + SECOND * a[1] * b[1] + THIRD * a[2] * b[2]

            square, mixed = inner(u, u), inner(u, v)
            rest = [square * q - mixed * p for p, q in zip(u, v)]
            return [[entry // gcd(entry, square), square // gcd(entry, square)] for entry in rest]
        """,
        FIRST=weights[0],
        SECOND=weights[1],
        THIRD=weights[2],
    )
    total = sum(weights)
    first = fraction_pairs([Fraction(int(i == 0)) - Fraction(weights[0], total) for i in range(3)])
    return Entry(
        title=f"Gram-Schmidt step with weights {shown}",
        statement=f"With the inner product <a, b> = {form}, return v minus its projection onto u: the part of v that is orthogonal to u. The integer vectors u and v have three entries and u is not zero. "
        "The result is a list of three reduced fractions [numerator, denominator] with positive denominators; zero is [0, 1].",
        signature=signature(code),
        explanations=(
            f"Subtract from v the multiple t of u that makes the rest orthogonal to u. The condition <u, v - t·u> = 0 gives t = <u, v>/<u, u>, where both products carry the weights {shown}.",
            f"Gram and Schmidt turn any basis into an orthogonal one by steps like this one. The weights {shown} change what 'perpendicular' means, so the ordinary dot product would leave a remainder that is "
            "not orthogonal in the sense that counts.",
            f"Scaling the coordinates by the square roots of {shown} would turn the weighted product into the usual one; the step would then be the familiar projection. "
            "Working with the weights directly avoids those roots and keeps everything rational.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                "A multiple of u has no orthogonal part.",
                "orthogonal_part([1, 2, -1], [3, 6, -3]) == [[0, 1], [0, 1], [0, 1]]",
            ),
            (
                f"For u = (1, 1, 1) and v = (1, 0, 0) the factor is {weights[0]}/{total}.",
                f"orthogonal_part([1, 1, 1], [1, 0, 0]) == {first}",
            ),
            (
                "The result is orthogonal to u under the weights.",
                f"(lambda r, k: sum(w * p * n * k // d for w, p, (n, d) in zip({weights}, [2, 1, 3], r)))(orthogonal_part([2, 1, 3], [1, 4, -1]), {sum(w * p * p for w, p in zip(weights, (2, 1, 3), strict=True))}) == 0",
            ),
        ),
        false_claims=(
            (
                "The weights cancel, so the ordinary dot product gives the same result.",
                "orthogonal_part([1, 1, 0], [1, -1, 0]) == [[1, 1], [-1, 1], [0, 1]] and orthogonal_part([1, 0, 1], [1, 0, -1]) == [[1, 1], [0, 1], [-1, 1]]",
            ),
        ),
        exercises=(
            ("What is the part of (1, 2, 3) orthogonal to (1, 1, 1)?", "[1, 1, 1], [1, 2, 3]"),
            ("What is the part of (0, 5, 0) orthogonal to (2, 1, 0)?", "[2, 1, 0], [0, 5, 0]"),
            ("What is the part of (1, 1, 1) orthogonal to (0, 0, 4)?", "[0, 0, 4], [1, 1, 1]"),
        ),
        exam=calls(
            ([1, 0, 0], [5, 2, 7]),
            ([1, 1, 1], [1, 0, 0]),
            ([1, 1, 1], [0, 1, 0]),
            ([1, 1, 1], [0, 0, 1]),
            ([1, 2, -1], [3, 6, -3]),
            ([2, 1, 3], [1, 4, -1]),
            ([1, -1, 0], [1, 1, 0]),
            ([0, 1, 2], [0, 0, 0]),
            ([3, 0, -2], [-1, 8, 4]),
            ([-5, 7, 1], [10, -3, 6]),
        ),
        wrong=slips(
            code,
            wrong_formula=("sum(w * p * p for", "sum(p * p for"),
            off_by_one=(f"zip({weights}, u, v)", f"zip({weights[1:]}, u[1:], v[1:])"),
            wrong_constant=(f"zip({weights}, u, v)", f"zip({(weights[0], weights[1], weights[2] + 1)}, u, v)"),
        ),
    )


def _least_squares(*places: int) -> Entry:
    shown = ", ".join(map(str, places))
    total, squares = sum(places), sum(x * x for x in places)
    spread = 3 * squares - total**2
    code = source(
        """
        from fractions import Fraction

        def fit_line(ys: list[int]) -> list[list[int]]:
            mixed = sum(x * y for x, y in zip(PLACES, ys))
            slope = Fraction(3 * mixed - TOTAL * sum(ys), SPREAD)
            intercept = (sum(ys) - slope * TOTAL) / 3
            return [[value.numerator, value.denominator] for value in (slope, intercept)]
        """,
        PLACES=places,
        TOTAL=total,
        SPREAD=spread,
    )
    alternative = source(
        """
        from fractions import Fraction

        def fit_line(ys: list[int]) -> list[list[int]]:
            centre, height = Fraction(sum(PLACES), 3), Fraction(sum(ys), 3)
            covariance = sum((x - centre) * (y - height) for x, y in zip(PLACES, ys))
            variance = sum((x - centre) ** 2 for x in PLACES)
            slope = covariance / variance
            return [list(value.as_integer_ratio()) for value in (slope, height - slope * centre)]
        """,
        PLACES=places,
    )
    bump = [Fraction(3 * places[1] - total, spread)]
    bump.append((1 - bump[0] * total) / 3)
    return Entry(
        title=f"Least-squares line through points at {shown}",
        statement=f"Three points have the abscissas {shown} and the integer ordinates ys = [y1, y2, y3]. Return [[p, q], [r, s]], where p/q is the slope and r/s the intercept of the line that minimises the sum of the squared "
        "vertical distances, both as reduced fractions with positive denominators; zero is [0, 1].",
        signature=signature(code),
        explanations=(
            f"Setting the derivatives of the squared error to zero gives two linear equations, the normal equations. With the abscissas {shown} their coefficients are 3, {total} and {squares}, "
            f"and the determinant is 3·{squares} - {total}² = {spread}.",
            f"The best line passes through the centre of gravity of the points, at x = {total}/3. Its slope is the covariance of x and y divided by the variance of x, because that makes the residuals uncorrelated with x.",
            f"Three equations for two unknowns usually have no exact solution, so the vector of ordinates is projected onto the plane spanned by (1, 1, 1) and ({shown}). "
            "The projection's coordinates in that plane are intercept and slope, and the rest is perpendicular to both.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                f"Points on y = 2x + 1 give slope 2 and intercept 1: ordinates {[2 * x + 1 for x in places]}.",
                f"fit_line({[2 * x + 1 for x in places]}) == [[2, 1], [1, 1]]",
            ),
            ("Equal ordinates give a level line.", "fit_line([7, 7, 7]) == [[0, 1], [7, 1]]"),
            (
                f"A bump of 1 at x = {places[1]} gives slope {bump[0]} and intercept {bump[1]}.",
                f"fit_line([0, 1, 0]) == {fraction_pairs(bump)}",
            ),
        ),
        false_claims=(
            (
                "The line simply joins the first and the last point, so a bump in the middle gives intercept 0.",
                "fit_line([0, 1, 0]) == [[0, 1], [0, 1]]",
            ),
        ),
        exercises=(
            ("Which line fits the ordinates 1, 2, 4?", "[1, 2, 4]"),
            ("Which line fits the ordinates 5, 0, 3?", "[5, 0, 3]"),
            ("Which line fits the ordinates 0, 0, 1?", "[0, 0, 1]"),
        ),
        exam=calls(
            [0, 0, 0],
            [1, 0, 0],
            [0, 1, 0],
            [0, 0, 1],
            [7, 7, 7],
            [1, 2, 4],
            [-3, 5, 2],
            [2 * x + 1 for x in places],
            [-x for x in places],
            [100, -250, 31],
        ),
        wrong=slips(
            code,
            wrong_formula=("3 * mixed", "mixed"),
            off_by_one=("* TOTAL) / 3".replace("TOTAL", str(total)), f"* {total}) / 2"),
            wrong_constant=(f"zip({places}, ys)", f"zip({(places[0], places[1], places[2] + 1)}, ys)"),
        ),
    )


FAMILIES: tuple[Family, ...] = (
    Family(
        "weighted-gram-schmidt",
        "linear-algebra",
        "Gram-Schmidt with weights",
        ("projections-onto-lines",),
        [w for w in itertools.product(range(1, 7), repeat=3) if math.gcd(*w) == 1 and len(set(w)) > 1],
        _weighted_orthogonal,
    ),
    Family(
        "least-squares-lines",
        "linear-algebra",
        "Least-squares lines",
        ("projections-onto-lines",),
        list(itertools.combinations(range(13), 3)),
        _least_squares,
    ),
)
