"""Number theory: the Chinese remainder theorem, primes in progressions, digits and multiplicative orders."""

import math

from ghostd.textbook.catalogue._writing import fill, spoiled
from ghostd.textbook.catalogue.family import Entry, Family

_SLUG = "number-theory"


def _chinese_remainder(m: int, n: int) -> Entry:
    code = fill(
        """
        def chinese_remainder(a: int, b: int) -> int:
            step = (b - a) * pow(<m>, -1, <n>) % <n>
            return a % <m> + <m> * ((step + a // <m>) % <n>)
        """,
        m=m,
        n=n,
    )
    alternative = fill(
        """
        def chinese_remainder(a: int, b: int) -> int:
            return next(x for x in range(<mn>) if (x - a) % <m> == 0 and (x - b) % <n> == 0)
        """,
        m=m,
        n=n,
        mn=m * n,
    )
    return Entry(
        title=f"Chinese remainder modulo {m} and {n}",
        statement=f"chinese_remainder(a, b) returns the smallest integer x >= 0 with x congruent to a modulo {m} and to b "
        f"modulo {n}. a and b are any integers; the result lies between 0 and {m * n - 1}.",
        signature="def chinese_remainder(a: int, b: int) -> int",
        properties=(f"x = chinese_remainder(a, b)\nassert (x - a) % {m} == 0 == (x - b) % {n} and 0 <= x < {m * n}",),
        explanations=(
            (f"Because {m} and {n} have no common factor, each pair of remainders belongs to exactly one x below {m * n}. "
            f"Start from a and add multiples of {m}: the inverse of {m} modulo {n} tells how many are needed to meet b."),
            (f"Numbers of the form a + {m}t satisfy the first congruence for every t. Solving {m}t = b - a modulo {n} fixes t, "
            f"and the division works since {m} is invertible there. Reducing t keeps the answer under {m} times {n}."),
            (f"The theorem glues two clocks, one with {m} and one with {n} hours, into a single clock with {m * n}. One modular "
            f"inverse is enough: it converts the gap b - a into the number of turns of the first clock."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("Equal small remainders give the number itself.", "all(chinese_remainder(i, i) == i for i in range(2))"),
            ("Every result meets both congruences.", f"all((chinese_remainder(a, b) - a) % {m} == 0 == (chinese_remainder(a, b) - b) % {n} for a in range({m}) for b in range({n}))"),
            (f"All {m * n} pairs of remainders have different solutions.", f"len({{chinese_remainder(a, b) for a in range({m}) for b in range({n})}}) == {m * n}"),
        ),
        false_claims=(("The solution is the sum of the two products of remainder and modulus.", f"all(chinese_remainder(a, b) == a * {n} + b * {m} for a in range(2) for b in range(2))"),),
        exercises=tuple((f"Which smallest x leaves {a} modulo {m} and {b} modulo {n}?", f"{a}, {b}") for a, b in ((1, 0), (0, 1), (2, 3))),
        exam=tuple(f"{a}, {b}" for a, b in dict.fromkeys(((0, 0), (1, 1), (1, 0), (0, 1), (2, 1), (m - 1, n - 1), (m, 1), (m + 1, 0), (-1, 2), (3 * m + 1, 2 * n + 2), (1, n - 1), (m - 1, 2)))),
        wrong=spoiled(
            code,
            wrong_formula=(f"(b - a) * pow({m}, -1, {n})", "(b - a)" if pow(m, -1, n) != 1 else "(a - b)"),
            off_by_one=(f"(step + a // {m}) % {n}", f"(step + a // {m} + 1) % {n}"),
            wrong_constant=(f"+ {m} * (", f"+ {m + 1} * ("),
        ),
    )  # fmt: skip


def _primes_in_progression(m: int, r: int) -> Entry:
    code = fill(
        """
        def primes_in_progression(n: int) -> int:
            count = 0
            for p in range(<r>, n + 1, <m>):
                d = 2
                while d * d <= p and p % d != 0:
                    d += 1
                if p > 1 and d * d > p:
                    count += 1
            return count
        """,
        m=m,
        r=r,
    )
    alternative = fill(
        """
        def primes_in_progression(n: int) -> int:
            composite = {k for p in range(2, n + 1) for k in range(p * p, n + 1, p)}
            return sum(p not in composite for p in range(2, n + 1) if p % <m> == <r>)
        """,
        m=m,
        r=r,
    )
    squares = (
        next(p * p for p in range(3, 400, 2) if p * p % m == r)
        if any(p * p % m == r for p in range(3, 400, 2))
        else 121
    )
    first = next(p for p in range(2, 4000) if p % m == r and all(p % d for d in range(2, math.isqrt(p) + 1)))
    return Entry(
        title=f"Primes congruent to {r} modulo {m}",
        statement=f"primes_in_progression(n) returns how many primes p <= n satisfy p % {m} == {r}. n is an integer >= 0.",
        signature="def primes_in_progression(n: int) -> int",
        explanations=(
            (f"Step through {r}, {r + m}, {r + 2 * m}, ... and test each number for primality by trial division up to its square root. "
            f"Since {r} and {m} have no common factor, Dirichlet's theorem promises that the count never stops growing."),
            (f"Only one number in {m} has the right remainder, so the loop jumps by {m}. A candidate is prime when no d with "
            f"d*d <= p divides it; 1 has to be excluded on its own because it has no divisor to find."),
            (f"How many primes up to n lie in the residue class {r} mod {m}? A composite p always has a divisor no larger than "
            f"sqrt(p), therefore the inner search may stop there. Asymptotically each admissible class gets the same share."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"The first of them is {first}.", f"primes_in_progression({first}) == 1 and primes_in_progression({first - 1}) == 0"),
            ("The count grows by at most one from one integer to the next.", "all(primes_in_progression(n + 1) - primes_in_progression(n) in (0, 1) for n in range(120))"),
            ("There is none up to 1.", "primes_in_progression(1) == 0"),
        ),
        false_claims=(("Every number of the progression is prime.", f"primes_in_progression({r + 12 * m}) == 13"),),
        exercises=tuple((f"How many primes up to {n} leave {r} modulo {m}?", str(n)) for n in (first, 100, 333)),
        exam=tuple(str(n) for n in dict.fromkeys((0, 1, 2, first - 1, first, first + 1, first + m, r + 4 * m, r + 7 * m, squares, squares - 1, 100, 250, 401))),
        wrong=spoiled(
            code,
            wrong_formula=("d * d <= p and p % d != 0", "d * d <= p and p % d == 0"),
            off_by_one=("n + 1", f"n - {m}"),
            wrong_constant=("p > 1", f"p > {first}"),
        ),
    )  # fmt: skip


def _digit_power_sum(b: int, k: int) -> Entry:
    code = fill(
        """
        def digit_power_sum(n: int) -> int:
            total = 0
            while n > 0:
                n, digit = divmod(n, <b>)
                total += digit ** <k>
            return total
        """,
        b=b,
        k=k,
    )
    alternative = fill(
        """
        def digit_power_sum(n: int) -> int:
            return 0 if n == 0 else (n % <b>) ** <k> + digit_power_sum(n // <b>)
        """,
        b=b,
        k=k,
    )
    return Entry(
        title=f"Sum of digits to the power {k} in base {b}",
        statement=f"digit_power_sum(n) returns the sum of the {k}-th powers of the digits of n written in base {b}, "
        f"for an integer n >= 0. For n = 0 it is 0.",
        signature="def digit_power_sum(n: int) -> int",
        explanations=(
            (f"Division by {b} with remainder peels off the last digit in base {b}. Each digit is raised to the power {k} and added until "
            f"nothing is left of n."),
            (f"Base-{b} digits are the remainders of repeated division by {b}. Their order does not matter for a sum, so the "
            f"loop may take them from the right; every one of them counts with exponent {k}."),
            (f"A number below {b} is its own only digit. Any larger one is {b}q + d, and its digits are those of q together with d. "
            f"That recursion, unrolled into a loop, adds up d**{k}."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("The base itself has the digits 1 and 0.", f"digit_power_sum({b}) == 1"),
            (f"The largest digit contributes {(b - 1) ** k}.", f"digit_power_sum({b - 1}) == {(b - 1) ** k}"),
            ("Appending a zero changes nothing.", f"all(digit_power_sum({b} * n) == digit_power_sum(n) for n in range(80))"),
        ),
        false_claims=(("The sum over n + 1 is always larger than over n.", f"all(digit_power_sum(n + 1) > digit_power_sum(n) for n in range({b * b}))"),),
        exercises=tuple((f"What is the sum of the {k}-th powers of the digits of {n} in base {b}?", str(n)) for n in (b + 2, 2024, 10**6)),
        exam=tuple(str(n) for n in dict.fromkeys((0, 1, 2, b - 1, b, b + 1, b * b - 1, b * b, 2 * b + 2, b**3 + 2 * b + 2, 999, 12345, 987654321, 2**64))),
        wrong=spoiled(
            code,
            wrong_formula=(f"digit ** {k}", f"digit * {k + 1}"),
            off_by_one=("while n > 0", f"while n > {b - 1}"),
            wrong_constant=(f"digit ** {k}", f"digit ** {k + 1}"),
        ),
    )  # fmt: skip


def _multiplicative_order(m: int) -> Entry:
    code = fill(
        """
        from math import gcd

        def multiplicative_order(a: int) -> int:
            if gcd(a, <m>) != 1:
                return 0
            order, power = 1, a % <m>
            while power != 1:
                power = power * a % <m>
                order += 1
            return order
        """,
        m=m,
    )
    alternative = fill(
        """
        def multiplicative_order(a: int) -> int:
            return next((k for k in range(1, <m> + 1) if pow(a, k, <m>) == 1), 0)
        """,
        m=m,
    )
    return Entry(
        title=f"Multiplicative order modulo {m}",
        statement=f"multiplicative_order(a) returns the smallest k >= 1 with a**k congruent to 1 modulo {m}, for any integer a, "
        f"or 0 when there is none, that is when a and {m} have a common factor.",
        signature="def multiplicative_order(a: int) -> int",
        explanations=(
            (f"Powers of a unit modulo {m} form a cycle which returns to 1. The loop multiplies by a until it is back at 1 and counts the steps; "
            f"numbers that share a factor with {m} never get there, so they are sorted out first."),
            (f"By Euler's theorem some power of every a coprime to {m} is 1. Its least exponent is found by walking the powers one by one. "
            f"It always divides the totient of {m}."),
            (f"Think of multiplication by a as a permutation of the units modulo {m}. The order of a is the length of the cycle through 1. "
            f"With gcd(a, {m}) > 1 there is no such cycle and the function answers 0."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("1 has order 1.", "multiplicative_order(1) == 1"),
            (f"-1, that is {m - 1}, has order 2.", f"multiplicative_order({m - 1}) == 2"),
            (f"The order depends on the residue modulo {m} only.", f"all(multiplicative_order(a) == multiplicative_order(a + {m}) for a in range(20))"),
        ),
        false_claims=(("Every number has an order, shared factors or not.", f"multiplicative_order({m}) > 0"),),
        exercises=tuple((f"What is the order of {a} modulo {m}?", str(a)) for a in (2, m - 2, m + 3)),
        exam=tuple(str(a) for a in dict.fromkeys((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, m - 1, m - 2, m, m + 1, m + 2, -2, 3 * m - 4))),
        wrong=spoiled(
            code,
            wrong_formula=("order += 1", "order += 2"),
            off_by_one=("order, power = 1, a", "order, power = 0, a"),
            wrong_constant=("return 0", "return 1"),
        ),
    )  # fmt: skip


RESIDUES: tuple[Family, ...] = (
    Family(
        "chinese-remainder", _SLUG, "Chinese remainder theorem", ("linear-congruences",),
        [(m, n) for m in range(3, 30) for n in range(m + 1, 31) if math.gcd(m, n) == 1], _chinese_remainder,
    ),
    Family(
        "primes-in-progressions", _SLUG, "Primes in arithmetic progressions", ("coprime-counts",),
        [(m, r) for m in range(3, 33) if m % 4 != 2 for r in range(1, m) if math.gcd(m, r) == 1], _primes_in_progression,
    ),
    Family(
        "digit-power-sums", _SLUG, "Digit power sums", (),
        [(b, k) for b in range(3, 25) for k in range(1, 6)], _digit_power_sum,
    ),
    Family(
        "multiplicative-orders", _SLUG, "Multiplicative order", ("modular-powers",),
        [(m,) for m in range(5, 245)], _multiplicative_order,
    ),
)  # fmt: skip
