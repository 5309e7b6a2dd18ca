"""Physics: mechanics, gravitation and relativity (this file), matter, circuits and waves beside it; constants are stated."""

from math import gcd

from ghostd.core.concept import Domain
from ghostd.textbook.catalogue._physics_circuits import FAMILIES as _CIRCUITS
from ghostd.textbook.catalogue._physics_matter import FAMILIES as _MATTER
from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family

DOMAIN = Domain(
    "physics",
    "Physics",
    "Motion, gravity, relativity, heat, decay, circuits, lenses and sound as formulas with stated constants and units.",
)


def _projectile(body: str, gravity: float, degrees: int) -> Entry:
    code = source(
        """
        from math import cos, radians, sin, sqrt

        def landing_distance(speed_kmh: float, height: float) -> float:
            speed = speed_kmh / 3.6
            across = speed * cos(radians(DEGREES))
            up = speed * sin(radians(DEGREES))
            flight_time = (up + sqrt(up**2 + 2 * GRAVITY * height)) / GRAVITY
            return across * flight_time
        """,
        DEGREES=degrees,
        GRAVITY=gravity,
    )
    alternative = source(
        """
        from math import cos, pi, sin, sqrt

        def landing_distance(speed_kmh: float, height: float) -> float:
            speed, angle = speed_kmh * 1000 / 3600, DEGREES * pi / 180
            rise = speed * sin(angle) / GRAVITY
            top = height + GRAVITY * rise**2 / 2
            fall = sqrt(2 * top / GRAVITY)
            return speed * cos(angle) * (rise + fall)
        """,
        DEGREES=degrees,
        GRAVITY=gravity,
    )
    return Entry(
        title=f"Projectile range on {body} at {degrees} degrees",
        statement=f"A ball is thrown at `speed_kmh` km/h, {degrees} degrees above the horizontal, from `height` >= 0 metres above level ground. Gravity is {gravity} m/s², there is no air drag. "
        "Return as a float how many metres away, measured along the ground, it lands.",
        signature=signature(code),
        explanations=(
            f"Horizontal and vertical motion do not disturb each other. The vertical one fixes the flight time as the positive root of height + v·sin({degrees}°)·t - {gravity}·t²/2 = 0, and during that time the ball moves evenly with v·cos({degrees}°).",
            f"Split the flight at its top. Rising takes v·sin({degrees}°)/{gravity} seconds, falling takes as long as a drop from the greatest height; the range is the horizontal speed times the sum. The speed must first be divided by 3.6 to be in metres per second.",
            f"On {body} ({gravity} m/s²) a start above the ground lengthens the flight beyond the symmetric arc, so the textbook formula v²·sin(2·{degrees}°)/g holds for height zero only. The square root carries the extra energy from the height.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                "From the ground, twice the speed gives four times the range.",
                "abs(landing_distance(72, 0) - 4 * landing_distance(36, 0)) < 1e-6",
            ),
            ("Starting higher means landing farther away.", "landing_distance(36, 5) > landing_distance(36, 0)"),
            ("A ball that is merely dropped lands at its feet.", "landing_distance(0, 20) == 0"),
        ),
        false_claims=(
            (
                "Twice the speed gives twice the range.",
                "abs(landing_distance(72, 0) - 2 * landing_distance(36, 0)) < 1e-6",
            ),
        ),
        exercises=(
            ("How far does a throw of 36 km/h from the ground go?", "36, 0"),
            ("How far does a throw of 90 km/h from 2 metres go?", "90, 2"),
            ("How far does a throw of 18 km/h from a cliff of 30 metres go?", "18, 30"),
        ),
        exam=calls((0, 0), (0, 20), (36, 0), (72, 0), (90, 2), (18, 30), (54, 1.5), (3.6, 100), (250, 10), (10, 0.25)),
        wrong=slips(
            code,
            wrong_formula=(f"sqrt(up**2 + 2 * {gravity} * height)", "up"),
            off_by_one=(f"2 * {gravity} * height", f"{gravity} * height"),
            wrong_constant=(f"/ {gravity}", f"/ {gravity + 1:.2f}"),
            unit_slip=("speed_kmh / 3.6", "speed_kmh"),
        ),
    )


def _stopping(friction: float, reaction: float) -> Entry:
    code = source(
        """
        def stopping_distance(speed_kmh: float) -> float:
            speed = speed_kmh / 3.6
            reaction_path = speed * REACTION
            braking_path = speed**2 / (2 * FRICTION * 9.81)
            return reaction_path + braking_path
        """,
        FRICTION=friction,
        REACTION=reaction,
    )
    alternative = source(
        """
        def stopping_distance(speed_kmh: float) -> float:
            speed = speed_kmh * 1000 / 3600
            braking_time = speed / (FRICTION * 9.81)
            mean_speed = speed / 2
            return speed * REACTION + mean_speed * braking_time
        """,
        FRICTION=friction,
        REACTION=reaction,
    )
    return Entry(
        title=f"Stopping distance with friction {friction} and reaction time {reaction} s",
        statement=f"A driver at `speed_kmh` >= 0 km/h sees an obstacle, reacts after {reaction} s and then brakes with locked wheels on a level road with coefficient of friction {friction}; g = 9.81 m/s². "
        "Return the whole stopping distance in metres as a float.",
        signature=signature(code),
        explanations=(
            f"During the reaction time of {reaction} s the car keeps its speed, so that path grows in proportion to it. Braking turns the kinetic energy m·v²/2 into friction work {friction}·m·g·s; the mass cancels and the braking path grows with the square of the speed.",
            f"Friction decelerates the car by {friction}·9.81 m/s² whatever it weighs. From v to rest the mean speed is v/2 over a time v/({friction}·9.81), and to this comes the distance v·{reaction} driven before the brakes bite. Convert km/h by dividing by 3.6.",
            f"The graph of speed against time is a rectangle of width {reaction} s followed by a triangle. Its area is the distance; the triangle's base is itself proportional to the speed, which is why doubling the speed more than doubles the way on a surface with friction {friction}.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("A standing car needs no way to stop.", "stopping_distance(0) == 0"),
            (
                f"At 36 km/h (10 m/s) the driver covers {10 * reaction:g} m before braking.",
                f"abs(stopping_distance(36) - {10 * reaction:g} - 100 / (19.62 * {friction})) < 1e-9",
            ),
            ("Twice the speed needs more than twice the way.", "stopping_distance(100) > 2 * stopping_distance(50)"),
        ),
        false_claims=(
            ("Twice the speed needs twice the way.", "abs(stopping_distance(100) - 2 * stopping_distance(50)) < 1e-6"),
        ),
        exercises=(
            ("How far at 50 km/h?", "50"),
            ("How far at 130 km/h?", "130"),
            ("How far at 7.2 km/h?", "7.2"),
        ),
        exam=calls(0, 3.6, 7.2, 30, 36, 50, 100, 130, 211.5),
        wrong=slips(
            code,
            wrong_formula=("speed**2 / (2 *", "speed / (2 *"),
            off_by_one=(f"(2 * {friction}", f"(1 * {friction}"),
            wrong_constant=("9.81", "8.91"),
            unit_slip=("speed_kmh / 3.6", "speed_kmh"),
        ),
    )


def _orbit(body: str, radius: float, parameter: float) -> Entry:
    code = source(
        """
        from math import pi, sqrt

        def period_minutes(altitude_km: float) -> float:
            axis = RADIUS + altitude_km
            seconds = 2 * pi * sqrt(axis**3 / PARAMETER)
            return seconds / 60
        """,
        RADIUS=radius,
        PARAMETER=parameter,
    )
    alternative = source(
        """
        from math import pi, sqrt

        def period_minutes(altitude_km: float) -> float:
            distance = RADIUS + altitude_km
            speed_km_per_minute = 60 * sqrt(PARAMETER / distance)
            return 2 * pi * distance / speed_km_per_minute
        """,
        RADIUS=radius,
        PARAMETER=parameter,
    )
    return Entry(
        title=f"Period of a circular orbit around {body}",
        statement=f"A satellite circles {body} at `altitude_km` >= 0 km above its surface. The radius of {body} is {radius} km and GM = {parameter} km³/s². Return the orbital period in minutes as a float.",
        signature=signature(code),
        explanations=(
            f"Gravity supplies the centripetal force: GM/r² = v²/r, and one round of length 2πr at speed v takes 2π·sqrt(r³/GM). The distance r counts from the centre, so {radius} km must be added to the altitude.",
            f"Kepler's third law says the square of the period is proportional to the cube of the distance from the centre. For {body} the factor is 4π²/{parameter} in seconds and kilometres; dividing by 60 gives minutes.",
            f"Neither the mass of the satellite nor its size matters, because inertia and weight are both proportional to it. Only the distance {radius} + altitude and GM = {parameter} km³/s² enter, the former with exponent 3/2.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("Higher orbits take longer.", "period_minutes(1000) > period_minutes(10)"),
            (
                "Four times the distance from the centre takes eight times as long.",
                f"abs(period_minutes({3 * radius}) / period_minutes(0) - 8) < 1e-9",
            ),
            (
                "The square of the period goes with the cube of the distance.",
                f"abs(period_minutes({radius}) ** 2 / period_minutes(0) ** 2 - 8) < 1e-9",
            ),
        ),
        false_claims=(
            (
                "Twice the altitude gives twice the period.",
                "abs(period_minutes(2000) - 2 * period_minutes(1000)) < 1e-6",
            ),
        ),
        exercises=(
            ("How long does an orbit just above the surface take?", "0"),
            ("How long does an orbit 400 km up take?", "400"),
            ("How long does an orbit 35786 km up take?", "35786"),
        ),
        exam=calls(0, 1, 100, 400, 1000, 2000.5, 35786, 500000),
        wrong=slips(
            code,
            wrong_formula=("sqrt(axis**3", "sqrt(axis**2"),
            off_by_one=("2 * pi", "pi"),
            wrong_constant=(f"{radius} + altitude_km", "altitude_km + 6371.5" if radius != 6371.5 else "altitude_km"),
            unit_slip=("seconds / 60", "seconds"),
        ),
    )


def _velocity_addition(numerator: int, denominator: int) -> Entry:
    speed = f"{numerator}/{denominator}"
    code = source(
        """
        from fractions import Fraction

        def added_velocity(numerator: int, denominator: int) -> list[int]:
            ship = Fraction(NUM, DEN)
            probe = Fraction(numerator, denominator)
            seen = (ship + probe) / (1 + ship * probe)
            return [seen.numerator, seen.denominator]
        """,
        NUM=numerator,
        DEN=denominator,
    )
    alternative = source(
        """
        from math import gcd

        def added_velocity(numerator: int, denominator: int) -> list[int]:
            along = NUM * denominator + DEN * numerator
            whole = DEN * denominator + NUM * numerator
            common = gcd(along, whole)
            return [along // common, whole // common]
        """,
        NUM=numerator,
        DEN=denominator,
    )
    return Entry(
        title=f"Relativistic addition of a velocity to {speed} c",
        statement=f"A ship flies at {speed} of the speed of light c. It sends a probe along its line of flight at numerator/denominator of c as measured on board (positive forwards, negative backwards, absolute value at most 1, denominator > 0). "
        "Return the velocity of the probe seen from rest, in units of c, as a reduced fraction [numerator, denominator] with positive denominator.",
        signature=signature(code),
        explanations=(
            f"Velocities do not simply add, because ship and observer measure lengths and times differently. In units of c the sum is (u + v)/(1 + u·v) with u = {speed}; the denominator keeps the result at or below 1.",
            f"Rapidities add instead of velocities. Taking the hyperbolic tangent of the sum of two rapidities gives the addition theorem (u + v)/(1 + uv), here for u = {speed}, and explains why light (v = 1) stays at 1.",
            f"For small v the correction u·v hardly matters and Galileo's rule {speed} + v is nearly right. Near the speed of light it dominates: the closer both velocities come to 1, the closer numerator and denominator are to each other.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("Light sent from the ship still moves at c.", "added_velocity(1, 1) == [1, 1]"),
            ("A probe at rest on board moves with the ship.", f"added_velocity(0, 1) == [{numerator}, {denominator}]"),
            (
                "Sent backwards at the ship's own speed it is at rest.",
                f"added_velocity({-numerator}, {denominator}) == [0, 1]",
            ),
        ),
        false_claims=(
            (
                "Velocities add: half the speed of light more is u + 1/2.",
                f"added_velocity(1, 2)[0] * {2 * denominator} == {2 * numerator + denominator} * added_velocity(1, 2)[1]",
            ),
        ),
        exercises=(
            ("How fast is a probe sent forwards at half the speed of light?", "1, 2"),
            ("How fast is one sent backwards at a third of c?", "-1, 3"),
            ("How fast is one sent forwards at 9/10 of c?", "9, 10"),
        ),
        exam=calls(
            (0, 1), (1, 1), (-1, 1), (1, 2), (-1, 3), (9, 10), (2, 4), (-numerator, denominator), (99, 100), (-7, 8)
        ),
        wrong=slips(
            code,
            wrong_formula=("(1 + ship * probe)", "1"),
            off_by_one=("(1 + ship * probe)", "(1 - ship * probe / 2)"),
            wrong_constant=(f"Fraction({numerator}, {denominator})", f"Fraction({numerator}, {denominator + 1})"),
        ),
    )


_GRAVITIES = (
    ("Earth", 9.81),
    ("the Moon", 1.62),
    ("Mars", 3.71),
    ("Venus", 8.87),
    ("Mercury", 3.7),
    ("Jupiter", 24.79),
    ("Saturn", 10.44),
    ("Uranus", 8.69),
    ("Neptune", 11.15),
    ("Pluto", 0.62),
    ("Titan", 1.35),
    ("Ceres", 0.28),
)  # m/s² at the surface

_ATTRACTORS = (
    ("Earth", 6371.0, 398600.4),
    ("the Moon", 1737.4, 4902.8),
    ("Mercury", 2439.7, 22031.9),
    ("Venus", 6051.8, 324858.6),
    ("Mars", 3389.5, 42828.4),
    ("Jupiter", 69911.0, 126686531.9),
    ("Saturn", 58232.0, 37931206.2),
    ("Uranus", 25362.0, 5793951.3),
    ("Neptune", 24622.0, 6835099.5),
    ("Pluto", 1188.3, 869.6),
    ("Ceres", 469.7, 62.6),
    ("Vesta", 262.7, 17.3),
    ("Io", 1821.6, 5959.9),
    ("Europa", 1560.8, 3202.7),
    ("Ganymede", 2634.1, 9887.8),
    ("Callisto", 2410.3, 7179.3),
    ("Titan", 2574.7, 8978.1),
    ("Rhea", 763.8, 153.9),
    ("Triton", 1353.4, 1428.5),
    ("Charon", 606.0, 105.9),
    ("Eris", 1163.0, 1108.0),
    ("the Sun", 695700.0, 132712440041.9),
)  # radius in km, GM in km³/s²

FAMILIES: tuple[Family, ...] = (
    Family(
        "projectile-ranges",
        "physics",
        "Projectile ranges",
        (),
        [(body, gravity, degrees) for degrees in range(5, 90, 5) for body, gravity in _GRAVITIES],
        _projectile,
    ),
    Family(
        "stopping-distances",
        "physics",
        "Stopping distances",
        (),
        [(friction / 20, reaction / 10) for friction in range(2, 17) for reaction in range(5, 19)],
        _stopping,
    ),
    Family("circular-orbits", "physics", "Periods of circular orbits", ("projectile-ranges",), _ATTRACTORS, _orbit),
    Family(
        "relativistic-velocity-addition",
        "physics",
        "Relativistic velocity addition",
        (),
        [(part, whole) for whole in range(2, 26) for part in range(1, whole) if gcd(part, whole) == 1],
        _velocity_addition,
    ),
    *_CIRCUITS,
    *_MATTER,
)
