"""What calculus' functions must return, by other means: dual numbers, Taylor shifts, Bernoulli numbers, decimals."""

import functools
import itertools
import math
from decimal import Decimal, localcontext
from fractions import Fraction

_DIGITS = 60


def _pair(value):
    return [Fraction(value).numerator, Fraction(value).denominator]


def _shifted(coefficients, by):
    """Coefficients of p(x + by), by repeated synthetic division."""
    rest, shifted = [Fraction(c) for c in coefficients], []
    while rest:
        carried, row = Fraction(0), []
        for coefficient in reversed(rest):
            carried = carried * by + coefficient
            row.append(carried)
        shifted.append(row.pop())
        rest = row[::-1]
    return shifted


def _area(coefficients, low, high):
    moved = _shifted(coefficients, low)
    return sum((c * Fraction(high - low) ** (k + 1) / (k + 1) for k, c in enumerate(moved)), Fraction(0))


def _integral(low, high):
    return lambda coefficients: _pair(_area(coefficients, low, high))


def _volume(method, low, high):
    def volume(coefficients):
        """The integrand from its values: interpolated through enough points by Newton's divided differences."""

        def height(x):
            return sum(c * x**k for k, c in enumerate(coefficients))

        points = range(2 * len(coefficients) + 2)
        table = [Fraction(height(x) ** 2 if method == "disc" else 2 * x * height(x)) for x in points]
        total, basis = Fraction(0), [Fraction(1)]
        for x in points:
            total += table[0] * _area(basis, low, high)
            table = [(after - before) / (x + 1) for before, after in itertools.pairwise(table)]
            basis = [a - x * b for a, b in zip([Fraction(0), *basis], [*basis, Fraction(0)], strict=True)]
        return _pair(total)

    return volume


def _chain(slope, shift, power):
    def derivative(x):
        """With dual numbers: the part at epsilon of a product of `power` equal factors."""
        value, change = 1, 0
        for _ in range(power):
            value, change = value * (slope * x + shift), value * slope + change * (slope * x + shift)
        return change

    return derivative


def _difference(order, step):
    def difference(coefficients, x):
        """Difference the polynomial itself, `order` times, then evaluate it."""
        for _ in range(order):
            moved = _shifted(coefficients, step)
            coefficients = [after - before for before, after in zip(coefficients, moved, strict=True)]
        return int(sum(c * x**k for k, c in enumerate(coefficients)))

    return difference


@functools.cache
def _bernoulli(n):
    if n == 0:
        return Fraction(1)
    return -sum((math.comb(n + 1, k) * _bernoulli(k) for k in range(n)), Fraction(0)) / (n + 1)


def _riemann(side, power, panels):
    def riemann(b):
        """Faulhaber: a sum of shifted powers is a difference of two values of a Bernoulli polynomial."""

        def polynomial(x):
            return sum(math.comb(power + 1, k) * _bernoulli(k) * x ** (power + 1 - k) for k in range(power + 2))

        shift = {"left": Fraction(0), "right": Fraction(1), "midpoint": Fraction(1, 2)}[side]
        powers = (polynomial(panels + shift) - polynomial(shift)) / (power + 1)
        return _pair(powers * Fraction(b, panels) ** (power + 1))

    return riemann


_INTEGRANDS = {
    "sine": math.sin,
    "cosine": math.cos,
    "exponential": math.exp,
    "bell": lambda x: math.exp(-(x**2)),
    "lorentz": lambda x: 1 / (1 + x**2),
    "hyperbola": lambda x: math.hypot(1, x),
    "logarithm": lambda x: math.log1p(x**2),
    "oscillation": lambda x: x * math.sin(x),
}


def _quadrature(rule, integrand, panels):
    f = _INTEGRANDS[integrand]

    def trapezoid(a, b, n):
        return (b - a) * math.fsum(f(a + (b - a) * i / n) * (2 - (i in (0, n))) for i in range(n + 1)) / (2 * n)

    def midpoint(a, b, n):
        """Twice the trapezoid rule on the halved panels contains the trapezoid rule once and the midpoints once."""
        return 2 * trapezoid(a, b, 2 * n) - trapezoid(a, b, n)

    def simpson(a, b, n):
        """Richardson's extrapolation of the trapezoid rule."""
        return (4 * trapezoid(a, b, n) - trapezoid(a, b, n // 2)) / 3

    chosen = {"trapezoid": trapezoid, "midpoint": midpoint, "simpson": simpson}[rule]
    return lambda a, b: chosen(a, b, panels)


def _series(function, degree):
    """Taylor coefficients up to a degree, from the exponential and from integrated geometric series."""
    exponential = [Fraction(1, math.factorial(k)) for k in range(degree + 1)]
    geometric = [Fraction(1)] * (degree + 1)
    turned = [(1, 0), (0, 1), (-1, 0), (0, -1)]  # powers of i: real and imaginary part
    match function:
        case "exp":
            return exponential
        case "cos" | "sin":
            return [c * turned[k % 4][function == "sin"] for k, c in enumerate(exponential)]
        case "cosh" | "sinh":
            sign = 1 if function == "cosh" else -1
            return [(c + sign * c * (-1) ** k) / 2 for k, c in enumerate(exponential)]
        case "1/(1 - y)":
            return geometric
        case "log(1 + y)":
            return [Fraction(0), *(c * (-1) ** k / (k + 1) for k, c in enumerate(geometric))]
    squares = [turned[k % 4][0] * c for k, c in enumerate(geometric)]
    return [Fraction(0), *(c / (k + 1) for k, c in enumerate(squares))]


def _taylor(function, scale, terms):
    coefficients = [(k, c) for k, c in enumerate(_series(function, 2 * terms + 2)) if c][:terms]
    return lambda x: float(sum(c * (scale * Fraction(x)) ** k for k, c in coefficients))


def _newton(degree, start, steps):
    def root(a):
        with localcontext() as context:
            context.prec = _DIGITS
            x = Decimal(start)
            for _ in range(steps):
                x -= (x - Decimal(a) / x ** (degree - 1)) / degree
            return float(x)

    return root


def _cosine(t):
    return sum((-1) ** k * (t * t) ** k / math.factorial(2 * k) for k in range(1, 40)) + 1


_SLOPES = {
    "hyperbolic decay": lambda t, y: -(y**2),
    "logistic growth": lambda t, y: y - y**2,
    "gaussian decay": lambda t, y: -2 * t * y,
    "driven relaxation": lambda t, y: _cosine(t) - y,
    "quadratic forcing": lambda t, y: t**2 - y,
    "resonant relaxation": lambda t, y: (-t).exp() - y,
}


def _one_step(method, equation, steps):
    slope = _SLOPES[equation]

    def increment(t, y, h):
        k1 = slope(t, y)
        half = slope(t + h / 2, y + k1 * h / 2)
        match method:
            case "euler":
                return h * k1
            case "midpoint":
                return h * half
            case "heun":
                return h * k1 + h * (slope(t + h, y + h * k1) - k1) / 2
        k3 = slope(t + h / 2, y + half * h / 2)
        simpson = k1 + 4 * (half + k3) / 2 + slope(t + h, y + k3 * h)
        return h * simpson / 6

    def solve(y, end):
        with localcontext() as context:
            context.prec = _DIGITS
            h, t, y = Decimal(end) / steps, Decimal(0), Decimal(y)
            for _ in range(steps):
                t, y = t + h, y + increment(t, y, h)
            return float(y)

    return solve


ORACLES = {
    "polynomial-integrals": _integral,
    "volumes-of-revolution": _volume,
    "chain-rule-powers": _chain,
    "forward-differences": _difference,
    "riemann-sums": _riemann,
    "quadrature-rules": _quadrature,
    "taylor-polynomials": _taylor,
    "newton-roots": _newton,
    "one-step-methods": _one_step,
}
