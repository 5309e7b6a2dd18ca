"""Calculus: exact integrals, derivatives and differences of polynomials (this file), approximations and iterations."""

import math

from ghostd.core.concept import Domain
from ghostd.textbook.catalogue._calculus_approximation import FAMILIES as _APPROXIMATION
from ghostd.textbook.catalogue._calculus_iteration import FAMILIES as _ITERATION
from ghostd.textbook.catalogue._examples import illustrated
from ghostd.textbook.catalogue._numerals import signed, spoken
from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family

DOMAIN = Domain(
    "calculus",
    "Calculus",
    "Integrals, derivatives, differences, Taylor polynomials, quadrature, Newton's method and differential equations.",
)


def _definite_integral(low: int, high: int) -> Entry:
    code = source(
        """
        from fractions import Fraction

        def integral(coefficients: list[int]) -> list[int]:
            total = Fraction(0)
            for power, coefficient in enumerate(coefficients, 1):
                total += Fraction(coefficient * ((HIGH) ** power - (LOW) ** power), power)
            return [total.numerator, total.denominator]
        """,
        LOW=low,
        HIGH=high,
    )
    alternative = source(
        """
        from fractions import Fraction

        def integral(coefficients: list[int]) -> list[int]:
            def primitive(x: int) -> Fraction:
                value = Fraction(0)
                for power in reversed(range(len(coefficients))):
                    value = (value + Fraction(coefficients[power], power + 1)) * x
                return value

            area = primitive(HIGH) - primitive(LOW)
            return [area.numerator, area.denominator]
        """,
        LOW=low,
        HIGH=high,
    )
    width, twice = high - low, high**2 - low**2
    wrong_line = f"({high}) ** power - ({low}) ** power"
    return Entry(
        title=f"Integral of a polynomial from {spoken(low)} to {spoken(high)}",
        statement=f"Return the exact definite integral, from x = {low} to x = {high}, of the polynomial with the given integer coefficients, constant term first, as a reduced "
        "fraction [numerator, denominator] with a positive denominator. The empty list is the zero polynomial, and zero is [0, 1].",
        signature=signature(code),
        explanations=(
            f"Raise each exponent by one and divide by the new exponent: that gives an antiderivative. By the fundamental theorem the integral is its value at {high} minus its value at {low}. "
            "Fractions keep the thirds and sevenths exact.",
            f"Integration is linear, so each monomial can be handled alone. The area under x^k between {low} and {high} is ({high}^(k+1) - ({low})^(k+1))/(k+1), "
            f"and the constant term contributes its value times the width {width}.",
            f"Whoever differentiates x^(k+1)/(k+1) finds x^k again, which is why that quotient appears. Parts of the curve below the axis count as negative, so the number is a signed area over an "
            f"interval of length {width}.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"The constant 1 integrates to the width {width}.", f"integral([1]) == [{width}, 1]"),
            (f"2x integrates to {high}² - ({low})² = {twice}.", f"integral([0, 2]) == [{twice}, 1]"),
            (
                f"3x² integrates to {high}³ - ({low})³ = {high**3 - low**3}.",
                f"integral([0, 0, 3]) == [{high**3 - low**3}, 1]",
            ),
        ),
        false_claims=(
            (
                "The exponent is raised without dividing: x² integrates to the difference of cubes.",
                f"integral([0, 0, 1]) == [{high**3 - low**3}, 1]",
            ),
        ),
        exercises=(
            (f"What is the integral of 1 + 2x + 3x² from {low} to {high}?", "[1, 2, 3]"),
            (f"What is the integral of x³ from {low} to {high}?", "[0, 0, 0, 1]"),
            (f"What is the integral of 5 - x⁴ from {low} to {high}?", "[5, 0, 0, 0, -1]"),
        ),
        exam=calls(
            [],
            [0],
            [1],
            [-3],
            [0, 1],
            [0, 0, 1],
            [2, -5, 7],
            [0, 0, 0, 1],
            [1, 1, 1, 1, 1],
            [6, 0, 0, 0, -1, 2],
            [-4, 3, 0, 8, 0, 0, 1],
        ),
        wrong=slips(
            code,
            wrong_formula=(", power)\n", ", 1)\n"),
            off_by_one=("enumerate(coefficients, 1)", "enumerate(coefficients, 2)"),
            wrong_constant=(wrong_line, f"({high + 1}) ** power - ({low}) ** power"),
        ),
    )


def _revolution(method: str, low: int, high: int) -> Entry:
    disc = method == "disc"
    axis = "x-axis" if disc else "y-axis"
    integrand = "p(x)²" if disc else "2x·p(x)"
    code = source(
        """
        from fractions import Fraction

        def volume_over_pi(coefficients: list[int]) -> list[int]:
            total = Fraction(0)
            for i, first in enumerate(coefficients):
                for j, second in enumerate(PARTNER, 1):
                    total += Fraction(first * second * (HIGH ** (i + j) - LOW ** (i + j)), i + j)
            return [total.numerator, total.denominator]
        """.replace("PARTNER", "coefficients" if disc else "[0, 2]"),
        LOW=low,
        HIGH=high,
    )
    alternative = source(
        """
        from fractions import Fraction

        def volume_over_pi(coefficients: list[int]) -> list[int]:
            other = PARTNER
            integrand = [0] * (len(coefficients) + len(other))
            for i, first in enumerate(coefficients):
                for j, second in enumerate(other):
                    integrand[i + j] += first * second

            def primitive(x: int) -> Fraction:
                return sum((Fraction(c * x ** (power + 1), power + 1) for power, c in enumerate(integrand)), Fraction(0))

            volume = primitive(HIGH) - primitive(LOW)
            return [volume.numerator, volume.denominator]
        """.replace("PARTNER", "coefficients" if disc else "[0, 2]"),
        LOW=low,
        HIGH=high,
    )
    width, ring, cube = high - low, high**2 - low**2, high**3 - low**3
    if disc:
        why = f"A cut at x is a disc of radius p(x) and area π·p(x)², and stacking these discs from {low} to {high} means integrating their areas."
        claims = (
            (
                f"The constant 3 makes a cylinder of radius 3 and length {width}.",
                f"volume_over_pi([3]) == [{9 * width}, 1]",
            ),
            (
                "Doubling the radius makes four times the volume.",
                "(lambda u, v: u[0] * v[1] == 4 * v[0] * u[1])(volume_over_pi([2, 2]), volume_over_pi([1, 1]))",
            ),
            (
                f"Three times the cone y = x is {cube}.",
                f"(lambda v: 3 * v[0] == {cube} * v[1])(volume_over_pi([0, 1]))",
            ),
        )
        misconception = (
            "The volume is proportional to the radius.",
            "volume_over_pi([2]) == [2 * volume_over_pi([1])[0], volume_over_pi([1])[1]]",
        )
    else:
        why = f"A thin shell at distance x has circumference 2πx and height p(x), and adding the shells from {low} to {high} means integrating 2πx·p(x)."
        claims = (
            (f"The constant 1 makes a ring of volume π·({high}² - {low}²).", f"volume_over_pi([1]) == [{ring}, 1]"),
            ("Doubling the height doubles the volume.", f"volume_over_pi([2]) == [{2 * ring}, 1]"),
            (
                f"For y = x, three halves of the volume over π is {cube}.",
                f"(lambda v: 3 * v[0] == {2 * cube} * v[1])(volume_over_pi([0, 1]))",
            ),
        )
        misconception = (
            f"The volume of the ring under y = 1 is 2π times its width {width}.",
            f"volume_over_pi([1]) == [{2 * width}, 1]",
        )
    return Entry(
        title=f"Volume of revolution about the {axis} by {method}s from {low} to {high}",
        statement=f"The region between the x-axis and the curve y = p(x), for {low} <= x <= {high}, turns about the {axis}. Return its volume divided by π, that is the integral "
        f"of {integrand} from {low} to {high}, as a reduced fraction [numerator, denominator]. The polynomial p is given by its integer coefficients, constant term first; "
        f"the empty list is zero.{'' if disc else ' Where p is negative the integral counts the volume as negative.'}",
        signature=signature(code),
        explanations=(
            f"{why} The factor π is left out, so that the answer stays an exact fraction.",
            f"The integrand is {integrand}, a polynomial again. Multiply it out, integrate each power with the power rule, and take the difference between {high} and {low}. "
            f"{'Squaring comes before integrating, since the square of an integral is something else.' if disc else 'The factor x comes from the circumference, because far shells are longer than near ones.'}",
            f"Pappus checks the result: a plane region sweeps out its area times the path of its centroid. For rotation about the {axis} this is the integral of {integrand} "
            f"times π over [{low}, {high}], so only ordinary integration remains.",
        ),
        code=code,
        alternative=alternative,
        claims=claims,
        false_claims=(misconception,),
        exercises=(
            (f"What is the volume over π for y = x² on [{low}, {high}]?", "[0, 0, 1]"),
            (f"What is it for y = 1 + x on [{low}, {high}]?", "[1, 1]"),
            (f"What is it for y = 4 on [{low}, {high}]?", "[4]"),
        ),
        exam=calls([], [0], [1], [2], [5], [0, 1], [0, 0, 1], [1, 1], [2, 0, 3], [0, 0, 0, 2], [1, 2, 3, 4]),
        wrong=slips(
            code,
            wrong_formula=("enumerate(coefficients, 1)", "enumerate([1], 1)")
            if disc
            else ("enumerate([0, 2], 1)", "enumerate([2], 1)"),
            off_by_one=(", 1):", ", 2):"),
            wrong_constant=(f"({high} **", f"({high + 1} **"),
        ),
    )


def _chain_rule(slope: int, shift: int, power: int) -> Entry:
    inner = f"{slope}x {signed(shift)}"
    code = source(
        """
        def derivative(x: int) -> int:
            inner = SLOPE * x + (SHIFT)
            outer_derivative = POWER * inner ** (POWER - 1)
            return outer_derivative * INNER
        """,
        SLOPE=slope,
        SHIFT=shift,
        POWER=power,
        INNER=slope,
    )
    alternative = source(
        """
        from math import comb

        def derivative(x: int) -> int:
            terms = {k: comb(POWER, k) * SLOPE**k * (SHIFT) ** (POWER - k) for k in range(POWER + 1)}
            return sum(k * coefficient * x ** (k - 1) for k, coefficient in terms.items() if k > 0)
        """,
        SLOPE=slope,
        SHIFT=shift,
        POWER=power,
    )
    at_zero = power * slope * shift ** (power - 1)
    return Entry(
        title=f"Chain rule for ({slope}x {'plus' if shift > 0 else 'minus'} {abs(shift)}) to the power {power}",
        statement=f"Return the exact value, at the integer x, of the derivative of ({inner})^{power} with respect to x.",
        signature=signature(code),
        explanations=(
            f"The outer function is the power {power}, the inner one is {inner}. Differentiate the outside first, which gives {power}({inner})^{power - 1}, "
            f"and multiply by the derivative {slope} of the inside.",
            f"When x moves by a tiny amount, {inner} moves {slope} times as much, and its power reacts with the factor {power}({inner})^{power - 1}. "
            "Rates multiply along such a chain, so both factors belong in the answer.",
            f"One can also expand ({inner})^{power} by the binomial theorem and differentiate term by term. Collecting the terms again produces {power * slope} times ({inner})^{power - 1}; "
            "the chain rule is the short way to the same polynomial.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"At x = 0 the derivative is {at_zero}.", f"derivative(0) == {at_zero}"),
            (
                f"At x = 1 it is {power} · {slope + shift}^{power - 1} · {slope}.",
                f"derivative(1) == {power * slope * (slope + shift) ** (power - 1)}",
            ),
            (
                f"It is {power} times {slope} times a power of the inner function.",
                f"all(derivative(x) % {power * slope} == 0 and derivative(x) // {power * slope} == ({inner.replace('x', ' * x')}) ** {power - 1} for x in range(-9, 10))",
            ),
        ),
        false_claims=(
            (
                f"The power rule alone suffices: at x = 0 the derivative is {power * shift ** (power - 1)}.",
                f"derivative(0) == {power * shift ** (power - 1)}",
            ),
        ),
        exercises=(
            (f"What is the slope of ({inner})^{power} at x = 2?", "2"),
            ("What is it at x = -1?", "-1"),
            ("What is it at x = 10?", "10"),
        ),
        exam=calls(0, 1, 2, 3, -1, -2, -3, 7, 10, 100, -1000),
        wrong=slips(
            code,
            wrong_formula=(f"outer_derivative * {slope}", "outer_derivative"),
            off_by_one=(f"inner ** ({power} - 1)", f"inner ** {power}"),
            wrong_constant=(f"+ ({shift})", f"+ ({-shift})"),
        ),
    )


def _forward_difference(order: int, step: int) -> Entry:
    code = source(
        """
        def forward_difference(coefficients: list[int], x: int) -> int:
            def value(at: int) -> int:
                return sum(coefficient * at**power for power, coefficient in enumerate(coefficients))

            row = [value(x + STEP * place) for place in range(ORDER + 1)]
            for _ in range(ORDER):
                row = [after - before for before, after in zip(row, row[1:])]
            (result,) = row
            return result
        """,
        ORDER=order,
        STEP=step,
    )
    alternative = source(
        """
        from math import comb

        def forward_difference(coefficients: list[int], x: int) -> int:
            total = 0
            for place in range(ORDER + 1):
                value = 0
                for coefficient in reversed(coefficients):
                    value = value * (x + STEP * place) + coefficient
                total += (-1) ** (ORDER - place) * comb(ORDER, place) * value
            return total
        """,
        ORDER=order,
        STEP=step,
    )
    top = math.factorial(order) * step**order
    after = math.factorial(order) * step ** (order + 1) * math.comb(order + 1, 2)
    return Entry(
        title=f"Forward difference of order {order} with step {step}",
        statement=f"The forward difference of a function p with step {step} is p(x + {step}) - p(x), again a function of x. Apply it {order} times in a row to the polynomial with the given "
        "integer coefficients, constant term first, and return the exact value at the integer x. It is not divided by the step.",
        signature=signature(code),
        explanations=(
            f"Write down the values at x, x + {step}, ..., x + {order * step} and replace the row by the differences of neighbours, {order} times in all. "
            "Every round shortens the row by one, and the number that is left over at the end is the difference asked for.",
            f"Taking differences is the discrete counterpart of differentiating: each round lowers the degree of a polynomial by one. "
            f"Hence polynomials of degree below {order} vanish and x^{order} becomes the constant {order}!·{step}^{order} = {top}.",
            f"Let E be the shift by {step}. The operator is (E - 1)^{order}, and the binomial theorem turns it into an alternating sum of {order + 1} values of p with binomial weights. "
            f"Dividing by {step}^{order} would turn it into an approximation of a derivative, but here the plain difference is wanted.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                f"A polynomial of degree {order - 1} is annihilated.",
                f"all(forward_difference({list(range(1, order + 1))}, x) == 0 for x in range(-4, 5))",
            ),
            (
                f"x^{order} becomes the constant {top}.",
                f"{{forward_difference({[0] * order + [1]}, x) for x in range(-4, 5)}} == {{{top}}}",
            ),
            (
                f"At x = 0, x^{order + 1} becomes {after}.",
                f"forward_difference({[0] * (order + 1) + [1]}, 0) == {after}",
            ),
        ),
        false_claims=(
            (
                f"It equals the derivative of order {order} times {step}^{order}, so x^{order + 1} gives 0 at x = 0.",
                f"forward_difference({[0] * (order + 1) + [1]}, 0) == 0",
            ),
        ),
        exercises=(
            (f"What does x^{order + 1} become at x = 3?", f"{[0] * (order + 1) + [1]}, 3"),
            (f"What does 5x^{order} + 7 become at x = 1?", f"{[7] + [0] * (order - 1) + [5]}, 1"),
            (f"What does x^{order + 2} become at x = -1?", f"{[0] * (order + 2) + [1]}, -1"),
        ),
        exam=calls(
            ([], 3),
            ([4], 1),
            ([1] * order, 5),
            ([0] * order + [1], 0),
            ([0] * order + [-2], 7),
            ([0] * (order + 1) + [1], 0),
            ([0] * (order + 1) + [1], -2),
            ([3, 1] + [0] * order + [2], 4),
            ([1] * (order + 4), 1),
            ([0] * (order + 3) + [1], -5),
            ([2, 0, 5, 0, 1, 0, 0, -1], 10),
        ),
        wrong=slips(
            code,
            wrong_formula=("value(x + ", "value(x - "),
            off_by_one=(f"range({order} + 1)", f"range(1, {order} + 2)"),
            wrong_constant=(f"{step} * place", f"{step + 1} * place"),
        ),
    )


FAMILIES: tuple[Family, ...] = illustrated(
    (
        Family(
            "chain-rule-powers",
            "calculus",
            "Chain rule for powers",
            (),
            [(a, b, q) for a in range(2, 7) for b in range(-4, 5) if b for q in range(2, 7)],
            _chain_rule,
        ),
        Family(
            "polynomial-integrals",
            "calculus",
            "Integrals of polynomials",
            (),
            [(a, b) for a in range(-10, 11) for b in range(a + 1, 11)],
            _definite_integral,
        ),
        Family(
            "forward-differences",
            "calculus",
            "Forward differences",
            (),
            [(k, h) for k in range(2, 14) for h in range(1, 17)],
            _forward_difference,
        ),
        Family(
            "volumes-of-revolution",
            "calculus",
            "Volumes of revolution",
            ("polynomial-integrals",),
            [(method, a, b) for method in ("disc", "shell") for a in range(1, 15) for b in range(a + 1, 16)],
            _revolution,
        ),
        *_APPROXIMATION,
        *_ITERATION,
    )
)
