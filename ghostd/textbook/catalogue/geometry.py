"""Geometry: points, lines and transformations of the plane (this file), figures and solids beside it."""

from math import gcd

from ghostd.core.concept import Domain
from ghostd.textbook.catalogue._geometry_figures import FAMILIES as _FIGURES
from ghostd.textbook.catalogue._geometry_solids import FAMILIES as _SOLIDS
from ghostd.textbook.catalogue._source import calls, signature, slips, source, spoken
from ghostd.textbook.catalogue.family import Entry, Family

DOMAIN = Domain(
    "geometry",
    "Geometry",
    "Distances, transformations, incidence, lattice points, areas and volumes in the plane, in space and on the sphere.",
)


def _line(a: int, b: int, c: int) -> str:
    """The line a·x + b·y = c as it is written by hand."""
    first = {1: "x", -1: "-x"}.get(a, f"{a}x")
    second = {1: "y", -1: "y"}.get(b, f"{abs(b)}y")
    return f"{first} {'+' if b > 0 else '-'} {second} = {c}"


def _minkowski(order: int, across: int, up: int) -> Entry:
    code = source(
        """
        def distance(first: list[int], second: list[int]) -> float:
            across = abs(first[0] - second[0]) ** ORDER
            up = abs(first[1] - second[1]) ** ORDER
            return float((ACROSS * across + UP * up) ** (1 / ORDER))
        """,
        ORDER=order,
        ACROSS=across,
        UP=up,
    )
    alternative = source(
        """
        def distance(first: list[int], second: list[int]) -> float:
            steps = [abs(a - b) * weight ** (1 / ORDER) for a, b, weight in zip(first, second, (ACROSS, UP))]
            longest = max(steps)
            return longest * sum((step / longest) ** ORDER for step in steps) ** (1 / ORDER) if longest else 0.0
        """,
        ORDER=order,
        ACROSS=across,
        UP=up,
    )
    return Entry(
        title=f"Minkowski distance of order {order} with weights {across} and {up}",
        statement=f"For two points of the plane, each a list [x, y] of integers, return the weighted Minkowski distance of order {order}: the {order}th root of "
        f"{across}·|x1 - x2|^{order} + {up}·|y1 - y2|^{order}, as a float.",
        signature=signature(code),
        properties=(
            "import math\nassert math.isclose(distance(first, second), distance(second, first), rel_tol=1e-9, abs_tol=1e-9)",
        ),
        explanations=(
            f"Take the coordinate differences without sign, raise them to the power {order}, weight them with {across} and {up}, add, and undo the power with the {order}th root. The root is what makes the result scale like a length.",
            f"The order {order} decides how strongly the larger difference dominates: order 2 is the Euclidean way of adding, and ever higher orders approach the maximum. The weights {across} and {up} stretch the axes first.",
            f"All points at distance one from the origin form a stretched superellipse of exponent {order}. Doubling both differences doubles the distance, since the factor 2^{order} under the root comes out as 2; the triangle inequality is Minkowski's theorem.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("The distance of a point to itself is zero.", "distance([3, -4], [3, -4]) == 0"),
            ("It is symmetric.", "distance([1, 7], [4, -2]) == distance([4, -2], [1, 7])"),
            (
                f"Along the first axis a unit step is the {order}th root of {across} long.",
                f"abs(distance([0, 0], [1, 0]) ** {order} - {across}) < 1e-9",
            ),
        ),
        false_claims=(
            (
                "The distance is the sum of the distances along the axes.",
                "abs(distance([0, 0], [3, 4]) - distance([0, 0], [3, 0]) - distance([0, 0], [0, 4])) < 1e-9",
            ),
        ),
        exercises=(
            ("How far is (3, 4) from the origin?", "[0, 0], [3, 4]"),
            ("How far apart are (1, 2) and (-2, 7)?", "[1, 2], [-2, 7]"),
            ("How far apart are (5, 5) and (5, -1)?", "[5, 5], [5, -1]"),
        ),
        exam=calls(
            ([0, 0], [0, 0]),
            ([0, 0], [1, 0]),
            ([0, 0], [0, 1]),
            ([1, 2], [-2, 7]),
            ([3, 4], [0, 0]),
            ([5, 5], [5, -1]),
            ([-3, -8], [2, -1]),
            ([10, 1], [1, 30]),
        ),
        wrong=slips(
            code,
            wrong_formula=(f" ** (1 / {order})", ""),
            off_by_one=(f"(1 / {order})", f"(1 / {order + 1})"),
            wrong_constant=(f"{across} * across", f"{across + 1} * across"),
        ),
    )


def _reflection(a: int, b: int, c: int) -> Entry:
    norm, line = a * a + b * b, _line(a, b, c)
    code = source(
        """
        from fractions import Fraction

        def reflect(x: int, y: int) -> list[list[int]]:
            shift = Fraction(2 * (AA * x + BB * y - CC), NORM)
            image = (x - AA * shift, y - BB * shift)
            return [[value.numerator, value.denominator] for value in image]
        """,
        AA=a,
        BB=b,
        CC=c,
        NORM=norm,
    )
    alternative = source(
        """
        from fractions import Fraction

        def reflect(x: int, y: int) -> list[list[int]]:
            start_x, start_y = Fraction(AA * CC, NORM), Fraction(BB * CC, NORM)
            along = Fraction(-BB * (x - start_x) + AA * (y - start_y), NORM)
            foot_x, foot_y = start_x - BB * along, start_y + AA * along
            image = (2 * foot_x - x, 2 * foot_y - y)
            return [[value.numerator, value.denominator] for value in image]
        """,
        AA=a,
        BB=b,
        CC=c,
        NORM=norm,
    )
    foot = f"[[x, 1], [y, 1]] == reflect(x, y) for x, y in [({c * _bezout(a, b)[0]}, {c * _bezout(a, b)[1]})]"
    return Entry(
        title=f"Reflection in the line {spoken(line)}",
        statement=f"Reflect the point (x, y), both integers, in the line {line}. Return the image as [[numerator, denominator], [numerator, denominator]] for its two coordinates, in lowest terms with positive denominators.",
        signature=signature(code),
        explanations=(
            f"The vector ({a}, {b}) is perpendicular to the line {line}. The value {a}·x + {b}·y - {c} over {norm} says how many normal vectors the point is away; walking back twice that many lands on the mirror image.",
            f"Drop a perpendicular onto {line}: its foot lies halfway between a point and its image. So subtract the offset along ({a}, {b}) once to reach the foot and once more to reach the image; dividing by {norm} = {a}² + {b}² normalises.",
            f"A reflection fixes the points of its axis and flips the direction across it. Splitting a point into parts along and across the axis, and changing the sign of the part across, keeps all distances; the part across is measured with the equation {line} itself.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("A point of the line stays where it is.", f"all({foot})"),
            (
                "Reflecting and adding gives twice the foot, which satisfies the equation of the line.",
                f"all({a} * (5 * q + p) * s + {b} * (2 * s + r) * q == 2 * {c} * q * s for (p, q), (r, s) in [reflect(5, 2)])",
            ),
            (
                "Distances are kept: the images of the origin and of (1, 0) are one apart.",
                "abs((reflect(1, 0)[0][0] / reflect(1, 0)[0][1] - reflect(0, 0)[0][0] / reflect(0, 0)[0][1]) ** 2 + (reflect(1, 0)[1][0] / reflect(1, 0)[1][1] - reflect(0, 0)[1][0] / reflect(0, 0)[1][1]) ** 2 - 1) < 1e-9",
            ),
        ),
        false_claims=(
            (
                "A reflection merely changes the sign of a coordinate.",
                "reflect(7, 3) in ([[-7, 1], [3, 1]], [[7, 1], [-3, 1]], [[-7, 1], [-3, 1]])",
            ),
        ),
        exercises=(
            ("What is the image of the origin?", "0, 0"),
            ("What is the image of (1, 0)?", "1, 0"),
            ("What is the image of (-3, 5)?", "-3, 5"),
        ),
        exam=calls((0, 0), (1, 0), (0, 1), (-3, 5), (7, 3), (c, 0), (0, c), (10, -10), (100, 37), (-8, -6), (2, 2)),
        wrong=slips(
            code,
            wrong_formula=(f"y - {b} * shift", f"y + {b} * shift"),
            off_by_one=(f"* y - {c})", f"* y - {c + 1})"),
            wrong_constant=("Fraction(2 *", "Fraction(1 *"),
        ),
    )


def _bezout(a: int, b: int) -> tuple[int, int]:
    """Integers u, v with a·u + b·v = 1, for coprime a > 0 and b; the smallest u >= 0."""
    u = next(u for u in range(abs(b)) if (1 - a * u) % b == 0)
    return u, (1 - a * u) // b


def _quarter_turns(centre_x: int, centre_y: int, turns: int) -> Entry:
    degrees = 90 * turns
    code = source(
        """
        def rotate(x: int, y: int) -> list[int]:
            across, up = x - CENTRE_X, y - CENTRE_Y
            for _ in range(TURNS):
                across, up = -up, across
            return [CENTRE_X + across, CENTRE_Y + up]
        """,
        CENTRE_X=centre_x,
        CENTRE_Y=centre_y,
        TURNS=turns,
    )
    cosine, sine = ((0, 1), (-1, 0), (0, -1))[turns - 1]
    alternative = source(
        """
        def rotate(x: int, y: int) -> list[int]:
            shift_x = CENTRE_X - (COSINE * CENTRE_X - SINE * CENTRE_Y)
            shift_y = CENTRE_Y - (SINE * CENTRE_X + COSINE * CENTRE_Y)
            return [COSINE * x - SINE * y + shift_x, SINE * x + COSINE * y + shift_y]
        """,
        CENTRE_X=centre_x,
        CENTRE_Y=centre_y,
        COSINE=cosine,
        SINE=sine,
    )
    centre = f"({centre_x}, {centre_y})"
    return Entry(
        title=f"Rotation by {degrees} degrees about {spoken(centre)}",
        statement=f"Rotate the point (x, y), both integers, by {degrees} degrees counter-clockwise about {centre}. Return the image as a list [x, y] of integers.",
        signature=signature(code),
        explanations=(
            f"Measure the point from the centre {centre}, turn that difference, and add the centre again. A quarter turn sends (across, up) to (-up, across), and {degrees} degrees are {turns} of them.",
            f"A rotation about a point other than the origin is a translation of {centre} to the origin, a rotation there, and the translation back. Leaving out either shift would rotate about the wrong place.",
            f"With cosine {cosine} and sine {sine} the rotation matrix has whole entries, so grid points go to grid points. The fixed point {centre} determines the shift that has to be added after the matrix.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("The centre stays in place.", f"rotate({centre_x}, {centre_y}) == [{centre_x}, {centre_y}]"),
            ("Four times the rotation is the identity.", "rotate(*rotate(*rotate(*rotate(9, -7)))) == [9, -7]"),
            (
                "The distance to the centre is kept.",
                f"sum((a - b) ** 2 for a, b in zip(rotate(8, 5), ({centre_x}, {centre_y}))) == {(8 - centre_x) ** 2 + (5 - centre_y) ** 2}",
            ),
        ),
        false_claims=(
            (
                f"The point to the right of the centre is moved by {degrees} degrees clockwise.",
                f"rotate({centre_x + 1}, {centre_y}) == [{centre_x + cosine}, {centre_y - sine}]",
            )
            if sine
            else (
                "A half turn swaps the coordinates.",
                f"rotate({centre_x + 1}, {centre_y}) == [{centre_x}, {centre_y + 1}]",
            ),
        ),
        exercises=(
            ("Where does the origin go?", "0, 0"),
            ("Where does (1, 0) go?", "1, 0"),
            ("Where does (-2, 5) go?", "-2, 5"),
        ),
        exam=calls(
            (centre_x, centre_y),
            (centre_x + 1, centre_y),
            (0, 0),
            (1, 0),
            (0, 1),
            (-2, 5),
            (8, 5),
            (100, -30),
            (-7, -7),
            (12, 3),
        ),
        wrong=slips(
            code,
            wrong_formula=("across, up = -up, across", "across, up = up, across"),
            off_by_one=(f"range({turns})", f"range({turns - 1})"),
            wrong_constant=(f"[{centre_x} + across", f"[{centre_x + 1} + across"),
        ),
    )


def _chord(centre_x: int, centre_y: int, radius: int) -> Entry:
    code = source(
        """
        from fractions import Fraction

        def squared_chord(a: int, b: int, c: int) -> list[int] | None:
            offset = a * CENTRE_X + b * CENTRE_Y - c
            distance_squared = Fraction(offset * offset, a * a + b * b)
            chord = 4 * (RADIUS**2 - distance_squared)
            if chord < 0:
                return None
            return [chord.numerator, chord.denominator]
        """,
        CENTRE_X=centre_x,
        CENTRE_Y=centre_y,
        RADIUS=radius,
    )
    alternative = source(
        """
        from fractions import Fraction

        def squared_chord(a: int, b: int, c: int) -> list[int] | None:
            norm = a * a + b * b
            start_x, start_y = Fraction(a * c, norm) - CENTRE_X, Fraction(b * c, norm) - CENTRE_Y
            half = b * start_x - a * start_y
            rest = start_x**2 + start_y**2 - RADIUS * RADIUS
            discriminant = half * half - norm * rest
            if discriminant < 0:
                return None
            squared = 4 * discriminant / norm
            return [squared.numerator, squared.denominator]
        """,
        CENTRE_X=centre_x,
        CENTRE_Y=centre_y,
        RADIUS=radius,
    )
    middle, tangent = 3 * centre_x + 4 * centre_y, 3 * centre_x + 4 * centre_y + 5 * radius
    circle = f"centre ({centre_x}, {centre_y}) and radius {radius}"
    return Entry(
        title=f"Chords of the circle with {spoken(circle)}",
        statement=f"The line a·x + b·y = c (integers, a and b not both 0) meets the circle with {circle} in a chord. Return the square of the chord's length as a reduced fraction [numerator, denominator]; "
        "[0, 1] for a tangent, None when line and circle do not meet.",
        signature=signature(code),
        explanations=(
            f"The radius to an end of the chord, half the chord and the distance from the centre ({centre_x}, {centre_y}) to the line form a right triangle. Pythagoras gives half the chord squared as {radius}² minus the squared distance, so the chord squared is four times that.",
            f"Insert the centre into a·x + b·y - c and square; over a² + b² this is the squared distance of the line. Compare it with {radius * radius}: smaller means two intersections, equal a tangent, larger none at all.",
            f"Staying with squares keeps everything rational: no root is needed to decide how line and circle ({circle}) meet. The sign of {radius}² - distance² plays the part of a discriminant, and its size measures the chord.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                "A line through the centre cuts out a diameter.",
                f"squared_chord(3, 4, {middle}) == [{4 * radius * radius}, 1]",
            ),
            ("A tangent has chord zero.", f"squared_chord(3, 4, {tangent}) == [0, 1]"),
            ("Beyond the tangent there is no chord.", f"squared_chord(3, 4, {tangent + 1}) is None"),
        ),
        false_claims=(
            ("Scaling the equation of the line changes the chord.", "squared_chord(3, 4, 0) != squared_chord(6, 8, 0)"),
        ),
        exercises=(
            ("How long (squared) is the chord on the x-axis?", "0, 1, 0"),
            ("How long (squared) is the chord on x + y = 1?", "1, 1, 1"),
            ("How long (squared) is the chord on 2x - y = 3?", "2, -1, 3"),
        ),
        exam=calls(
            (3, 4, middle),
            (3, 4, tangent),
            (3, 4, tangent + 1),
            (3, 4, tangent - 1),
            (1, 0, centre_x + radius),
            (1, 0, centre_x - radius - 1),
            (0, 1, centre_y),
        )
        + calls(
            (0, 2, 2 * centre_y + 1),
            (1, 1, centre_x + centre_y + 1),
            (2, -1, 2 * centre_x - centre_y),
            (1, 0, centre_x - radius),
            (5, -2, 5 * centre_x - 2 * centre_y + 3),
        ),
        wrong=slips(
            code,
            wrong_formula=("Fraction(offset * offset, a * a + b * b)", "Fraction(offset * offset, abs(a) + abs(b))"),
            off_by_one=("chord < 0", "chord < 1"),
            wrong_constant=("4 * (", "2 * ("),
        ),
    )


_NORMALS = [(a, b) for a in range(1, 6) for b in (-4, -3, -2, -1, 1, 2, 3, 4) if gcd(a, b) == 1][:24]

FAMILIES: tuple[Family, ...] = (
    Family(
        "minkowski-distances",
        "geometry",
        "Minkowski distances",
        (),
        [(order, across, up) for order in range(2, 10) for across in range(1, 6) for up in range(1, 6)],
        _minkowski,
    ),
    Family(
        "line-reflections",
        "geometry",
        "Reflections in a line",
        (),
        [(a, b, c) for a, b in _NORMALS for c in range(-4, 6)],
        _reflection,
    ),
    Family(
        "quarter-turn-rotations",
        "geometry",
        "Rotations by quarter turns",
        (),
        [(x, y, turns) for x in range(-4, 5) for y in range(-4, 5) for turns in (1, 2, 3)],
        _quarter_turns,
    ),
    Family(
        "circle-chords",
        "geometry",
        "Chords of a circle",
        ("minkowski-distances",),
        [(x, y, radius) for x in range(-2, 4) for y in range(-2, 4) for radius in range(1, 7)],
        _chord,
    ),
    *_FIGURES,
    *_SOLIDS,
)
