"""Circuits, lenses and sound; imported by the physics domain only."""

from fractions import Fraction

from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family


def _resistors(first: int, second: int) -> Entry:
    code = source(
        """
        from fractions import Fraction

        def current_milliamperes(series_ohms: int, volts: int) -> list[int]:
            parallel = Fraction(FIRST * SECOND, FIRST + SECOND)
            current = 1000 * volts / (series_ohms + parallel)
            return [current.numerator, current.denominator]
        """,
        FIRST=first,
        SECOND=second,
    )
    alternative = source(
        """
        from fractions import Fraction

        def current_milliamperes(series_ohms: int, volts: int) -> list[int]:
            conductance = Fraction(1, FIRST) + Fraction(1, SECOND)
            share = 1 / (1 + series_ohms * conductance)
            current = volts * share * conductance * 1000
            return [current.numerator, current.denominator]
        """,
        FIRST=first,
        SECOND=second,
    )
    return Entry(
        title=f"Current through {first} ohms parallel to {second} ohms behind a series resistor",
        statement=f"Resistors of {first} Ω and {second} Ω are connected in parallel, and a resistor of `series_ohms` >= 0 ohms in series with the pair. `volts` volts lie across all of it. "
        "Return the total current in milliamperes as a reduced fraction [numerator, denominator].",
        signature=signature(code),
        explanations=(
            f"Parallel branches see the same voltage, so their conductances 1/{first} and 1/{second} add and the pair acts like {first}·{second}/({first} + {second}) ohms. In series resistances add; Ohm's law then gives amperes, a thousand times as many milliamperes.",
            f"Replace the network step by step. First the pair of {first} Ω and {second} Ω becomes one resistor smaller than either of them, because a second path eases the flow. Then the series resistor is added to it, and the voltage is divided by the sum.",
            f"The current is limited by what it must cross one after the other: the series resistor and the pair. The pair offers two ways at once, which is why its resistance is the product {first * second} over the sum {first + second} and not that sum.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("Without voltage no current flows.", "current_milliamperes(5, 0) == [0, 1]"),
            (
                "With no series resistor the branch currents add.",
                f"current_milliamperes(0, {first * second}) == [{1000 * (first + second)}, 1]",
            ),
            (
                "Reversing the voltage reverses the current.",
                "current_milliamperes(7, -3)[0] == -current_milliamperes(7, 3)[0]",
            ),
        ),
        false_claims=(
            ("The pair has the sum of both resistances.", f"current_milliamperes(0, {first + second}) == [1000, 1]"),
        ),
        exercises=(
            ("What current flows at 12 V without a series resistor?", "0, 12"),
            ("What current flows at 5 V behind 100 ohms?", "100, 5"),
            ("What current flows at 230 V behind 47 ohms?", "47, 230"),
        ),
        exam=calls((0, 12), (0, 1), (5, 0), (100, 5), (47, 230), (7, -3), (1, 1), (1000, 9), (first, second)),
        wrong=slips(
            code,
            wrong_formula=(f"Fraction({first} * {second}, {first} + {second})", f"Fraction({first} + {second})"),
            off_by_one=("(series_ohms + parallel)", "(series_ohms + 1 + parallel)"),
            wrong_constant=(f"{first} * {second},", f"{first} * {second + 1},"),
            unit_slip=("1000 * volts", "volts"),
        ),
    )


def _capacitor(kiloohms: int, microfarads: int) -> Entry:
    constant = kiloohms * microfarads
    code = source(
        """
        from math import exp

        def current_microamperes(volts: float, milliseconds: float) -> float:
            time_constant = KILOOHMS * MICROFARADS
            initial_current = 1000 * volts / KILOOHMS
            return initial_current * exp(-milliseconds / time_constant)
        """,
        KILOOHMS=kiloohms,
        MICROFARADS=microfarads,
    )
    alternative = source(
        """
        def current_microamperes(volts: float, milliseconds: float) -> float:
            ohms, farads, seconds = KILOOHMS * 1000, MICROFARADS / 1000000, milliseconds / 1000
            remaining_volts = volts * 2.718281828459045 ** (-seconds / (ohms * farads))
            return remaining_volts / ohms * 1000000
        """,
        KILOOHMS=kiloohms,
        MICROFARADS=microfarads,
    )
    return Entry(
        title=f"Discharge of {microfarads} µF through {kiloohms} kΩ",
        statement=f"A capacitor of {microfarads} µF charged to `volts` volts is discharged through a resistor of {kiloohms} kΩ from time 0 on. Return the current after `milliseconds` >= 0 ms in microamperes as a float.",
        signature=signature(code),
        explanations=(
            f"The current is proportional to the voltage, and the voltage falls at a rate proportional to the current: such a quantity decays exponentially. Kiloohms times microfarads are milliseconds, so the time constant is {kiloohms}·{microfarads} = {constant} ms.",
            f"At first the full voltage drives volts/{kiloohms} milliamperes, a thousand times as many microamperes. Every {constant} ms the current shrinks to 1/e, about 37 %, of what it was, because the charge that drives it shrinks likewise.",
            f"Kirchhoff's rule gives R·dQ/dt + Q/C = 0 with R = {kiloohms} kΩ and C = {microfarads} µF. Its solution Q = Q0·exp(-t/RC) has the derivative -Q/(RC); in absolute value this is the initial current times the same exponential.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                f"The initial current is the voltage over {kiloohms} kΩ.",
                f"abs(current_microamperes({kiloohms}, 0) - 1000) < 1e-9",
            ),
            (
                f"After {constant} ms it has fallen to 1/e.",
                f"abs(current_microamperes(10, {constant}) / current_microamperes(10, 0) - 0.36787944117144233) < 1e-9",
            ),
            (
                "Twice the voltage gives twice the current.",
                f"abs(current_microamperes(10, {constant}) - 2 * current_microamperes(5, {constant})) < 1e-6",
            ),
        ),
        false_claims=(
            (
                f"After {constant} ms half of the current is left.",
                f"abs(current_microamperes(10, {constant}) / current_microamperes(10, 0) - 0.5) < 1e-3",
            ),
        ),
        exercises=(
            ("What current flows at once at 9 V?", "9, 0"),
            (f"What current is left of 12 V after {constant} ms?", f"12, {constant}"),
            (f"What current is left of 5 V after {2 * constant} ms?", f"5, {2 * constant}"),
        ),
        exam=calls(
            (0, 1),
            (9, 0),
            (12, constant),
            (5, 2 * constant),
            (1, constant / 2),
            (230, constant / 4),
            (3.3, 1),
            (24, constant * 1.5),
            (1000, 10),
        ),
        wrong=slips(
            code,
            wrong_formula=("* exp(-milliseconds / time_constant)", "* (1 - exp(-milliseconds / time_constant))"),
            off_by_one=(f"{kiloohms} * {microfarads}", f"{kiloohms} * {microfarads + 1}"),
            wrong_constant=("exp(-milliseconds / time_constant)", "2 ** (-milliseconds / time_constant)"),
            unit_slip=("1000 * volts", "volts"),
        ),
    )


def _lens(focal: int) -> Entry:
    kind = "converging" if focal > 0 else "diverging"
    code = source(
        """
        from fractions import Fraction

        def image_millimetres(object_centimetres: int) -> list[int] | None:
            if object_centimetres == FOCAL:
                return None
            image = Fraction(10 * FOCAL * object_centimetres, object_centimetres - FOCAL)
            return [image.numerator, image.denominator]
        """,
        FOCAL=focal,
    )
    alternative = source(
        """
        from fractions import Fraction

        def image_millimetres(object_centimetres: int) -> list[int] | None:
            vergence = Fraction(1, 10 * FOCAL) - Fraction(1, 10 * object_centimetres)
            if not vergence:
                return None
            image = 1 / vergence
            return [image.numerator, image.denominator]
        """,
        FOCAL=focal,
    )
    near, far = max(1, abs(focal) - 1), abs(focal) + 1
    behind = (
        f"image_millimetres({2 * focal}) == [{20 * focal}, 1]"
        if focal > 0
        else f"image_millimetres({-focal}) == [{5 * focal}, 1]"
    )
    behind_text = (
        f"An object at twice the focal length is imaged at twice the focal length, {20 * focal} mm."
        if focal > 0
        else f"An object {-focal} cm away appears at half that distance, on its own side."
    )
    side = (
        (f"At the focus, {focal} cm, there is no image.", f"image_millimetres({focal}) is None")
        if focal > 0
        else ("The image is always virtual.", "all(image_millimetres(distance)[0] < 0 for distance in range(1, 50))")
    )
    return Entry(
        title=f"Image by a {kind} thin lens of focal length {focal} cm",
        statement=f"An object stands `object_centimetres` > 0 cm in front of a thin {kind} lens of focal length {focal} cm. Return the image distance in millimetres as a reduced fraction [numerator, denominator] with positive denominator, "
        "positive behind the lens (real), negative in front of it (virtual); None when the rays leave parallel.",
        signature=signature(code),
        explanations=(
            f"A thin lens adds its power 1/f to the vergence of the light: 1/image = 1/{focal} - 1/object, in centimetres. Solving gives image = {focal}·object/(object - {focal}), and ten times that is in millimetres.",
            f"Two rays suffice to find the image: the one through the centre goes straight on, the one parallel to the axis goes through a focus {abs(focal)} cm away. Similar triangles turn that drawing into the lens equation, and a negative result means that the rays only seem to meet in front of the lens.",
            f"The sign of object - ({focal}) decides on real or virtual, since the lens can only make the light converge if its power exceeds the divergence of the incoming rays. At equality the outgoing rays are parallel; with a focal length of {focal} cm this {'happens at the focus' if focal > 0 else 'never happens, as a diverging lens only spreads the light'}.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            side,
            (behind_text, behind),
            (
                "A very distant object is imaged near a focus.",
                f"abs(image_millimetres(10 ** 9)[0] / image_millimetres(10 ** 9)[1] - {10 * focal}) < 0.01",
            ),
        ),
        false_claims=(
            ("The image is always at the focus.", f"image_millimetres({3 * abs(focal)}) == [{10 * focal}, 1]"),
        ),
        exercises=(
            (f"Where is the image of an object {3 * abs(focal)} cm away?", f"{3 * abs(focal)}"),
            ("Where is the image of an object 1 cm away?", "1"),
            ("Where is the image of an object 250 cm away?", "250"),
        ),
        exam=calls(1, near, abs(focal), far, 2 * abs(focal), 3 * abs(focal), 250, 1000, 7, 12345, 31),
        wrong=slips(
            code,
            wrong_formula=(f"object_centimetres - {focal})", f"object_centimetres + {focal})"),
            off_by_one=(f"object_centimetres - {focal})", f"object_centimetres - {focal + 1} or 1)"),
            wrong_constant=(f"* {focal} *", f"* {2 * focal} *"),
            unit_slip=(f"10 * {focal}", f"{focal}"),
        ),
    )


def _doppler(medium: str, sound: int, observer: int) -> Entry:
    code = source(
        """
        from fractions import Fraction

        def heard_hertz(hertz: int, source_kmh: int) -> list[int] | None:
            source_speed = Fraction(source_kmh * 5, 18)
            if source_speed >= SOUND:
                return None
            heard = hertz * (SOUND + OBSERVER) / (SOUND - source_speed)
            return [heard.numerator, heard.denominator]
        """,
        SOUND=sound,
        OBSERVER=observer,
    )
    alternative = source(
        """
        from fractions import Fraction

        def heard_hertz(hertz: int, source_kmh: int) -> list[int] | None:
            source_speed = Fraction(source_kmh * 1000, 3600)
            if SOUND - source_speed <= 0:
                return None
            heard = hertz * (1 + Fraction(OBSERVER, SOUND)) / (1 - source_speed / SOUND)
            return [heard.numerator, heard.denominator]
        """,
        SOUND=sound,
        OBSERVER=observer,
    )
    critical = -(-sound * 18 // 5)  # km/h, the first whole speed that is not subsonic
    return Entry(
        title=f"Doppler effect in {medium} for an observer approaching at {observer} m/s",
        statement=f"In {medium}, where sound travels at {sound} m/s, a source of `hertz` hertz moves at `source_kmh` km/h straight towards an observer (negative: away), who moves at {observer} m/s towards the source. "
        "Return the frequency heard as a reduced fraction [numerator, denominator], or None when the source is not slower than sound.",
        signature=signature(code),
        explanations=(
            f"A moving source shortens the waves ahead of it: crests that leave one period apart are only ({sound} - source)/frequency metres apart. The observer meets them at {sound} + {observer} m/s, and the ratio is the frequency heard.",
            f"Source and observer enter differently, since only the speed relative to {medium} counts. The observer's motion multiplies by 1 + {observer}/{sound}; the source's motion divides by 1 - source/{sound}. A speed in km/h is 5/18 of itself in m/s.",
            f"When the source approaches the speed of sound, {sound} m/s, the crests pile up and the denominator vanishes, so the formula ends there. Below it, approaching raises the pitch and receding lowers it, by unequal amounts.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                f"With the source at rest the factor is {sound + observer}/{sound}.",
                f"heard_hertz({sound}, 0) == [{sound + observer}, 1]",
            ),
            (
                "Approaching sounds higher than receding.",
                "heard_hertz(440, 90)[0] * heard_hertz(440, -90)[1] > heard_hertz(440, -90)[0] * heard_hertz(440, 90)[1]",
            ),
            ("At the speed of sound the formula ends.", f"heard_hertz(440, {critical}) is None"),
        ),
        false_claims=(
            (
                "Approaching raises the pitch by just as much as receding lowers it.",
                f"heard_hertz({sound}, 180)[0] / heard_hertz({sound}, 180)[1] + heard_hertz({sound}, -180)[0] / heard_hertz({sound}, -180)[1] == {2 * (sound + observer)}",
            ),
        ),
        exercises=(
            ("What is heard of 440 Hz from a source approaching at 90 km/h?", "440, 90"),
            ("What is heard of 1000 Hz from a source receding at 36 km/h?", "1000, -36"),
            ("What is heard of 700 Hz from a source at rest?", "700, 0"),
        ),
        exam=calls(
            (sound, 0),
            (700, 0),
            (440, 90),
            (440, -90),
            (1000, -36),
            (0, 50),
            (440, critical - 1),
            (440, critical),
            (440, critical + 1),
            (1, 7),
            (25000, 400),
        ),
        wrong=slips(
            code,
            wrong_formula=(f"({sound} - source_speed)", f"({sound} + source_speed)"),
            off_by_one=(f"({sound} + {observer})", f"({sound} + {observer + 1})"),
            wrong_constant=(f"({sound} - source_speed)", f"({sound + 10} - source_speed)"),
            unit_slip=("Fraction(source_kmh * 5, 18)", "Fraction(source_kmh)"),
        ),
    )


_E_SERIES = (10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82, 100, 120, 150, 180, 220, 270, 330, 390)  # ohms, E12


_MEDIA = (
    ("air at 0 °C", 331),
    ("air at 20 °C", 343),
    ("air at 30 °C", 349),
    ("argon", 319),
    ("carbon dioxide", 259),
    ("helium", 972),
    ("hydrogen", 1286),
    ("methane", 430),
    ("fresh water", 1482),
    ("sea water", 1522),
)  # speed of sound in m/s


def _different_pairs() -> list[tuple[int, int]]:
    """Pairs of E12 resistors; of pairs with the same parallel resistance only the first."""
    first: dict[Fraction, tuple[int, int]] = {}
    for one in _E_SERIES:
        for other in _E_SERIES:
            if one <= other:
                first.setdefault(Fraction(one * other, one + other), (one, other))
    return list(first.values())


FAMILIES: tuple[Family, ...] = (
    Family("resistor-networks", "physics", "Resistor networks", (), _different_pairs(), _resistors),
    Family(
        "capacitor-discharges",
        "physics",
        "Capacitor discharges",
        ("resistor-networks", "radioactive-decay"),
        [
            (ohms, farads)
            for ohms in (1, 2, 3, 5, 10, 15, 22, 33, 47, 68, 100, 150, 220, 330)
            for farads in (1, 2, 3, 4, 5, 7, 10, 15, 22, 33, 47, 68, 100, 150, 220)
        ],
        _capacitor,
    ),
    Family(
        "thin-lenses",
        "physics",
        "Thin lenses",
        (),
        [(sign * focal,) for focal in range(2, 102) for sign in (1, -1)],
        _lens,
    ),
    Family(
        "doppler-effect",
        "physics",
        "Doppler effect",
        (),
        [(medium, sound, observer) for observer in range(20) for medium, sound in _MEDIA],
        _doppler,
    ),
)
