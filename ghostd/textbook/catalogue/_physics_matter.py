"""Gases, heat and decay; imported by the physics domain only."""

from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family


def _decay(isotope: str, half_life: float, unit: str) -> Entry:
    hours = {"days": 24, "years": 8766}[unit]
    long = " (a year is 8766 hours)" if unit == "years" else ""
    code = source(
        """
        def remaining(amount: float, elapsed_hours: float) -> float:
            half_lives = elapsed_hours / (HALF_LIFE * HOURS)
            return amount * 0.5**half_lives
        """,
        HALF_LIFE=half_life,
        HOURS=hours,
    )
    alternative = source(
        """
        from math import exp, log

        def remaining(amount: float, elapsed_hours: float) -> float:
            rate_per_hour = log(2) / (HALF_LIFE * HOURS)
            return amount * exp(-rate_per_hour * elapsed_hours)
        """,
        HALF_LIFE=half_life,
        HOURS=hours,
    )
    one = half_life * hours
    return Entry(
        title=f"Radioactive decay of {isotope}",
        statement=f"{isotope} has a half-life of {half_life} {unit}{long}. Return as a float how much of `amount` (any unit) is left after `elapsed_hours` >= 0 hours.",
        signature=signature(code),
        explanations=(
            f"Each nucleus of {isotope} decays with the same chance per hour, whatever its age. So equal times remove equal shares, half of what is there in every {half_life} {unit}: the amount is multiplied by 1/2 to the number of half-lives.",
            f"Count half-lives first: convert {half_life} {unit} to hours with the factor {hours} and divide the elapsed hours by the product. Halving that many times, fractions of a half-life included, gives the rest.",
            f"The decay rate is proportional to the amount, dN/dt = -λN, with λ = ln 2/({half_life} {unit}). The solution is an exponential that never reaches zero; base 1/2 and base e only differ in how λ is written.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("At first everything is there.", "remaining(80, 0) == 80"),
            ("After one half-life half is left.", f"abs(remaining(80, {one}) - 40) < 1e-9"),
            ("After two half-lives a quarter is left.", f"abs(remaining(80, {2 * one}) - 20) < 1e-9"),
        ),
        false_claims=(("After two half-lives nothing is left.", f"abs(remaining(80, {2 * one})) < 1e-9"),),
        exercises=(
            (f"How much of 100 is left after {half_life} {unit}?", f"100, {one}"),
            ("How much of 1000 is left after 1000 hours?", "1000, 1000"),
            (f"How much of 64 is left after {3 * one} hours?", f"64, {3 * one}"),
        ),
        exam=calls(
            (80, 0),
            (80, one),
            (80, 2 * one),
            (64, 3 * one),
            (1000, 1000),
            (100, one / 2),
            (0, one),
            (5000, one / 10),
            (1000000, 5 * one),
        ),
        wrong=slips(
            code,
            wrong_formula=("amount * 0.5**half_lives", "amount / (1 + half_lives)"),
            off_by_one=("0.5**half_lives", "0.5 ** (half_lives + 1)"),
            wrong_constant=("0.5**half_lives", "0.36787944117144233**half_lives"),
            unit_slip=(f" * {hours})", ")"),
        ),
    )


def _mixing(substance: str, heat: int, grams: int) -> Entry:
    code = source(
        """
        def final_celsius(hot_celsius: float, water_kilograms: float, water_celsius: float) -> float:
            hot_capacity = HEAT * GRAMS / 1000
            water_capacity = 4186 * water_kilograms
            stored = hot_capacity * hot_celsius + water_capacity * water_celsius
            return stored / (hot_capacity + water_capacity)
        """,
        HEAT=heat,
        GRAMS=grams,
    )
    alternative = source(
        """
        def final_celsius(hot_celsius: float, water_kilograms: float, water_celsius: float) -> float:
            ratio = 4.186 * 1000 * water_kilograms / (HEAT * (GRAMS / 1000))
            return water_celsius + (hot_celsius - water_celsius) / (1 + ratio)
        """,
        HEAT=heat,
        GRAMS=grams,
    )
    return Entry(
        title=f"Mixing temperature of {grams} g of {substance} in water",
        statement=f"{grams} g of {substance} (specific heat {heat} J/(kg·K)) at `hot_celsius` are put into `water_kilograms` >= 0 kg of water (4186 J/(kg·K)) at `water_celsius`. No heat is lost and nothing melts or boils. "
        "Return the common final temperature in degrees Celsius as a float.",
        signature=signature(code),
        explanations=(
            f"What the {substance} gives away the water takes up. Each body exchanges mass times specific heat times its change of temperature, and setting the sum to zero makes the final temperature a mean weighted with the heat capacities.",
            f"The {substance} has the heat capacity {heat} J/(kg·K)·{grams / 1000} kg; water has 4186 J/(kg·K) times its mass. Since water's specific heat is so large, the result lies much nearer to the water than the masses suggest.",
            f"Think of a balance with two weights at the two temperatures: the final temperature is their centre of mass. The weights are heat capacities, not masses, and grams must be converted because {heat} J/(kg·K) refers to a kilogram.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("Bodies of equal temperature stay there.", "abs(final_celsius(35, 2, 35) - 35) < 1e-9"),
            ("Without water nothing cools down.", "abs(final_celsius(90, 0, 10) - 90) < 1e-9"),
            ("The result lies between the two temperatures.", "10 < final_celsius(90, 1, 10) < 90"),
        ),
        false_claims=(
            ("The result is the plain mean of the two temperatures.", "abs(final_celsius(90, 3, 10) - 50) < 1e-6"),
        ),
        exercises=(
            ("What results from 90 °C and 1 kg of water at 10 °C?", "90, 1, 10"),
            ("What results from 200 °C and 0.5 kg of water at 20 °C?", "200, 0.5, 20"),
            ("What results from -20 °C and 2 kg of water at 30 °C?", "-20, 2, 30"),
        ),
        exam=calls(
            (90, 1, 10),
            (200, 0.5, 20),
            (-20, 2, 30),
            (35, 2, 35),
            (90, 0, 10),
            (300, 0.05, 0),
            (0, 0.2, 99),
            (150, 10, 15.5),
            (61.5, 0.75, 12.25),
        ),
        wrong=slips(
            code,
            wrong_formula=(f"{heat} * {grams} / 1000", f"4186 * {grams} / 1000"),
            off_by_one=("stored / (hot_capacity + water_capacity)", "stored / (hot_capacity + water_capacity + 1)"),
            wrong_constant=("4186", "2100"),
            unit_slip=(f"{heat} * {grams} / 1000", f"{heat} * {grams}"),
        ),
    )


def _van_der_waals(gas: str, attraction: float, covolume: float, litres: int) -> Entry:
    code = source(
        """
        def pressure_bar(moles: float, celsius: float) -> float:
            kelvin = celsius + 273.15
            thermal = moles * 0.0831446 * kelvin / (LITRES - moles * COVOLUME)
            cohesion = ATTRACTION * moles**2 / LITRES**2
            return thermal - cohesion
        """,
        LITRES=litres,
        COVOLUME=covolume,
        ATTRACTION=attraction,
    )
    alternative = source(
        """
        def pressure_bar(moles: float, celsius: float) -> float:
            if moles == 0:
                return 0.0
            molar_volume = LITRES / moles
            ideal = 0.0831446 * (273.15 + celsius) / molar_volume
            return ideal / (1 - COVOLUME / molar_volume) - ATTRACTION / molar_volume**2
        """,
        LITRES=litres,
        COVOLUME=covolume,
        ATTRACTION=attraction,
    )
    return Entry(
        title=f"Van der Waals pressure of {gas} in {litres} litres",
        statement=f"Return the pressure in bar, as a float, of `moles` >= 0 mol of {gas} in {litres} L at `celsius` degrees Celsius by the van der Waals equation with a = {attraction} L²·bar/mol², b = {covolume} L/mol, "
        f"R = 0.0831446 L·bar/(mol·K) and 0 °C = 273.15 K. The molecules fit: moles·{covolume} < {litres}.",
        signature=signature(code),
        explanations=(
            f"The ideal gas law is corrected twice. Molecules of {gas} need room, so the free volume is {litres} minus {covolume} L per mole; and they attract each other, which lowers the pressure on the wall by {attraction} times the squared density.",
            f"Repulsion acts through b = {covolume} L/mol and raises the pressure, attraction through a = {attraction} L²·bar/mol² and lowers it. Attraction goes with pairs of molecules, hence with the square of moles per {litres} litres.",
            f"For a thin gas both corrections vanish and nRT/V remains, with absolute temperature: 0 °C is 273.15 K, not zero. In {litres} litres a few moles of {gas} already feel the difference.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("No gas exerts no pressure.", "pressure_bar(0, 20) == 0"),
            ("Heating at constant volume raises the pressure.", "pressure_bar(1, 100) > pressure_bar(1, 0)"),
            (
                "A very thin gas is nearly ideal.",
                f"abs(pressure_bar(0.0001, 0) / (0.0001 * 0.0831446 * 273.15 / {litres}) - 1) < 0.001",
            ),
        ),
        false_claims=(
            (
                "Doubling the Celsius temperature doubles the pressure.",
                "abs(pressure_bar(1, 40) - 2 * pressure_bar(1, 20)) < 1e-6",
            ),
        ),
        exercises=(
            ("What is the pressure of 1 mol at 0 °C?", "1, 0"),
            ("What is the pressure of 2 mol at 25 °C?", "2, 25"),
            ("What is the pressure of 0.5 mol at -50 °C?", "0.5, -50"),
        ),
        exam=calls((0, 20), (1, 0), (2, 25), (0.5, -50), (1, 100), (3, 300), (0.1, 0), (4, 127.5), (1, -100)),
        wrong=slips(
            code,
            wrong_formula=("thermal - cohesion", "thermal + cohesion"),
            off_by_one=("moles**2", "moles**3"),
            wrong_constant=("273.15", "237.15"),
            unit_slip=("celsius + 273.15", "celsius"),
        ),
    )


_ISOTOPES = (
    ("iodine-131", 8.02, "days"), ("iodine-123", 0.551, "days"), ("iodine-125", 59.4, "days"), ("technetium-99m", 0.2503, "days"), ("fluorine-18", 0.0762, "days"), ("phosphorus-32", 14.27, "days"),
    ("sulfur-35", 87.37, "days"), ("chromium-51", 27.7, "days"), ("cobalt-57", 271.7, "days"), ("cobalt-60", 5.27, "years"), ("iron-59", 44.5, "days"), ("zinc-65", 243.9, "days"),
    ("strontium-89", 50.6, "days"), ("strontium-90", 28.9, "years"), ("yttrium-90", 2.67, "days"), ("molybdenum-99", 2.75, "days"), ("cesium-134", 2.065, "years"), ("cesium-137", 30.1, "years"),
    ("barium-140", 12.75, "days"), ("polonium-210", 138.4, "days"), ("radon-222", 3.82, "days"), ("radium-226", 1600.0, "years"), ("thorium-234", 24.1, "days"), ("tritium", 12.32, "years"),
    ("carbon-14", 5730.0, "years"), ("sodium-22", 2.6, "years"), ("sodium-24", 0.623, "days"), ("gallium-67", 3.26, "days"), ("thallium-201", 3.04, "days"), ("lutetium-177", 6.65, "days"),
    ("americium-241", 432.6, "years"), ("plutonium-238", 87.7, "years"), ("plutonium-239", 24110.0, "years"), ("nickel-63", 101.2, "years"), ("iridium-192", 73.8, "days"), ("californium-252", 2.645, "years"),
)  # fmt: skip

_SUBSTANCES = (
    ("aluminium", 897),
    ("copper", 385),
    ("iron", 449),
    ("lead", 129),
    ("silver", 235),
    ("zinc", 388),
    ("tin", 227),
    ("granite", 790),
    ("glass", 840),
    ("nickel", 444),
    ("titanium", 523),
    ("olive oil", 1970),
    ("ethanol", 2440),
    ("brass", 377),
)  # J/(kg·K)

_GASES = (
    ("helium", 0.0346, 0.0238),
    ("neon", 0.208, 0.0167),
    ("argon", 1.355, 0.032),
    ("krypton", 2.325, 0.0396),
    ("xenon", 4.192, 0.0516),
    ("hydrogen", 0.2452, 0.0265),
    ("nitrogen", 1.37, 0.0387),
    ("oxygen", 1.382, 0.0319),
    ("carbon dioxide", 3.658, 0.0429),
    ("methane", 2.303, 0.0431),
    ("ammonia", 4.225, 0.0371),
    ("ethane", 5.58, 0.0651),
    ("propane", 9.39, 0.0905),
    ("chlorine", 6.343, 0.0542),
)  # a in L²·bar/mol², b in L/mol


FAMILIES: tuple[Family, ...] = (
    Family("radioactive-decay", "physics", "Radioactive decay", (), _ISOTOPES, _decay),
    Family(
        "mixing-temperatures",
        "physics",
        "Mixing temperatures",
        (),
        [(substance, heat, grams) for grams in range(50, 800, 50) for substance, heat in _SUBSTANCES],
        _mixing,
    ),
    Family(
        "van-der-waals-gases",
        "physics",
        "Van der Waals gases",
        ("mixing-temperatures",),
        [(*gas, litres) for litres in (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 24, 30, 40, 50) for gas in _GASES],
        _van_der_waals,
    ),
)
