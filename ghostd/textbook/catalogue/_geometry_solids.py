"""Tanks and spheres; imported by the geometry domain only."""

from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family


def _cone_tank(radius: int, height: int) -> Entry:
    code = source(
        """
        from math import pi

        def filled_volume(depth: float) -> float:
            level = min(max(depth, 0.0), HEIGHT)
            surface_radius = RADIUS * level / HEIGHT
            return pi * surface_radius**2 * level / 3
        """,
        RADIUS=radius,
        HEIGHT=height,
    )
    alternative = source(
        """
        from math import pi

        def filled_volume(depth: float) -> float:
            if depth <= 0:
                return 0.0
            full = pi * RADIUS * RADIUS * HEIGHT / 3
            return full * min(depth / HEIGHT, 1.0) ** 3
        """,
        RADIUS=radius,
        HEIGHT=height,
    )
    return Entry(
        title=f"Water in a conical tank with top radius {radius} and height {height}",
        statement=f"A tank is a cone with its tip down, height {height} metres and radius {radius} metres at the top. Return as a float how many cubic metres of water it holds when the water stands `depth` metres above the tip. "
        f"Depths below 0 count as 0, depths above {height} as {height}.",
        signature=signature(code),
        explanations=(
            f"The water is itself a cone, similar to the tank. At a given depth its surface has radius {radius}·depth/{height} by similar triangles, and a cone's volume is a third of base times height.",
            f"Similar solids compare by the cube of their lengths. A tank filled to a fraction of its height {height} therefore holds the cube of that fraction of the full volume π·{radius}²·{height}/3, which is why the first metre hardly counts.",
            f"Slice the water into thin discs. The disc at height z has radius {radius}z/{height} and area π({radius}z/{height})², and integrating z² up to the depth brings in the third of its cube; outside 0..{height} the level cannot go.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("An empty tank holds nothing.", "filled_volume(0) == 0"),
            (
                "Half the depth is an eighth of the volume.",
                f"abs(filled_volume({height}) - 8 * filled_volume({height / 2})) < 1e-6",
            ),
            ("It cannot be filled over its brim.", f"filled_volume({height + 3}) == filled_volume({height})"),
        ),
        false_claims=(
            (
                "Half the depth is half the volume.",
                f"abs(filled_volume({height}) - 2 * filled_volume({height / 2})) < 1e-6",
            ),
        ),
        exercises=(
            ("How much water is in the full tank?", f"{height}"),
            ("How much at half the depth?", f"{height / 2}"),
            ("How much at a depth of 0.3 metres?", "0.3"),
        ),
        exam=calls(-1.0, 0, 0.3, 0.5, height / 2, height - 0.25, height, height + 0.5, height + 3, 1000.0),
        wrong=slips(
            code,
            wrong_formula=(f"{radius} * level / {height}", f"{radius} * level / {height} * level"),
            off_by_one=(f"0.0), {height})", f"0.0), {height + 1})"),
            wrong_constant=("level / 3", "level / 2"),
        ),
    )


def _great_circle(body: str, radius: float) -> Entry:
    code = source(
        """
        from math import asin, cos, radians, sin, sqrt

        def surface_distance(latitude1: float, longitude1: float, latitude2: float, longitude2: float) -> float:
            south, north = radians(latitude1), radians(latitude2)
            turn = radians(longitude2 - longitude1)
            half_chord = sin((north - south) / 2) ** 2 + cos(south) * cos(north) * sin(turn / 2) ** 2
            return 2 * RADIUS * asin(min(1.0, sqrt(half_chord)))
        """,
        RADIUS=radius,
    )
    alternative = source(
        """
        from math import atan2, cos, hypot, radians, sin

        def surface_distance(latitude1: float, longitude1: float, latitude2: float, longitude2: float) -> float:
            first, second = radians(latitude1), radians(latitude2)
            turn = radians(longitude2) - radians(longitude1)
            beside = hypot(cos(second) * sin(turn), cos(first) * sin(second) - sin(first) * cos(second) * cos(turn))
            ahead = sin(first) * sin(second) + cos(first) * cos(second) * cos(turn)
            return RADIUS * atan2(beside, ahead)
        """,
        RADIUS=radius,
    )
    return Entry(
        title=f"Great-circle distance on {body}",
        statement=f"Treat {body} as a sphere of radius {radius} km. Return the length in kilometres, as a float, of the shortest path on its surface between two places given by latitude and longitude in degrees "
        "(latitudes from -90 to 90, north and east positive).",
        signature=signature(code),
        explanations=(
            f"The haversine formula finds the central angle from half-angle sines, which stays accurate for neighbouring places; multiplying by {radius} km turns the angle into a distance. Degrees must become radians first.",
            f"Two places and the centre of {body} span a plane that cuts the sphere in a great circle. The straight chord between them follows from the differences of latitude and longitude, and the arc over it is 2·{radius}·arcsin(half the chord of the unit sphere).",
            f"Away from the equator a degree of longitude is shorter by the cosine of the latitude, which is why the product of two cosines weights the longitude term. On {body} one degree along a meridian is {radius}·π/180 km.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("Equal places are zero apart.", "surface_distance(12, 34, 12, 34) == 0"),
            (
                f"From pole to equator it is a quarter of the circumference, {radius}·π/2 km.",
                f"abs(surface_distance(90, 0, 0, 50) - {radius} * 1.5707963267948966) < 1e-6",
            ),
            (
                "Longitudes wrap around: 179 and -179 degrees are two degrees apart.",
                "abs(surface_distance(0, 179, 0, -179) - surface_distance(0, 0, 0, 2)) < 1e-6",
            ),
        ),
        false_claims=(
            (
                "Degrees of longitude are equally long everywhere.",
                "abs(surface_distance(60, 0, 60, 1) - surface_distance(0, 0, 0, 1)) < 1e-6",
            ),
        ),
        exercises=(
            ("How far is it from (0, 0) to (0, 90)?", "0, 0, 0, 90"),
            ("How far is it from (48.1, 11.6) to (52.5, 13.4)?", "48.1, 11.6, 52.5, 13.4"),
            ("How far is it from (-33.9, 151.2) to (37.8, -122.4)?", "-33.9, 151.2, 37.8, -122.4"),
        ),
        exam=calls(
            (0, 0, 0, 0),
            (0, 0, 0, 90),
            (90, 0, 0, 50),
            (48.1, 11.6, 52.5, 13.4),
            (-33.9, 151.2, 37.8, -122.4),
            (60, 0, 60, 1),
            (0, 179, 0, -179),
            (-45, 10, 30, 100),
            (10, 20, -70, 20),
        ),
        wrong=slips(
            code,
            wrong_formula=("cos(south) * cos(north) * ", ""),
            off_by_one=("(north - south) / 2", "(north - south) / 1"),
            wrong_constant=(f"2 * {radius}", f"{radius}"),
            unit_slip=("radians(longitude2 - longitude1)", "(longitude2 - longitude1)"),
        ),
    )


_BODIES = (
    ("Earth", 6371.0),
    ("the Moon", 1737.4),
    ("Mercury", 2439.7),
    ("Venus", 6051.8),
    ("Mars", 3389.5),
    ("Jupiter", 69911.0),
    ("Saturn", 58232.0),
    ("Uranus", 25362.0),
    ("Neptune", 24622.0),
    ("Pluto", 1188.3),
    ("Ceres", 469.7),
    ("Io", 1821.6),
    ("Europa", 1560.8),
    ("Ganymede", 2634.1),
    ("Callisto", 2410.3),
    ("Titan", 2574.7),
    ("Rhea", 763.8),
    ("Iapetus", 734.5),
    ("Dione", 561.4),
    ("Tethys", 531.1),
    ("Enceladus", 252.1),
    ("Mimas", 198.2),
    ("Triton", 1353.4),
    ("Titania", 788.4),
    ("Oberon", 761.4),
    ("Charon", 606.0),
    ("Eris", 1163.0),
    ("the Sun", 695700.0),
    ("Vesta", 262.7),
    ("Miranda", 235.8),
)  # mean radii in kilometres


FAMILIES: tuple[Family, ...] = (
    Family(
        "conical-tanks",
        "geometry",
        "Water in conical tanks",
        (),
        [(radius, height) for radius in range(1, 16) for height in range(1, 16)],
        _cone_tank,
    ),
    Family("great-circle-distances", "geometry", "Great-circle distances", ("circle-chords",), _BODIES, _great_circle),
)
