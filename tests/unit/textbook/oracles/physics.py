"""Independent answers for the physics domain: bisection, areas under graphs, conservation laws, decimal arithmetic."""

from decimal import Decimal, localcontext
from fractions import Fraction
from math import cos, pi, sin

from .rational import pair


def _bisect(function, low, high):
    """The zero of an increasing function between two bounds, to the last bit."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return (low + high) / 2


def projectile_ranges(_body, gravity, degrees):
    """The moment of impact by bisection after the top of the flight, where the ball only falls."""

    def answer(speed_kmh, height):
        speed, angle = speed_kmh / 3.6, pi * degrees / 180
        top = speed * sin(angle) / gravity

        def depth(time):  # below ground; written around the top, where it is well conditioned
            return gravity * (time - top) ** 2 / 2 - (height + gravity * top**2 / 2)

        return speed * cos(angle) * _bisect(depth, top, 10 * top + 1000)

    return answer


def stopping_distances(friction, reaction):
    """The area of the polygon under the graph of speed against time (shoelace)."""

    def answer(speed_kmh):
        speed = speed_kmh / 3.6
        stop = reaction + speed / (friction * 9.81)
        corners = [(0, 0), (stop, 0), (reaction, speed), (0, speed)]
        shifted = corners[1:] + corners[:1]
        return sum(ax * by - bx * ay for (ax, ay), (bx, by) in zip(corners, shifted, strict=True)) / 2

    return answer


def circular_orbits(_body, radius, parameter):
    """The angular speed at which centripetal and gravitational acceleration balance, by bisection."""

    def answer(altitude_km):
        distance = radius + altitude_km
        angular = _bisect(lambda rate: rate * rate * distance - parameter / distance**2, 0.0, 1.0)
        return 2 * pi / angular / 60

    return answer


def relativistic_velocity_addition(numerator, denominator):
    """Doppler factors (1 + v)/(1 - v) multiply."""

    def answer(probe, whole):
        if abs(probe) == whole:
            return [probe // whole, 1]
        factor = Fraction(denominator + numerator, denominator - numerator) * Fraction(whole + probe, whole - probe)
        return pair((factor - 1) / (factor + 1))

    return answer


def resistor_networks(first, second):
    """Kirchhoff: the voltage at the node between series resistor and pair is searched linearly, then checked."""

    def answer(series_ohms, volts):
        low, high = Fraction(0), Fraction(1)

        def surplus(node):  # current into the node minus current out of it, times the series resistance
            return (volts - node) - series_ohms * (Fraction(node) / first + Fraction(node) / second)

        node = low - surplus(low) * (high - low) / (surplus(high) - surplus(low))
        return pair(1000 * (Fraction(node) / first + Fraction(node) / second))

    return answer


def capacitor_discharges(kiloohms, microfarads):
    """Forty decimal digits in basic units."""

    def answer(volts, milliseconds):
        with localcontext() as context:
            context.prec = 40
            ohms, farads = Decimal(kiloohms) * 1000, Decimal(microfarads) / 10**6
            charge = Decimal(volts) * farads * (-(Decimal(milliseconds) / 1000) / (ohms * farads)).exp()
            return float(charge / farads / ohms * 10**6)

    return answer


def thin_lenses(focal):
    """Newton's form: the distances from the two foci multiply to the square of the focal length."""

    def answer(object_centimetres):
        beyond = object_centimetres - focal
        return None if beyond == 0 else pair(10 * (focal + Fraction(focal * focal, beyond)))

    return answer


def doppler_effect(_medium, sound, observer):
    """Follow two successive crests until each meets the observer."""

    def answer(hertz, source_kmh):
        source = Fraction(source_kmh * 1000, 3600)
        if source >= sound:
            return None
        if hertz == 0:
            return [0, 1]
        period, start = Fraction(1, hertz), 10**6  # the observer starts so many metres ahead

        def arrival(emitted):
            place = source * emitted
            return emitted + (start - observer * emitted - place) / (sound + observer)

        return pair(1 / (arrival(period) - arrival(Fraction(0))))

    return answer


def radioactive_decay(_isotope, half_life, unit):
    """Forty decimal digits, base e."""

    def answer(amount, elapsed_hours):
        with localcontext() as context:
            context.prec = 40
            hours = Decimal(half_life) * {"days": 24, "years": 8766}[unit]
            return float(Decimal(amount) * (-Decimal(2).ln() * Decimal(elapsed_hours) / hours).exp())

    return answer


def mixing_temperatures(_substance, heat, grams):
    """Energy balance: heat given and heat taken, by bisection on the final temperature."""

    def answer(hot_celsius, water_kilograms, water_celsius):
        def gained(final):
            return heat * grams / 1000 * (final - hot_celsius) + 4186 * water_kilograms * (final - water_celsius)

        return _bisect(gained, -300.0, 1000.0)

    return answer


def van_der_waals_gases(_gas, attraction, covolume, litres):
    """The pressure as minus the volume derivative of the Helmholtz energy, by a fine central difference."""

    def answer(moles, celsius):
        if moles == 0:
            return 0.0
        with localcontext() as context:
            context.prec = 60
            amount, kelvin = Decimal(moles), Decimal(celsius) + Decimal("273.15")

            def energy(volume):
                free = volume - amount * Decimal(covolume)
                return -amount * Decimal("0.0831446") * kelvin * free.ln() - Decimal(attraction) * amount**2 / volume

            step = Decimal(10) ** -20
            return float(-(energy(litres + step) - energy(litres - step)) / (2 * step))

    return answer


ORACLES = {
    "projectile-ranges": projectile_ranges,
    "stopping-distances": stopping_distances,
    "circular-orbits": circular_orbits,
    "relativistic-velocity-addition": relativistic_velocity_addition,
    "resistor-networks": resistor_networks,
    "capacitor-discharges": capacitor_discharges,
    "thin-lenses": thin_lenses,
    "doppler-effect": doppler_effect,
    "radioactive-decay": radioactive_decay,
    "mixing-temperatures": mixing_temperatures,
    "van-der-waals-gases": van_der_waals_gases,
}
