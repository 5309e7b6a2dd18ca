"""The part of calculus about iteration: Newton's method for roots and one-step methods for differential equations."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family, compiled


def _newton_root(degree: int, start: int, steps: int) -> Entry:
    code = source(
        """
        def newton_root(a: float) -> float:
            x = START
            for _ in range(STEPS):
                x = (LESS * x + a / x**LESS) / DEGREE
            return x
        """,
        START=float(start),
        STEPS=steps,
        LESS=degree - 1,
        DEGREE=degree,
    )
    alternative = source(
        """
        from functools import reduce

        def newton_root(a: float) -> float:
            def improved(x: float, _: int) -> float:
                excess, slope = x**DEGREE - a, DEGREE * x**LESS
                return x - excess / slope

            return reduce(improved, range(STEPS), START)
        """,
        START=float(start),
        STEPS=steps,
        LESS=degree - 1,
        DEGREE=degree,
    )
    times = "1 step" if steps == 1 else f"{steps} steps"
    far = 100.0**degree
    two = compiled(code, "newton_root")(2.0)
    return Entry(
        title=f"Newton's method for roots of order {degree}, {times} from {start}",
        statement=f"Apply Newton's method to x^{degree} - a = 0, starting at x = {start}, and return the float x after exactly {times}, for a float a > 0. "
        "The iteration is not continued until it converges.",
        signature=signature(code),
        explanations=(
            f"At each step the curve x^{degree} - a is replaced by its tangent, and the zero of the tangent becomes the new x. That gives x - (x^{degree} - a)/({degree}x^{degree - 1}), "
            f"which simplifies to a weighted mean of x and a/x^{degree - 1}. Here it is done {'once' if steps == 1 else f'{steps} times'} from {start}.",
            f"If x is too large, a/x^{degree - 1} is too small, and the mean of {degree - 1} parts of the first and one part of the second lies closer to the root. "
            f"Near the root the number of right digits doubles at each step; far away, as from {start} to a huge root, a step only shrinks x by the factor {degree - 1}/{degree}.",
            f"The means of arithmetic and geometric kind explain why an iterate never falls below the root after the first step. Starting at {start} and stopping after {times} leaves an error "
            "that depends on a, since nothing checks whether the digits have settled.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                f"If {start} is already the root, it stays: a = {start**degree} gives {start}.",
                f"abs(newton_root({float(start**degree)}) - {start}) < 1e-9",
            ),
            (
                "An iterate is never below the root.",
                f"all(newton_root(a) ** {degree} >= a * (1 - 1e-9) for a in (0.5, 2.0, 10.0, 1000.0))",
            ),
            (f"For a = 2 the result is about {two:.6f}.", f"abs(newton_root(2.0) - {two!r}) < 1e-9"),
        ),
        false_claims=(
            (
                f"{times.capitalize()} always suffice, also for the root 100 of a = 100^{degree}.",
                f"abs(newton_root({far!r}) - 100) < 0.001",
            ),
        ),
        exercises=(
            (f"What is the iterate for a = 2 after {times}?", "2.0"),
            (f"What is it for a = {start**degree + 1}?", f"{float(start**degree + 1)}"),
            ("What is it for a = 1000?", "1000.0"),
        ),
        exam=calls(1.0, 2.0, 0.5, 10.0, 1000.0, float(start**degree), 3.0**degree, 1e6, far, 0.001),
        wrong=slips(
            code,
            wrong_formula=(f"({degree - 1} * x", f"({degree} * x"),
            off_by_one=(f"range({steps})", f"range({steps} + 1)"),
            wrong_constant=(f"x = {float(start)}", f"x = {float(start + 1)}"),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Equation:
    written: str  # without a leading minus sign, which a concept's slug would drop
    slope: str
    function: str  # name to import from math, or ''
    solution: Callable[[float, float], float]  # of y(0) and t


_EQUATIONS = {
    "hyperbolic decay": _Equation("y' + y² = 0", "-y * y", "", lambda y, t: y / (1 + y * t)),
    "logistic growth": _Equation("y' = y(1 - y)", "y * (1 - y)", "", lambda y, t: y / (y + (1 - y) * math.exp(-t))),
    "gaussian decay": _Equation("y' + 2ty = 0", "-2 * t * y", "", lambda y, t: y * math.exp(-t * t)),
    "driven relaxation": _Equation(
        "y' + y = cos(t)", "cos(t) - y", "cos", lambda y, t: (math.cos(t) + math.sin(t)) / 2 + (y - 0.5) * math.exp(-t)
    ),
    "quadratic forcing": _Equation(
        "y' + y = t²", "t * t - y", "", lambda y, t: t * t - 2 * t + 2 + (y - 2) * math.exp(-t)
    ),
    "resonant relaxation": _Equation("y' + y = exp(-t)", "exp(-t) - y", "exp", lambda y, t: (y + t) * math.exp(-t)),
}


@dataclass(frozen=True, slots=True)
class _Method:
    title: str
    body: tuple[str, ...]  # lines of one step
    nodes: tuple[float, ...]  # Butcher's tableau, where each stage uses only the stage before it
    weights: tuple[float, ...]
    slip: tuple[str, str]
    why: str
    order: int

    @property
    def named(self) -> str:
        """The title as it stands inside a sentence."""
        return self.title if "'s " in self.title else f"the {self.title[0].lower()}{self.title[1:]}"


_METHODS = {
    "euler": _Method(
        "Euler's method",
        ("y += step * slope(t, y)",),
        (0.0,),
        (1.0,),
        ("y += step * slope(t, y)", "y += slope(t, y)"),
        "follows the tangent at the start of each step",
        1,
    ),
    "heun": _Method(
        "Heun's method",
        ("first = slope(t, y)", "second = slope(t + step, y + step * first)", "y += step * (first + second) / 2"),
        (0.0, 1.0),
        (0.5, 0.5),
        ("(first + second) / 2", "(first + second)"),
        "averages the slope at the start and the slope at the point where Euler's step would end",
        2,
    ),
    "midpoint": _Method(
        "Explicit midpoint method",
        ("half = y + step / 2 * slope(t, y)", "y += step * slope(t + step / 2, half)"),
        (0.0, 0.5),
        (0.0, 1.0),
        ("y += step * slope(t + step / 2, half)", "y = half + step * slope(t + step / 2, half)"),
        "goes half a step to probe the slope in the middle and uses that slope for the whole step",
        2,
    ),
    "runge-kutta": _Method(
        "Classical Runge-Kutta method",
        (
            "first = slope(t, y)",
            "second = slope(t + step / 2, y + step / 2 * first)",
            "third = slope(t + step / 2, y + step / 2 * second)",
            "fourth = slope(t + step, y + step * third)",
            "y += step / 6 * (first + 2 * second + 2 * third + fourth)",
        ),
        (0.0, 0.5, 0.5, 1.0),
        (1 / 6, 1 / 3, 1 / 3, 1 / 6),
        ("step / 6 * (first + 2 * second + 2 * third + fourth)", "step / 4 * (first + second + third + fourth)"),
        "weighs four slopes 1 : 2 : 2 : 1, the middle two taken half-way, like Simpson's rule",
        4,
    ),
}


def _one_step(method_name: str, equation_name: str, steps: int) -> Entry:
    method, equation = _METHODS[method_name], _EQUATIONS[equation_name]
    head = f"from math import {equation.function}\n\n" if equation.function else ""
    start = (
        head
        + f"def solve(y: float, end: float) -> float:\n    def slope(t: float, y: float) -> float:\n        return {equation.slope}\n\n    step = end / STEPS\n"
    )
    body = "\n        ".join(("t = i * step", *method.body))
    code = source(f"{start}    for i in range(STEPS):\n        {body}\n    return y", STEPS=steps)
    alternative = source(
        start
        + "    tableau = list(zip(NODES, WEIGHTS))\n    for i in range(STEPS):\n        stage, gain = 0.0, 0.0\n        for node, weight in tableau:\n"
        "            stage = slope((i + node) * step, y + node * step * stage)\n            gain += weight * stage\n        y += step * gain\n    return y",
        STEPS=steps,
        NODES=method.nodes,
        WEIGHTS=method.weights,
    )
    value, exact, near = (
        compiled(alternative, "solve")(0.5, 1.0),
        equation.solution(0.5, 1.0),
        equation.solution(0.5, 0.1),
    )
    return Entry(
        title=f"{method.title} with {steps} steps for {equation.written}",
        statement=f"Solve {equation.written} numerically from t = 0, where y has the given value, to t = end with {steps} equal steps of {method.named}"
        f"{' (Heun: trapezoidal average of two slopes)' if method_name == 'heun' else ''}, and return the approximate float y at t = end. The float end may be negative or zero; zero returns the initial value.",
        signature=signature(code),
        explanations=(
            f"The method {method.why}. The step is end/{steps}, and after {steps} such steps the time has reached the end; the slope function comes from {equation.written} solved for y'.",
            f"A differential equation tells only the direction at each point. Walking in {steps} straight pieces, where each piece {method.why}, leaves an error at the end that is of order {method.order} in the step, "
            f"so twice as many steps make it about {2**method.order} times smaller.",
            f"For {equation.written} the exact solution is known, which shows what the approximation is worth: from y(0) = 0.5 it gives {exact:.6f} at t = 1, while {steps} steps give {value:.6f}. "
            f"The method is called one-step because only the latest y is remembered.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("If the end is 0, the initial value is returned.", "solve(0.75, 0.0) == 0.75"),
            (
                f"Over a short time it stays near the exact solution: within 0.01 of {near:.6f} at t = 0.1 from 0.5.",
                f"abs(solve(0.5, 0.1) - {near!r}) < 0.01",
            ),
            (f"From 0.5 it arrives at about {value:.6f} for t = 1.", f"abs(solve(0.5, 1.0) - {value!r}) < 1e-9"),
        ),
        false_claims=(
            (
                f"{steps} steps give the exact solution {exact:.6f} of the equation.",
                f"abs(solve(0.5, 1.0) - {exact!r}) < 1e-10",
            ),
        ),
        exercises=(
            ("Where does the method arrive from y(0) = 0.5 at t = 1?", "0.5, 1.0"),
            ("Where from y(0) = 1 at t = 0.5?", "1.0, 0.5"),
            ("Where from y(0) = 2 at t = 1?", "2.0, 1.0"),
        ),
        exam=calls(
            (0.5, 1.0),
            (1.0, 0.5),
            (2.0, 1.0),
            (0.75, 0.0),
            (0.0, 1.0),
            (-0.5, 0.5),
            (1.5, 2.0),
            (0.25, -1.0),
            (0.2, 3.0),
            (1.25, 0.1),
        ),
        wrong=slips(
            code,
            wrong_formula=method.slip,
            off_by_one=(f"range({steps})", f"range({steps} - 1)"),
            wrong_constant=(f"end / {steps}", f"end / {steps + 1}"),
        ),
    )


FAMILIES: tuple[Family, ...] = (
    Family(
        "newton-roots",
        "calculus",
        "Newton's method for roots",
        ("chain-rule-powers",),
        [(p, s, n) for n in range(1, 7) for s in (2, 3, 4, 5) for p in range(2, 10)],
        _newton_root,
    ),
    Family(
        "one-step-methods",
        "calculus",
        "One-step methods for differential equations",
        ("quadrature-rules",),
        [(method, equation, n) for n in range(2, 10) for equation in _EQUATIONS for method in _METHODS],
        _one_step,
    ),
)
