"""The part of linear algebra with lengths and angles: projections, reflections, rotations, orthogonality, least squares."""

import itertools
import math
from fractions import Fraction

from ghostd.textbook.catalogue._numerals import fraction_pairs, signed, spoken
from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family

_PLACES = ([0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [3, -1, 2], [-4, 5, 7], [10, 0, -3], [2, 2, -9])


def _directions(reach: int) -> list[tuple[int, ...]]:
    """One primitive vector for each line through the origin and the grid -reach..reach, the axes left out."""
    grid = itertools.product(range(-reach, reach + 1), repeat=3)
    return [v for v in grid if math.gcd(*v) == 1 and next(filter(None, v)) > 0 and sum(map(bool, v)) > 1]


def _projection(*v: int) -> Entry:
    square = sum(p * p for p in v)
    shown, named = f"({', '.join(map(str, v))})", ", ".join(map(spoken, v))
    code = source(
        """
        from fractions import Fraction

        def project(x: list[int]) -> list[list[int]]:
            scale = Fraction(sum(p * q for p, q in zip(VECTOR, x)), SQUARE)
            image = [scale * p for p in VECTOR]
            return [[entry.numerator, entry.denominator] for entry in image]
        """,
        VECTOR=v,
        SQUARE=square,
    )
    alternative = source(
        """
        from math import gcd

        def project(x: list[int]) -> list[list[int]]:
            matrix = [[p * q for q in VECTOR] for p in VECTOR]
            length = sum(matrix[i][i] for i in range(3))
            image = []
            for row in matrix:
                entry = sum(a * b for a, b in zip(row, x))
                common = gcd(entry, length)
                image.append([entry // common, length // common])
            return image
        """,
        VECTOR=v,
    )
    onto_first = fraction_pairs([Fraction(v[0] * p, square) for p in v])
    return Entry(
        title=f"Projection onto the line along {named}",
        statement=f"Return the orthogonal projection of the integer vector x = [x1, x2, x3] onto the line spanned by {shown}, as a list of three reduced fractions [numerator, denominator] with positive denominators; "
        "zero is [0, 1].",
        signature=signature(code),
        explanations=(
            f"The projection is the multiple of v = {shown} that is nearest to x. Requiring that x minus that multiple be perpendicular to v gives the factor (v·x)/(v·v), and v·v is {square}.",
            f"Only the part of x along {shown} survives. Dividing by the squared length {square}, and not by the length, makes the result independent of how long v was chosen, so no square root ever appears.",
            f"As a matrix the projection is v vᵀ divided by {square}. Applying it twice changes nothing, since a vector that already lies on the line is its own nearest point, and vectors perpendicular to the line go to zero.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                f"The vector {shown} is its own projection.",
                f"project({list(v)}) == {fraction_pairs([Fraction(p) for p in v])}",
            ),
            (f"The first basis vector goes to {v[0]}/{square} times v.", f"project([1, 0, 0]) == {onto_first}"),
            (
                "A vector perpendicular to the line goes to zero.",
                f"project({_perpendicular(v)}) == [[0, 1], [0, 1], [0, 1]]",
            ),
        ),
        false_claims=(
            (
                "The projection is (v·x) v, with no division.",
                f"project({list(v)}) == {fraction_pairs([Fraction(p * square) for p in v])}",
            ),
        ),
        exercises=(
            ("What is the projection of (1, 2, 3)?", "[1, 2, 3]"),
            ("What is the projection of (4, 0, -1)?", "[4, 0, -1]"),
            ("What is the projection of (0, 0, 6)?", "[0, 0, 6]"),
        ),
        exam=calls(*_PLACES, list(v), _perpendicular(v)),
        wrong=slips(
            code,
            wrong_formula=(f", {square})", ", 1)"),
            off_by_one=(f"zip({v}, x)", f"zip({v}, x[1:])"),
            wrong_constant=(f"for p in {v}", f"for p in {(v[0], v[1], v[2] + 1)}"),
        ),
    )


def _perpendicular(v: tuple[int, ...]) -> list[int]:
    """Some integer vector, not zero, perpendicular to one with at least two non-zero entries."""
    return [v[1], -v[0], 0] if v[0] or v[1] else [1, 0, 0]


def _reflection(*v: int) -> Entry:
    square = sum(p * p for p in v)
    shown, named = f"({', '.join(map(str, v))})", ", ".join(map(spoken, v))
    code = source(
        """
        from fractions import Fraction

        def reflect(x: list[int]) -> list[list[int]]:
            scale = Fraction(2 * sum(p * q for p, q in zip(VECTOR, x)), SQUARE)
            image = [q - scale * p for p, q in zip(VECTOR, x)]
            return [[entry.numerator, entry.denominator] for entry in image]
        """,
        VECTOR=v,
        SQUARE=square,
    )
    alternative = source(
        """
        from fractions import Fraction

        def reflect(x: list[int]) -> list[list[int]]:
            image = []
            for i, p in enumerate(VECTOR):
                row = [Fraction(int(i == j)) - Fraction(2 * p * q, SQUARE) for j, q in enumerate(VECTOR)]
                image.append(sum(a * b for a, b in zip(row, x)).as_integer_ratio())
            return [list(entry) for entry in image]
        """,
        VECTOR=v,
        SQUARE=square,
    )
    return Entry(
        title=f"Reflection in the plane perpendicular to {named}",
        statement=f"Return the mirror image of the integer vector x = [x1, x2, x3] in the plane through the origin that is perpendicular to {shown}, as a list of three reduced fractions "
        "[numerator, denominator] with positive denominators; zero is [0, 1].",
        signature=signature(code),
        explanations=(
            f"Split x into a part along n = {shown} and a part in the plane. The mirror keeps the second and flips the first, so twice the projection onto n, which is 2(n·x)/{square} times n, is taken away.",
            f"This is a Householder reflection, I - 2nnᵀ/{square}. Subtracting the projection once would land in the plane itself; subtracting it twice carries the point to the other side at the same distance.",
            f"A reflection preserves lengths and undoes itself. Its matrix has determinant -1, since the direction {shown} is reversed while two perpendicular directions stay put; "
            f"the squared length {square} in the denominator makes the choice of normal vector irrelevant.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"The normal {shown} is reversed.", f"reflect({list(v)}) == {fraction_pairs([Fraction(-p) for p in v])}"),
            (
                "A vector in the plane stays where it is.",
                f"reflect({_perpendicular(v)}) == {fraction_pairs([Fraction(p) for p in _perpendicular(v)])}",
            ),
            (
                "Lengths are preserved: the image of (3, -1, 2) has squared length 14.",
                f"sum((p * {square} // q) ** 2 for p, q in reflect([3, -1, 2])) == 14 * {square} ** 2",
            ),
        ),
        false_claims=(
            (
                f"The image of the normal {shown} is zero, because its projection is taken away.",
                f"reflect({list(v)}) == [[0, 1], [0, 1], [0, 1]]",
            ),
        ),
        exercises=(
            ("What is the mirror image of (1, 2, 3)?", "[1, 2, 3]"),
            ("What is the mirror image of (4, 0, -1)?", "[4, 0, -1]"),
            ("What is the mirror image of (0, 0, 6)?", "[0, 0, 6]"),
        ),
        exam=calls(*_PLACES, list(v), _perpendicular(v)),
        wrong=slips(
            code,
            wrong_formula=("Fraction(2 * sum(", "Fraction(sum("),
            off_by_one=("Fraction(2 * sum(", "Fraction(3 * sum("),
            wrong_constant=(f", {square})", f", {square + 1})"),
        ),
    )


def _rotation(cosine: int, sine: int, radius: int) -> Entry:
    sense = "counterclockwise" if sine > 0 else "clockwise"
    code = source(
        """
        from fractions import Fraction

        def rotate(x: int, y: int, n: int) -> list[list[int]]:
            for _ in range(n):
                x, y = COSINE * x - (SINE) * y, SINE * x + COSINE * y
            scale = RADIUS**n
            return [list(Fraction(value, scale).as_integer_ratio()) for value in (x, y)]
        """,
        COSINE=cosine,
        SINE=sine,
        RADIUS=radius,
    )
    alternative = source(
        """
        from fractions import Fraction

        def rotate(x: int, y: int, n: int) -> list[list[int]]:
            cosine, sine = Fraction(1), Fraction(0)
            for digit in bin(n)[2:]:
                cosine, sine = cosine**2 - sine**2, 2 * cosine * sine
                if digit == "1":
                    cosine, sine = (COSINE * cosine - (SINE) * sine) / RADIUS, (SINE * cosine + COSINE * sine) / RADIUS
            image = (cosine * x - sine * y, sine * x + cosine * y)
            return [[value.numerator, value.denominator] for value in image]
        """,
        COSINE=cosine,
        SINE=sine,
        RADIUS=radius,
    )
    degrees = math.degrees(math.atan2(sine, cosine))
    return Entry(
        title=f"Rotation with cosine {cosine}/{radius} and sine {spoken(sine)}/{radius}",
        statement=f"Rotate the plane about the origin by the angle whose cosine is {cosine}/{radius} and whose sine is {sine}/{radius}. Return the exact image of the integer point (x, y) after n such rotations, "
        "for an integer n >= 0, as two reduced fractions [numerator, denominator] with positive denominators; zero is [0, 1].",
        signature=signature(code),
        explanations=(
            f"The rotation matrix is [[{cosine}, {-sine}], [{sine}, {cosine}]] divided by {radius}. Because {cosine}² + {abs(sine)}² = {radius}², the coordinates stay rational, and all the "
            f"divisions can wait until the end, where one divides by {radius}ⁿ.",
            f"Turning by about {degrees:.2f} degrees, {sense}, is the same as multiplying x + iy by ({cosine} {signed(sine)}i)/{radius}. "
            "Repeating the turn multiplies again, so n turns multiply by the n-th power of that complex number.",
            f"A Pythagorean triple gives a rational point on the unit circle and with it a rotation without any rounding. This one, from {abs(sine)}, {cosine} and {radius}, never returns to its start: "
            "the angle is not a rational part of the full turn, so the denominators keep growing.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                f"(1, 0) goes to ({cosine}/{radius}, {sine}/{radius}).",
                f"rotate(1, 0, 1) == [[{cosine}, {radius}], [{sine}, {radius}]]",
            ),
            ("No rotation leaves the point where it is.", "rotate(3, -4, 0) == [[3, 1], [-4, 1]]"),
            (
                f"The point ({cosine}, {-sine}) is turned onto the x-axis, to ({radius}, 0).",
                f"rotate({cosine}, {-sine}, 1) == [[{radius}, 1], [0, 1]]",
            ),
        ),
        false_claims=(
            (
                "The opposite sense is meant: (1, 0) moves to the other side of the x-axis.",
                f"rotate(1, 0, 1) == [[{cosine}, {radius}], [{-sine}, {radius}]]",
            ),
        ),
        exercises=(
            ("Where is (1, 0) after 2 rotations?", "1, 0, 2"),
            ("Where is (2, 5) after 1 rotation?", "2, 5, 1"),
            ("Where is (0, -3) after 4 rotations?", "0, -3, 4"),
        ),
        exam=calls(
            (0, 0, 3),
            (1, 0, 0),
            (1, 0, 1),
            (0, 1, 1),
            (1, 0, 2),
            (2, 5, 1),
            (-3, 4, 2),
            (cosine, -sine, 1),
            (radius, 0, 3),
            (7, -2, 5),
            (1, 1, 12),
        ),
        wrong=slips(
            code,
            wrong_formula=(f"- ({sine}) * y", f"+ ({sine}) * y"),
            off_by_one=("range(n)", "range(1, n)"),
            wrong_constant=(f"{radius}**n", f"{radius + 1}**n"),
        ),
    )


def _rotations() -> list[tuple[int, int, int]]:
    """Cosine, sine and radius of rotations from primitive Pythagorean triples, both legs and both senses."""
    found = []
    for p, q in itertools.combinations(range(1, 15), 2):
        if (p + q) % 2 and math.gcd(p, q) == 1:
            legs, radius = (q * q - p * p, 2 * p * q), p * p + q * q
            found += [(legs[i], legs[1 - i] * sense, radius) for i in (0, 1) for sense in (1, -1)]
    return found


FAMILIES: tuple[Family, ...] = (
    Family(
        "projections-onto-lines",
        "linear-algebra",
        "Projections onto lines",
        ("linear-systems",),
        _directions(4),
        _projection,
    ),
    Family(
        "reflections-in-planes",
        "linear-algebra",
        "Reflections in planes",
        ("projections-onto-lines",),
        _directions(4),
        _reflection,
    ),
    Family("rational-rotations", "linear-algebra", "Rational rotations", ("matrix-powers",), _rotations(), _rotation),
)
