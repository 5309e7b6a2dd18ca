"""Polygons and triangles; imported by the geometry domain only."""

from math import gcd

from ghostd.textbook.catalogue._source import calls, signature, slips, source, spoken
from ghostd.textbook.catalogue.family import Entry, Family

_Point = tuple[int, int]


def _diagonal(corners: int, span: int) -> Entry:
    code = source(
        """
        from math import pi, sin

        def diagonal(side: float) -> float:
            circumradius = side / (2 * sin(pi / CORNERS))
            return 2 * circumradius * sin(SPAN * pi / CORNERS)
        """,
        CORNERS=corners,
        SPAN=span,
    )
    alternative = source(
        """
        from cmath import exp, pi

        def diagonal(side: float) -> float:
            turn = exp(2j * pi / CORNERS)
            return side * abs(sum(turn**step for step in range(SPAN)))
        """,
        CORNERS=corners,
        SPAN=span,
    )
    return Entry(
        title=f"Diagonal spanning {span} sides of the regular {corners}-gon",
        statement=f"A regular polygon has {corners} sides of length `side` >= 0. Return, as a float, the length of the diagonal that joins two corners which are {span} sides apart along the boundary.",
        signature=signature(code),
        explanations=(
            f"All corners lie on a circle. One side subtends the angle 2π/{corners} at its centre, which gives the circumradius side / (2·sin(π/{corners})); the diagonal subtends {span} such angles and is a chord of the same circle.",
            f"Chords of one circle are proportional to the sine of half their central angle. So the ratio of the diagonal to the side is sin({span}π/{corners}) to sin(π/{corners}), whatever the size of the {corners}-gon.",
            f"Walk along {span} sides, turning by 2π/{corners} at each corner, and add the steps as complex numbers. The geometric sum of unit vectors has just that sine ratio as its absolute value, because the turns are equal.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("The length is proportional to the side.", "abs(diagonal(6) - 3 * diagonal(2)) < 1e-9"),
            (f"It is shorter than the {span} sides it spans.", f"diagonal(1) < {span}"),
            ("It is longer than a side.", "diagonal(1) > 1"),
        ),
        false_claims=((f"The diagonal is {span} times as long as a side.", f"abs(diagonal(1) - {span}) < 1e-9"),),
        exercises=(
            ("How long is it for sides of length 1?", "1"),
            ("How long is it for sides of length 2.5?", "2.5"),
            ("How long is it for sides of length 10?", "10"),
        ),
        exam=calls(0, 1, 2, 2.5, 3.25, 10, 47, 0.125, 1000),
        wrong=slips(
            code,
            wrong_formula=(f"sin({span} * pi / {corners})", f"{span} * sin(pi / {corners})"),
            off_by_one=(f"sin({span} *", f"sin({span - 1} *"),
            wrong_constant=(f"(2 * sin(pi / {corners}))", f"sin(pi / {corners})"),
        ),
    )


def _lattice_triangle(width: int, height: int) -> Entry:
    code = source(
        """
        from math import gcd

        def lattice_points(scale: int) -> int:
            twice_area = WIDTH * HEIGHT * scale**2
            boundary = (WIDTH + HEIGHT + gcd(WIDTH, HEIGHT)) * scale
            return (twice_area + boundary) // 2 + 1
        """,
        WIDTH=width,
        HEIGHT=height,
    )
    alternative = source(
        """
        def lattice_points(scale: int) -> int:
            points = 0
            for x in range(WIDTH * scale + 1):
                points += HEIGHT * (WIDTH * scale - x) // WIDTH + 1
            return points
        """,
        WIDTH=width,
        HEIGHT=height,
    )
    boundary = width + height + gcd(width, height)
    corners = f"(0, 0), ({width}, 0) and (0, {height})"
    return Entry(
        title=f"Lattice points in multiples of the {width} by {height} right triangle",
        statement=f"Take the triangle with corners {corners} and enlarge it `scale` >= 0 times (an integer) from the origin. Return how many points with two integer coordinates lie in it, those on its boundary included.",
        signature=signature(code),
        explanations=(
            f"Pick's theorem says area = interior + boundary/2 - 1. Adding the boundary points gives interior + boundary = area + boundary/2 + 1. Here the area is {width}·{height}·scale²/2, and the boundary has {boundary}·scale points.",
            f"The two legs carry {width} and {height} lattice steps and the hypotenuse gcd({width}, {height}) = {gcd(width, height)}, each multiplied by the scale. With the area this is all that Pick's formula needs, so no point has to be visited.",
            f"The count is a polynomial in the scale, the Ehrhart polynomial of the triangle {corners}: its leading coefficient is the area and the next one half the boundary. The constant is 1 since the enlarged triangle shrinks to one point at scale 0.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("At scale 0 one point remains.", "lattice_points(0) == 1"),
            (
                f"At scale 1 all but {boundary} of the points are interior, as Pick's theorem counts them.",
                f"lattice_points(1) - ({width * height} - {boundary}) // 2 - 1 == {boundary}",
            ),
            (
                "Second differences equal twice the area.",
                f"lattice_points(4) - 2 * lattice_points(3) + lattice_points(2) == {width * height}",
            ),
        ),
        false_claims=(
            (
                "Doubling the size multiplies the number of points by four.",
                "lattice_points(2) == 4 * lattice_points(1)",
            ),
        ),
        exercises=(
            ("How many points has the triangle itself?", "1"),
            ("How many when it is doubled?", "2"),
            ("How many when it is enlarged ten times?", "10"),
        ),
        exam=calls(0, 1, 2, 3, 4, 5, 7, 10),
        wrong=slips(
            code,
            wrong_formula=(f" + gcd({width}, {height})", f" + {width + height}"),
            off_by_one=("// 2 + 1", "// 2 - 1"),
            wrong_constant=(f"{width} * {height} * scale", f"{width} * {height + 2} * scale"),
        ),
    )


def _point_in_triangle(first: _Point, second: _Point, third: _Point) -> Entry:
    corners = (first, second, third)
    code = source(
        """
        def locate(x: float, y: float) -> str:
            corners = CORNERS
            turns = []
            for index in range(3):
                (ax, ay), (bx, by) = corners[index - 1], corners[index]
                turns.append((bx - ax) * (y - ay) - (by - ay) * (x - ax))
            if min(turns) > 0:
                return "inside"
            return "edge" if min(turns) == 0 else "outside"
        """,
        CORNERS=corners,
    )
    alternative = source(
        """
        from fractions import Fraction

        def locate(x: float, y: float) -> str:
            (ax, ay), (bx, by), (cx, cy) = CORNERS
            x, y = Fraction(x), Fraction(y)
            area = (by - cy) * (ax - cx) + (cx - bx) * (ay - cy)
            first = ((by - cy) * (x - cx) + (cx - bx) * (y - cy)) / area
            second = ((cy - ay) * (x - cx) + (ax - cx) * (y - cy)) / area
            shares = (first, second, 1 - first - second)
            if any(share < 0 for share in shares):
                return "outside"
            return "edge" if 0 in shares else "inside"
        """,
        CORNERS=corners,
    )
    (ax, ay), (bx, by), (cx, cy) = corners
    named = ", ".join(map(str, corners))
    left, right = min(ax, bx, cx), max(ax, bx, cx)
    low, high = min(ay, by, cy), max(ay, by, cy)
    centre = ((2 * ax + bx + cx) / 4, (2 * ay + by + cy) / 4)
    beyond = (2 * bx - ax, 2 * by - ay)
    return Entry(
        title=f"Point in the triangle {spoken(named)}",
        statement=f'Say where the point (x, y) lies relative to the triangle with corners {named}: "inside" strictly within, "edge" on a side or corner, "outside" elsewhere. Coordinates are integers or floats whose products are exact, such as halves.',
        signature=signature(code),
        explanations=(
            f"Walk around the triangle {named} counter-clockwise. A point within it stays to the left of all three sides, and being left of a side is the sign of a cross product; a zero among non-negative signs means the point is on that side.",
            f"Each side of the triangle {named} cuts the plane into two halves, and the triangle is the intersection of three of them. It is enough to look at the smallest of the three oriented areas: positive inside, zero on the border, negative outside.",
            f"The cross product (b - a) × (p - a) is twice the oriented area of the small triangle made of a side and the point. If all three small areas over the sides of {named} are positive they fill the triangle and the point is inside. A zero area counts as the edge only if no other area is negative, since otherwise the point lies on the prolonged side.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                "The corners belong to the edge.",
                f"locate({ax}, {ay}) == locate({bx}, {by}) == locate({cx}, {cy}) == 'edge'",
            ),
            ("The middle of the medians is inside.", f"locate({centre[0]}, {centre[1]}) == 'inside'"),
            ("A side prolonged beyond its corner is outside.", f"locate({beyond[0]}, {beyond[1]}) == 'outside'"),
        ),
        false_claims=(
            (
                "A point on the line through a side is always on the edge.",
                f"locate({beyond[0]}, {beyond[1]}) == 'edge'",
            ),
        ),
        exercises=(
            ("Where is the point (1, 1)?", "1, 1"),
            ("Where is the point (3, 2.5)?", "3, 2.5"),
            ("Where is the middle of the first side?", f"{(ax + bx) / 2}, {(ay + by) / 2}"),
        ),
        exam=calls(
            first,
            second,
            third,
            ((ax + bx) / 2, (ay + by) / 2),
            ((bx + cx) / 2, (by + cy) / 2),
            ((cx + ax) / 2, (cy + ay) / 2),
            centre,
            beyond,
            (1, 1),
            (2, 1),
            (3, 2.5),
        )
        + calls(
            (left - 1, low),
            (right + 1, high),
            (2 * cx - bx, 2 * cy - by),
            (2 * ax - cx, 2 * ay - cy),
            (ax + 0.5, ay + 0.5),
            (0.25, 2),
            (4, 0.5),
        ),
        wrong=slips(
            code,
            wrong_formula=("- (by - ay) * (x - ax)", "+ (by - ay) * (x - ax)"),
            off_by_one=("min(turns) > 0", "min(turns) >= 0"),
            wrong_constant=("range(3)", "range(2)"),
        ),
    )


def _different_triangles() -> list[tuple[int, int]]:
    """Legs up to 20; of triangles with the same area and boundary, which count alike, only the first."""
    first: dict[tuple[int, int], tuple[int, int]] = {}
    for width in range(1, 21):
        for height in range(width, 21):
            first.setdefault((width * height, width + height + gcd(width, height)), (width, height))
    return list(first.values())


_THIRD_CORNERS = ((0, 4), (1, 5), (2, 6), (-1, 4), (3, 7), (1, 6), (-2, 5), (2, 4), (0, 7), (3, 5))
_SECOND_CORNERS = ((4, 0), (5, 1), (6, -1), (4, 2), (7, 1), (5, -2), (6, 2), (8, 0), (3, 1), (7, -2))

FAMILIES: tuple[Family, ...] = (
    Family(
        "regular-polygon-diagonals",
        "geometry",
        "Diagonals of regular polygons",
        (),
        [(corners, span) for corners in range(4, 32) for span in range(2, corners // 2 + 1)],
        _diagonal,
    ),
    Family(
        "lattice-triangles",
        "geometry",
        "Lattice points in right triangles",
        (),
        _different_triangles(),
        _lattice_triangle,
    ),
    Family(
        "points-in-triangles",
        "geometry",
        "Points in triangles",
        (),
        [
            (first, second, third)
            for first in ((0, 0), (1, -1))
            for second in _SECOND_CORNERS
            for third in _THIRD_CORNERS
            if first != (1, -1) or second != (3, 1)
        ],
        _point_in_triangle,
    ),
)
