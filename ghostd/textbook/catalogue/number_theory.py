"""Number theory: divisors, residues, primes and Diophantine questions, each with its parameters."""

import math

from ghostd.core.concept import Domain
from ghostd.textbook.catalogue._number_theory_forms import FORMS
from ghostd.textbook.catalogue._number_theory_residues import RESIDUES
from ghostd.textbook.catalogue._writing import fill, spoiled
from ghostd.textbook.catalogue.family import Entry, Family

_SLUG = "number-theory"

DOMAIN = Domain(
    _SLUG,
    "Number theory",
    "Whole numbers and their divisors, residues, primes, digits and Diophantine equations.",
)


def _divisor_power_sum(k: int, m: int, r: int) -> Entry:
    which = "divisors" if m == 1 else f"divisors that leave remainder {r} modulo {m}"
    what = f"{which} raised to the power {k}"
    code = fill(
        """
        def divisor_power_sum(n: int) -> int:
            total = 0
            d = 1
            while d * d <= n:
                if n % d == 0:
                    for divisor in {d, n // d}:
                        if divisor % <m> == <r>:
                            total += divisor ** <k>
                d += 1
            return total
        """,
        k=k,
        m=m,
        r=r,
    )
    alternative = fill(
        """
        def divisor_power_sum(n: int) -> int:
            return sum(d ** <k> for d in range(1, n + 1) if n % d == 0 and d % <m> == <r>)
        """,
        k=k,
        m=m,
        r=r,
    )
    first = r or m
    return Entry(
        title=f"Sum of {k}-th powers of divisors congruent to {r} modulo {m}",
        statement=f"divisor_power_sum(n) returns, for an integer n >= 1, the sum of d**{k} over all positive divisors d "
        f"of n with d % {m} == {r}. It is 0 when n has no such divisor.",
        signature="def divisor_power_sum(n: int) -> int",
        explanations=(
            (f"Divisors come in pairs d and n // d, so it is enough to try d up to the square root of n. Of each pair, "
            f"those with remainder {r} modulo {m} contribute their power {k}; a set avoids counting the root of a square twice."),
            (f"To add up the {what}, walk over small candidates only. Whenever a candidate divides n, its "
            f"partner does too, and both are tested against the residue condition before d**{k} is added."),
            (f"The function sigma_{k} is restricted here to one residue class ({r} mod {m}). Trial division up to sqrt(n) "
            f"finds each divisor together with its cofactor. That makes the cost grow like the square root of n rather than n."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"The sum for n = {first} is at least {first}**{k}, because {first} divides itself.", f"divisor_power_sum({first}) >= {first ** k}"),
            (f"For n = 1 the sum is {int(r == 1 % m)}.", f"divisor_power_sum(1) == {int(r == 1 % m)}"),
            ("A multiple of n never has a smaller sum than n.", "all(divisor_power_sum(6 * n) >= divisor_power_sum(n) for n in range(1, 40))"),
        ),
        false_claims=(
            ("The square root of a perfect square counts twice.", f"divisor_power_sum({first ** 2}) == {sum(d**k for d in range(1, first * first + 1) if first * first % d == 0 and d % m == r) + first**k}"),
        ),
        exercises=tuple((f"What is the sum of the {what}, for n = {n}?", str(n)) for n in (12, 28 * first, 97, 360)),
        exam=tuple(str(n) for n in dict.fromkeys((1, 2, 3, 4, first, first * first, 6 * first, 2 * m + r, first * (m + first), first * (m + first) * (2 * m + first), (m + first) ** 2, 36, 60 * first, 210, 720))),
        wrong=spoiled(
            code,
            wrong_formula=(f"divisor ** {k}", f"(n // divisor) ** {k + 1}"),
            off_by_one=("d * d <= n", "d * d < n"),
            wrong_constant=(f"divisor ** {k}", f"divisor ** {k + 1}"),
        ),
    )  # fmt: skip


def _coprime_count(c: int, primes: tuple[int, ...]) -> Entry:
    code = fill(
        """
        from math import gcd

        def coprime_count(n: int) -> int:
            whole, rest = divmod(n, <c>)
            count = whole * <phi>
            for i in range(1, rest + 1):
                if gcd(i, <c>) == 1:
                    count += 1
            return count
        """,
        c=c,
        phi=math.prod(p - 1 for p in primes),
    )
    alternative = fill(
        """
        from itertools import combinations
        from math import prod

        def coprime_count(n: int) -> int:
            primes = <primes>
            return sum((-1) ** k * (n // prod(chosen)) for k in range(len(primes) + 1) for chosen in combinations(primes, k))
        """,
        primes=list(primes),
    )
    phi = math.prod(p - 1 for p in primes)
    listed = " and ".join(map(str, primes))
    return Entry(
        title=f"Count of integers coprime to {c}",
        statement=f"coprime_count(n) returns how many of the integers 1, 2, ..., n have no common factor with {c} "
        f"greater than 1. n is an integer >= 0; for n = 0 the result is 0.",
        signature="def coprime_count(n: int) -> int",
        explanations=(
            (f"Coprimality to {c} depends on the remainder modulo {c} only, so every full block of {c} integers holds the same "
            f"number, {phi}, of them. The incomplete last block is counted one by one."),
            (f"Euler's totient of {c} is {phi}. Divide n by {c}: the quotient counts complete periods, each worth {phi}, "
            f"and a short loop with gcd settles the remainder."),
            (f"An integer shares a factor with {c} exactly when {listed} divides it. Because that pattern repeats, "
            f"multiplying by {phi} replaces most of the counting; only n mod {c} candidates are looked at."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"In one full period there are {phi}.", f"coprime_count({c}) == {phi}"),
            (f"The next period adds {phi} more, whatever the start.", f"all(coprime_count(n + {c}) == coprime_count(n) + {phi} for n in range(60))"),
            (f"{c} itself is never counted.", f"coprime_count({c}) == coprime_count({c} - 1)"),
        ),
        false_claims=(("Only multiples of the whole number are left out.", f"coprime_count({c}) == {c - 1}" if len(primes) > 1 else f"coprime_count({c}) == {c}"),),
        exercises=tuple((f"How many integers from 1 to {n} are coprime to {c}?", str(n)) for n in (10, 100, 3 * c + 2)),
        exam=tuple(str(n) for n in dict.fromkeys((0, 1, 2, c - 1, c, c + 1, 2 * c + 3, 5 * c + primes[-1], 7 * c + primes[0], 7 * c - 1, 31, 1000))),
        wrong=spoiled(
            code,
            wrong_formula=("== 1", "> 1"),
            off_by_one=("range(1, rest + 1)", "range(1, rest)"),
            wrong_constant=(f"whole * {phi}", f"whole * {phi + 1}"),
        ),
    )  # fmt: skip


def _modular_power(a: int, m: int) -> Entry:
    code = fill(
        """
        def modular_power(n: int) -> int:
            result = 1
            square = <a>
            while n > 0:
                if n % 2 == 1:
                    result = result * square % <m>
                square = square * square % <m>
                n //= 2
            return result
        """,
        a=a,
        m=m,
    )
    return Entry(
        title=f"Powers of {a} modulo {m}",
        statement=f"modular_power(n) returns {a}**n reduced modulo {m}, an integer from 0 to {m - 1}, for an integer n >= 0. "
        f"modular_power(0) is 1.",
        signature="def modular_power(n: int) -> int",
        properties=(f"assert modular_power(n + 1) == {a} * modular_power(n) % {m}",),
        explanations=(
            (f"Write n in binary: {a}**n is the product of those squares {a}, {a}**2, {a}**4, ... whose bit is set. "
            f"Reducing modulo {m} after each multiplication keeps every number below {m}**2."),
            (f"Square-and-multiply halves the exponent in each round. When the exponent is odd the current square joins the "
            f"result; remainders modulo {m} may be taken at any moment because multiplication respects congruence."),
            (f"Only about log2(n) rounds are needed for the remainder of {a}**n on division by {m}. The trick is that "
            f"{a}**(2k) is the square of {a}**k, so the loop never forms the huge power itself."),
        ),
        code=code,
        alternative=fill("def modular_power(n: int) -> int:\n    return pow(<a>, n, <m>)", a=a, m=m),
        claims=(
            (f"{a} to the first power leaves {a % m}.", f"modular_power(1) == {a % m}"),
            ("Exponents add when powers multiply.", f"all(modular_power(i + j) == modular_power(i) * modular_power(j) % {m} for i in range(9) for j in range(9))"),
            (f"Every result is a remainder modulo {m}.", f"all(0 <= modular_power(n) < {m} for n in range(50))"),
        ),
        false_claims=(("The remainders grow with the exponent.", f"all(modular_power(n) < modular_power(n + 1) for n in range({m}))"),),
        exercises=tuple((f"What is the remainder of {a}**{n} on division by {m}?", str(n)) for n in (3, 20, 100)),
        exam=("0", "1", "2", "3", "4", "5", "6", "7", "13", "64", "100", "255", "1000", "123456789"),
        wrong=spoiled(
            code,
            wrong_formula=("n % 2 == 1", "n % 2 == 0"),
            off_by_one=("while n > 0", "while n > 1"),
            wrong_constant=(f"square * square % {m}", f"square * square % {m + 1}"),
        ),
    )  # fmt: skip


def _linear_congruence(a: int, m: int) -> Entry:
    g = math.gcd(a, m)
    code = fill(
        """
        from math import gcd

        def solve_congruence(b: int) -> int:
            common = gcd(<a>, <m>)
            if b % common != 0:
                return -1
            modulus = <m> // common
            return b // common * pow(<a> // common, -1, modulus) % modulus
        """,
        a=a,
        m=m,
    )
    alternative = fill(
        """
        def solve_congruence(b: int) -> int:
            return next((x for x in range(<m>) if (<a> * x - b) % <m> == 0), -1)
        """,
        a=a,
        m=m,
    )
    return Entry(
        title=f"Solutions of {a}x congruent to b modulo {m}",
        statement=f"solve_congruence(b) returns the smallest integer x >= 0 with {a}*x congruent to b modulo {m}, "
        f"for any integer b, or -1 when there is none.",
        signature="def solve_congruence(b: int) -> int",
        explanations=(
            (f"The multiples of {a} modulo {m} are exactly the multiples of gcd({a}, {m}) = {g}, so b must be divisible by {g}. "
            f"After dividing everything by {g}, the factor {a // g} is invertible modulo {m // g} and x is b // {g} times that inverse."),
            (f"Read the congruence as {a}x - {m}y = b. A whole solution needs {g} to divide b; dividing it out "
            f"leaves coprime numbers, where multiplying by the inverse of {a // g} modulo {m // g} isolates x."),
            (f"Two cases: if {g} does not divide b the answer is -1. Otherwise cancel {g}, which also shrinks the modulus to "
            f"{m // g}; there the unknown is unique, and its least non-negative representative is returned."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("For b = 0 the smallest solution is 0.", "solve_congruence(0) == 0"),
            ("Every solution that is returned satisfies the congruence.", f"all(solve_congruence(b) == -1 or ({a} * solve_congruence(b) - b) % {m} == 0 for b in range({m}))"),
            (f"Exactly {m // g} of the {m} residues b have a solution.", f"sum(solve_congruence(b) >= 0 for b in range({m})) == {m // g}"),
        ),
        false_claims=((f"Solutions run over all of 0 to {m - 1} or there is one for every b.", f"max(solve_congruence(b) for b in range({m})) == {m}"),),
        exercises=tuple((f"What is the smallest x >= 0 with {a}x = {b} modulo {m}?", str(b)) for b in (g, 5, 3 * g)),
        exam=tuple(str(b) for b in dict.fromkeys((0, 1, 2, 3, g, g + 1, -g, 2 * g, 7 * g, m - g, m, m + g, 5, 11, -1, 10 * m + 3 * g))),
        wrong=spoiled(
            code,
            wrong_formula=("return b", "return -b"),
            off_by_one=("-1, modulus) % modulus", "-1, modulus) % modulus + 1"),
            wrong_constant=("b // common * pow", "2 * b // common * pow"),
        ),
    )  # fmt: skip


def _squarefree() -> list[tuple[int, tuple[int, ...]]]:
    """(c, its primes) for the square-free c with two or more primes, or a prime."""
    found = []
    for c in range(3, 340):
        primes = tuple(p for p in range(2, c + 1) if c % p == 0 and all(p % q for q in range(2, p)))
        if math.prod(primes) == c:
            found.append((c, primes))
    return found


def _bases_and_moduli() -> list[tuple[int, int]]:
    """(a, m) with at least four different powers; of two moduli with the same remainders (3 modulo 10 and 20) the smaller."""
    found: dict[tuple[int, ...], tuple[int, int]] = {}
    for a in range(2, 13):
        for m in range(a + 3, a + 35):
            remainders = tuple(pow(a, n, m) for n in range(90))
            if len(set(remainders)) > 3:
                found.setdefault(remainders, (a, m))
    return list(found.values())


FAMILIES: tuple[Family, ...] = (
    Family(
        "divisor-power-sums", _SLUG, "Divisor power sums", (),
        [(k, m, r) for m in range(1, 13) for k in range(4) for r in range(m)], _divisor_power_sum,
    ),
    Family("coprime-counts", _SLUG, "Counting coprime integers", ("divisor-power-sums",), _squarefree(), _coprime_count),
    Family(
        "modular-powers", _SLUG, "Modular exponentiation", (), _bases_and_moduli(), _modular_power,
    ),
    Family(
        "linear-congruences", _SLUG, "Linear congruences", ("coprime-counts",),
        [(a, m) for m in range(6, 36) for a in range(2, m - 1) if m // math.gcd(a, m) > 2], _linear_congruence,
    ),
    *RESIDUES,
    *FORMS,
)  # fmt: skip
