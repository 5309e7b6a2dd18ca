"""Independent answers for the geometry domain: high precision, brute counting, linear systems, numeric integration."""

from decimal import Decimal, localcontext
from fractions import Fraction
from math import acos, cos, fsum, pi, radians, sin, sqrt

from .rational import pair, solve


def minkowski_distances(order, across, up):
    """Fifty decimal digits, the root through logarithms."""

    def answer(first, second):
        with localcontext() as context:
            context.prec = 50
            power = Decimal(0)
            for one, other, weight in zip(first, second, (across, up), strict=True):
                power += weight * Decimal(max(one, other) - min(one, other)) ** order
            return float((power.ln() / order).exp()) if power else 0.0

    return answer


def line_reflections(a, b, c):
    """The image solves two equations: the midpoint is on the line, and the way there is along the normal."""

    def answer(x, y):
        image = solve([[a, b], [b, -a]], [2 * c - a * x - b * y, b * x - a * y])
        return [pair(value) for value in image]

    return answer


def quarter_turn_rotations(x, y, turns):
    """Gaussian integers."""
    unit = {1: 1j, 2: -1, 3: -1j}[turns]

    def answer(px, py):
        image = complex(x, y) + unit * complex(px - x, py - y)
        return [round(image.real), round(image.imag)]

    return answer


def circle_chords(x, y, radius):
    """The quadratic equation for the coordinate along the steeper axis; the chord from the gap of its roots."""

    def answer(a, b, c):
        px, py, pa, pb = (x, y, a, b) if b else (y, x, b, a)  # now pb is not 0: solve for the second coordinate
        slope, start = Fraction(-pa, pb), Fraction(c, pb)
        lead = 1 + slope**2
        middle = 2 * (slope * (start - py) - px)
        rest = px**2 + (start - py) ** 2 - radius**2
        discriminant = middle**2 - 4 * lead * rest
        return None if discriminant < 0 else pair(discriminant / lead**2 * lead)

    return answer


def regular_polygon_diagonals(corners, span):
    """The law of cosines at the centre of the circumscribed circle."""

    def answer(side):
        radius_squared = side * side / (2 - 2 * cos(2 * pi / corners))
        return sqrt(2 * radius_squared * (1 - cos(2 * pi * span / corners)))

    return answer


def lattice_triangles(width, height):
    """Every point of the bounding box is asked."""

    def answer(scale):
        right, top = width * scale, height * scale
        return sum(x * height + y * width <= width * height * scale for x in range(right + 1) for y in range(top + 1))

    return answer


def conical_tanks(radius, height):
    """Simpson's rule over the discs, exact for their quadratic areas."""

    def answer(depth):
        level = min(max(depth, 0.0), float(height))
        area = [pi * (radius * z / height) ** 2 for z in (0.0, level / 2, level)]
        return level / 6 * fsum((area[0], 4 * area[1], area[2]))

    return answer


def great_circle_distances(_body, radius):
    """The spherical law of cosines over unit vectors, the angle at fifty digits where the cosine is flat."""

    def answer(latitude1, longitude1, latitude2, longitude2):
        vectors = []
        for latitude, longitude in ((latitude1, longitude1), (latitude2, longitude2)):
            phi, turn = radians(latitude), radians(longitude)
            vectors.append((cos(phi) * cos(turn), cos(phi) * sin(turn), sin(phi)))
        gap = sqrt(fsum((a - b) ** 2 for a, b in zip(*vectors, strict=True)))
        total = sqrt(fsum((a + b) ** 2 for a, b in zip(*vectors, strict=True)))
        angle = acos((total - gap) * (total + gap) / (total**2 + gap**2)) if gap > 0.5 else _small_angle(gap)
        return radius * angle

    return answer


def _small_angle(chord):
    """2·arcsin(chord/2) by its power series."""
    half, term, angle = chord / 2, chord / 2, 0.0
    for odd in range(1, 60, 2):
        angle += term / odd
        term *= half * half * odd / (odd + 1)
    return 2 * angle


def points_in_triangles(first, second, third):
    """Barycentric coordinates from a linear system."""

    def answer(x, y):
        matrix = [[first[0], second[0], third[0]], [first[1], second[1], third[1]], [1, 1, 1]]
        shares = solve(matrix, [Fraction(x), Fraction(y), 1])
        smallest = min(shares)
        return "inside" if smallest > 0 else "edge" if smallest == 0 else "outside"

    return answer


ORACLES = {
    "minkowski-distances": minkowski_distances,
    "line-reflections": line_reflections,
    "quarter-turn-rotations": quarter_turn_rotations,
    "circle-chords": circle_chords,
    "regular-polygon-diagonals": regular_polygon_diagonals,
    "lattice-triangles": lattice_triangles,
    "conical-tanks": conical_tanks,
    "great-circle-distances": great_circle_distances,
    "points-in-triangles": points_in_triangles,
}
