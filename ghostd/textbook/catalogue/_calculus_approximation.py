"""The part of calculus about approximation: Riemann sums, quadrature rules and Taylor polynomials."""

import math
from dataclasses import dataclass

from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family, compiled


@dataclass(frozen=True, slots=True)
class _Integrand:
    written: str  # as people write it; also what tells titles apart
    code: str
    function: str  # name to import from math, or ''
    exact: float  # its integral from 0 to 1


_INTEGRANDS = {
    "sine": _Integrand("sin(x)", "sin(x)", "sin", 1 - math.cos(1)),
    "cosine": _Integrand("cos(x)", "cos(x)", "cos", math.sin(1)),
    "exponential": _Integrand("exp(x)", "exp(x)", "exp", math.e - 1),
    "bell": _Integrand("exp(-x²)", "exp(-x * x)", "exp", math.sqrt(math.pi) / 2 * math.erf(1)),
    "lorentz": _Integrand("1/(1 + x²)", "1 / (1 + x * x)", "", math.pi / 4),
    "hyperbola": _Integrand("sqrt(1 + x²)", "sqrt(1 + x * x)", "sqrt", (math.sqrt(2) + math.asinh(1)) / 2),
    "logarithm": _Integrand("log(1 + x²)", "log(1 + x * x)", "log", math.log(2) - 2 + math.pi / 2),
    "oscillation": _Integrand("x·sin(x)", "x * sin(x)", "sin", math.sin(1) - math.cos(1)),
}


@dataclass(frozen=True, slots=True)
class _Rule:
    title: str
    body: str  # of the function; knows `width` and PANELS
    panel: str  # the same for one panel from `left` to `right`, or for a pair of panels
    stride: int  # panels per `panel`
    order: int  # the error shrinks like width to this power
    slip: tuple[str, str]  # what students get wrong
    why: str


_RULES = {
    "trapezoid": _Rule(
        "Trapezoid rule",
        "inner = sum(f(a + i * width) for i in range(1, PANELS))\n    return width * (inner + (f(a) + f(b)) / 2)",
        "(f(left) + f(right)) / 2",
        1,
        2,
        (" / 2)", ")"),
        "Each panel is replaced by a trapezoid, so inner points belong to two panels and the two end points to one, which is where their weight of one half comes from",
    ),
    "midpoint": _Rule(
        "Midpoint rule",
        "return width * sum(f(a + (i + 0.5) * width) for i in range(PANELS))",
        "f((left + right) / 2)",
        1,
        2,
        ("(i + 0.5)", "i"),
        "Each panel is replaced by a rectangle as high as the curve in the middle, where errors to the left and right nearly cancel",
    ),
    "simpson": _Rule(
        "Simpson's rule",
        "odd = sum(f(a + i * width) for i in range(1, PANELS, 2))\n    even = sum(f(a + i * width) for i in range(2, PANELS, 2))\n    return width / 3 * (f(a) + 4 * odd + 2 * even + f(b))",
        "(f(left) + 4 * f((left + right) / 2) + f(right)) / 6",
        2,
        4,
        ("4 * odd + 2 * even", "2 * odd + 4 * even"),
        "Each pair of panels is replaced by the parabola through its three points, which gives the weights 1, 4, 1 and, where pairs meet, 2",
    ),
}


def _inside(title: str) -> str:
    """The title as it stands inside a sentence: only a person's name keeps its capital."""
    return title if "'s " in title else title[0].lower() + title[1:]


def _quadrature(rule_name: str, integrand_name: str, panels: int) -> Entry:
    rule, integrand = _RULES[rule_name], _INTEGRANDS[integrand_name]
    head = f"from math import {integrand.function}\n\n" if integrand.function else ""
    start = (
        head
        + f"def quadrature(a: float, b: float) -> float:\n    def f(x: float) -> float:\n        return {integrand.code}\n\n"
    )
    template = start + f"    width = (b - a) / PANELS\n    {rule.body}"
    code = source(template, PANELS=panels)
    alternative = source(
        start
        + f"    total = 0.0\n    for i in range(PAIRS):\n        left, right = (a * (PAIRS - j) + b * j for j in (i, i + 1))\n"
        f"        left, right = left / PAIRS, right / PAIRS\n        total += (right - left) * {rule.panel}\n    return total",
        PAIRS=panels // rule.stride,
    )
    bound = 0.3 / panels**rule.order
    value = compiled(alternative, "quadrature")(0.0, 1.0)
    return Entry(
        title=f"{rule.title} with {panels} panels for {integrand.written}",
        statement=f"Approximate the integral of f(x) = {integrand.written} from a to b with the composite {_inside(rule.title)} on {panels} panels of equal width (b - a)/{panels}, and return "
        f"the approximation, not the exact integral. The floats a and b may be in any order; b < a gives the negative of the swapped call.",
        signature=signature(code),
        explanations=(
            f"{rule.why}. With {panels} panels the width is (b - a)/{panels}, and f is evaluated only at points of that grid or in the middle of it.",
            f"The function {integrand.written} is sampled at evenly spaced places and the samples are averaged with the weights of the rule. "
            f"Since those weights integrate simple polynomials exactly, the error falls with the {'fourth power' if rule.order == 4 else 'square'} of the panel width; doubling {panels} panels divides it by about {2**rule.order}.",
            f"Cutting [a, b] into {panels} equal panels, approximating each and adding up is what makes the rule composite. On [0, 1] it returns about {value:.6f}, "
            f"while the exact integral is about {integrand.exact:.6f}; the difference is the price of looking at f in finitely many places.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                f"On [0, 1] the error stays below {bound:.2g}.",
                f"abs(quadrature(0.0, 1.0) - {integrand.exact!r}) < {bound!r}",
            ),
            (
                "Swapping the limits changes only the sign.",
                "abs(quadrature(0.25, 2.0) + quadrature(2.0, 0.25)) < 1e-12",
            ),
            (f"On [0, 1] the result rounds to {value:.6f}.", f"abs(quadrature(0.0, 1.0) - {value:.8f}) < 1e-7"),
        ),
        false_claims=(
            (
                f"With {panels} panels the rule is already exact for {integrand.written}.",
                f"abs(quadrature(0.0, 1.0) - {integrand.exact!r}) < 1e-11",
            ),
        ),
        exercises=(
            ("What does the rule give from 0 to 1?", "0.0, 1.0"),
            ("What does it give from -1 to 1?", "-1.0, 1.0"),
            ("What does it give from 0 to 3?", "0.0, 3.0"),
        ),
        exam=calls(
            (0.0, 1.0),
            (1.0, 0.0),
            (-1.0, 1.0),
            (0.0, 2.0),
            (0.5, 0.5),
            (0.5, 2.5),
            (-2.0, 1.0),
            (1.0, 3.0),
            (0.0, 0.125),
            (-3.0, -1.0),
        ),
        wrong={
            **slips(code, wrong_formula=rule.slip, off_by_one=(f"(b - a) / {panels}", f"(b - a) / ({panels} - 1)")),
            "wrong_constant": source(template, PANELS=panels + 2),
        },
    )


@dataclass(frozen=True, slots=True)
class _Series:
    term: str  # term number k of the series in y
    first: str  # term 0
    ratio: str  # term k + 1 over term k
    mistaken: str  # the term with a usual mistake
    symmetry: int  # of the function: 1 even, -1 odd, 0 neither
    law: str


_SERIES = {
    "exp": _Series(
        "y**k / factorial(k)",
        "1.0",
        "y / (k + 1)",
        "y**k / (k + 1)",
        0,
        "every derivative at 0 is 1, so the k-th coefficient is 1/k!",
    ),
    "sin": _Series(
        "(-1) ** k * y ** (2 * k + 1) / factorial(2 * k + 1)",
        "y",
        "-y * y / (2 * k + 2) / (2 * k + 3)",
        "y ** (2 * k + 1) / factorial(2 * k + 1)",
        -1,
        "only odd powers occur, with alternating signs and factorials below",
    ),
    "cos": _Series(
        "(-1) ** k * y ** (2 * k) / factorial(2 * k)",
        "1.0",
        "-y * y / (2 * k + 1) / (2 * k + 2)",
        "y ** (2 * k) / factorial(2 * k)",
        1,
        "only even powers occur, with alternating signs and factorials below",
    ),
    "log(1 + y)": _Series(
        "(-1) ** k * y ** (k + 1) / (k + 1)",
        "y",
        "-y * (k + 1) / (k + 2)",
        "(-1) ** k * y ** (k + 1)",
        0,
        "integrating 1 - y + y² - ... divides each power by its exponent, without a factorial",
    ),
    "arctan": _Series(
        "(-1) ** k * y ** (2 * k + 1) / (2 * k + 1)",
        "y",
        "-y * y * (2 * k + 1) / (2 * k + 3)",
        "(-1) ** k * y ** (2 * k + 1)",
        -1,
        "integrating 1 - y² + y⁴ - ... divides each odd power by its exponent",
    ),
    "1/(1 - y)": _Series(
        "y**k", "1.0", "y", "y**k / (k + 1)", 0, "the geometric series has all coefficients equal to 1"
    ),
    "sinh": _Series(
        "y ** (2 * k + 1) / factorial(2 * k + 1)",
        "y",
        "y * y / (2 * k + 2) / (2 * k + 3)",
        "(-1) ** k * y ** (2 * k + 1) / factorial(2 * k + 1)",
        -1,
        "the odd half of the exponential series keeps its plus signs",
    ),
    "cosh": _Series(
        "y ** (2 * k) / factorial(2 * k)",
        "1.0",
        "y * y / (2 * k + 1) / (2 * k + 2)",
        "(-1) ** k * y ** (2 * k) / factorial(2 * k)",
        1,
        "the even half of the exponential series keeps its plus signs",
    ),
}


def _exact(function: str, y: float) -> float:
    match function:
        case "log(1 + y)":
            return math.log1p(y)
        case "1/(1 - y)":
            return 1 / (1 - y)
        case "arctan":
            return math.atan(y)
    value: float = getattr(math, function)(y)
    return value


def _taylor(function: str, scale: int, terms: int) -> Entry:
    series = _SERIES[function]
    inner = "x" if scale == 1 else f"{scale}x"
    name = function.replace("y", inner) if "y" in function else f"{function}({inner})"
    template = """
        from math import factorial

        def taylor(x: float) -> float:
            y = SCALED
            return sum(TERM for k in range(TERMS))
        """.replace("SCALED", "x" if scale == 1 else f"{scale} * x")
    if "factorial" not in series.term:
        template = template.replace("from math import factorial\n", "")
    code = source(template.replace("TERM ", f"{series.term} "), TERMS=terms)
    alternative = source(
        f"""
        def taylor(x: float) -> float:
            y = {"x" if scale == 1 else f"{scale} * x"}
            total, term = 0.0, {series.first}
            for k in range(TERMS):
                total += term
                term *= {series.ratio}
            return total
        """,
        TERMS=terms,
    )
    at_one, near = compiled(alternative, "taylor")(1 / scale), _exact(function, scale * 0.01)
    parity = {
        1: ("Only even powers occur, so the sign of x does not matter.", "abs(taylor(-1.5) - taylor(1.5)) < 1e-9"),
        -1: (
            "Only odd powers occur, so changing the sign of x changes the sign of the value.",
            "abs(taylor(-1.5) + taylor(1.5)) < 1e-9",
        ),
        0: (
            f"At x = 0 the value is {series.first.replace('y', '0.0')}.",
            f"taylor(0.0) == {series.first.replace('y', '0.0')}",
        ),
    }[series.symmetry]
    wrong = source(template.replace("TERM ", f"{series.mistaken} "), TERMS=terms)
    return Entry(
        title=f"Taylor polynomial of {name} with {terms} terms",
        statement=f"Return the value at the float x of the Taylor polynomial of {name} about 0 that consists of the first {terms} non-zero terms of its series. "
        "The polynomial is evaluated for every x, also where the series does not converge.",
        signature=signature(code),
        explanations=(
            f"For this function {series.law}. Writing y = {inner} and adding the first {terms} terms gives the polynomial that agrees with {name} at 0 in as many derivatives as its degree allows.",
            f"A Taylor polynomial copies a function near one point. The first {terms} non-zero terms in y = {inner} are added here; the error is about as large as the first term left out, "
            "so it is tiny near 0 and grows quickly further away.",
            f"Each term follows from the one before by a simple factor, {series.ratio} in terms of y = {inner}, so neither powers nor factorials need to be computed afresh. "
            f"Stopping after {terms} terms turns the infinite series of {name} into a polynomial, since {series.law}.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                f"Near 0 the polynomial is close to the function: at x = 0.01 within 0.001 of {near:.6f}.",
                f"abs(taylor(0.01) - {near!r}) < 0.001",
            ),
            (f"Where {inner} = 1 its value is {at_one:.6f}.", f"abs(taylor({1 / scale!r}) - {at_one!r}) < 1e-9"),
            parity,
        ),
        false_claims=(
            (
                f"With {terms} terms the polynomial equals {name} everywhere, also at x = {-9.0 if function == '1/(1 - y)' else 9.0}.",
                f"abs(taylor(9.0) - {_exact(function, 9.0 * scale)!r}) < 1e-6",
            ),
        ),
        exercises=(
            ("What is its value at x = 0.5?", "0.5"),
            ("What is its value at x = -1?", "-1.0"),
            ("What is its value at x = 2?", "2.0"),
        ),
        exam=calls(0.0, 1.0, -1.0, 0.5, -0.25, 0.1, 2.0, -3.0, 4.0, -5.0),
        wrong={
            **slips(
                code,
                off_by_one=(f"range({terms})", f"range({terms} + 1)"),
                wrong_constant=(
                    "y = x\n" if scale == 1 else f"y = {scale} * x",
                    "y = 2 * x\n" if scale == 1 else f"y = {scale + 1} * x",
                ),
            ),
            "wrong_formula": wrong,
        },
    )


_POINTS = {
    "left": ("i", "i + 1", "2 * i", "below"),
    "right": ("(i + 1)", "i", "2 * i + 2", "above"),
    "midpoint": ("Fraction(2 * i + 1, 2)", "(i + 1)", "2 * i + 1", "below"),
}


def _riemann(side: str, power: int, panels: int) -> Entry:
    point, mistaken, doubled, position = _POINTS[side]
    template = """
        from fractions import Fraction

        def riemann_sum(b: int) -> list[int]:
            width = Fraction(b, PANELS)
            total = width * sum((width * POINT) ** POWER for i in range(PANELS))
            return [total.numerator, total.denominator]
        """
    code = source(template.replace("POINT", point), PANELS=panels, POWER=power)
    alternative = source(
        f"""
        from math import gcd

        def riemann_sum(b: int) -> list[int]:
            numerator = b ** (POWER + 1) * sum(({doubled}) ** POWER for i in range(PANELS))
            denominator = 2**POWER * PANELS ** (POWER + 1)
            common = gcd(numerator, denominator)
            return [numerator // common, denominator // common]
        """,
        PANELS=panels,
        POWER=power,
    )
    where = {"left": "left ends", "right": "right ends", "midpoint": "midpoints"}[side]
    one = compiled(alternative, "riemann_sum")(1)
    sign = "<" if position == "below" else ">"
    return Entry(
        title=f"Riemann sum of x^{power} at the {where} of {panels} intervals",
        statement=f"Cut the interval from 0 to the integer b into {panels} parts of equal width and add, over the parts, the width times the value of x^{power} at the part's {where.removesuffix('s')}. "
        "Return the sum as a reduced fraction [numerator, denominator] with a positive denominator; b may be negative, which makes the width negative, and b = 0 gives [0, 1].",
        signature=signature(code),
        explanations=(
            f"Each part has width b/{panels} and carries a rectangle as high as x^{power} at its {where.removesuffix('s')}. Summing the {panels} rectangles gives an approximation that tends to the integral "
            f"b^{power + 1}/{power + 1} as the parts get finer; with {panels} parts it lies {position} it for positive b.",
            f"Because every point is a multiple of b/{panels}, the sum is b^{power + 1} times a fixed fraction, {one[0]}/{one[1]}. That fraction is a sum of {power}-th powers divided by a power of the number of parts, "
            "so nothing has to be rounded.",
            f"The function x^{power} rises for positive x, so rectangles measured at the left ends are too low and at the right ends too high, while midpoints nearly balance. "
            f"Here the {where} are used, and exact fractions show how far the sum is from the true area 1/{power + 1} for b = 1.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"For b = 1 the sum is {one[0]}/{one[1]}.", f"riemann_sum(1) == {one}"),
            (
                f"For b = 1 it lies {position} the integral 1/{power + 1}.",
                f"riemann_sum(1)[0] * {power + 1} {sign} riemann_sum(1)[1]",
            ),
            (
                f"Doubling b multiplies the sum by {2 ** (power + 1)}.",
                f"riemann_sum(6)[0] * riemann_sum(3)[1] == {2 ** (power + 1)} * riemann_sum(3)[0] * riemann_sum(6)[1]",
            ),
        ),
        false_claims=(
            (
                f"{panels} rectangles already give the area 1/{power + 1} under x^{power} from 0 to 1.",
                f"riemann_sum(1) == [1, {power + 1}]",
            ),
        ),
        exercises=(
            ("What is the sum for b = 1?", "1"),
            ("What is the sum for b = 10?", "10"),
            ("What is the sum for b = -2?", "-2"),
        ),
        exam=calls(0, 1, 2, 3, -1, -2, 5, 10, 60, 100),
        wrong={
            **slips(
                code,
                off_by_one=(f"range({panels})", f"range({panels} + 1)"),
                wrong_constant=(f"Fraction(b, {panels})", f"Fraction(b, {panels + 1})"),
            ),
            "wrong_formula": source(
                template.replace("POINT", mistaken if side != "left" else f"({mistaken})"), PANELS=panels, POWER=power
            ),
        },
    )


FAMILIES: tuple[Family, ...] = (
    Family(
        "riemann-sums",
        "calculus",
        "Riemann sums",
        (),
        [(side, p, n) for side in _POINTS for p in range(2, 10) for n in range(2, 10)],
        _riemann,
    ),
    Family(
        "quadrature-rules",
        "calculus",
        "Quadrature rules",
        ("riemann-sums", "polynomial-integrals"),
        [(rule, f, n * _RULES[rule].stride) for n in range(2, 12) for f in _INTEGRANDS for rule in _RULES],
        _quadrature,
    ),
    Family(
        "taylor-polynomials",
        "calculus",
        "Taylor polynomials",
        ("chain-rule-powers",),
        [(f, c, n) for n in range(3, 11) for c in (1, 2, 3) for f in _SERIES],
        _taylor,
    ),
)
