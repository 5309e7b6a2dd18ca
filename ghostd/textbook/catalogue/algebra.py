"""Algebra: equations, sequences and series (this file), and the structures behind them; no linear algebra."""

from ghostd.core.concept import Domain
from ghostd.textbook.catalogue._algebra_structures import FAMILIES as _STRUCTURES
from ghostd.textbook.catalogue._examples import illustrated
from ghostd.textbook.catalogue._numerals import signed, spoken
from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family

DOMAIN = Domain(
    "algebra",
    "Algebra",
    "Equations, polynomials, sequences, permutations, finite fields and quadratic rings, over integers and remainders.",
)

_FIELD_PRIMES = (17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73)
_SERIES_MODULI = (97, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 163, 167, 173, 179, 181)


def _quadratic_congruence(prime: int, linear: int) -> Entry:
    half = linear * pow(2, -1, prime) % prime
    square = half * half % prime
    code = source(
        """
        def quadratic_roots(c: int) -> list[int]:
            remainders = ((x * x + LINEAR * x + c) % PRIME for x in range(PRIME))
            return [x for x, remainder in enumerate(remainders) if remainder == 0]
        """,
        PRIME=prime,
        LINEAR=linear,
    )
    alternative = source(
        """
        def quadratic_roots(c: int) -> list[int]:
            half = LINEAR * pow(2, -1, PRIME) % PRIME
            target = (half * half - c) % PRIME
            roots_of_target = [y for y in range(PRIME) if y * y % PRIME == target]
            return sorted((y - half) % PRIME for y in roots_of_target)
        """,
        PRIME=prime,
        LINEAR=linear,
    )
    return Entry(
        title=f"Roots of x² + {linear}x + c modulo {prime}",
        statement=f"Return the increasing list of all integers x with 0 <= x < {prime} for which x² + {linear}x + c is divisible by the prime {prime}. "
        "The integer c may be negative or larger than the prime. The list has zero, one or two members.",
        signature=signature(code),
        explanations=(
            f"Modulo an odd prime the quadratic formula still works. Completing the square turns x² + {linear}x + c into (x + {half})² - ({square} - c), "
            f"since {half} is half of {linear} modulo {prime}. There are two roots when {square} - c is a non-zero square, one when it is zero, none otherwise.",
            f"The remainders modulo {prime} form a field, so a polynomial of degree two has at most two zeros there. "
            f"When x and y are both zeros, Vieta's rules say x + y ≡ -{linear} and xy ≡ c, and one zero gives away the other.",
            f"Only {prime} remainders exist, so testing each of them settles the question. Exactly half of the non-zero remainders are squares, "
            f"which is why, as c runs over all remainders, as many values of c give two roots as give none; c ≡ {square} is the single value with a double root.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"For c = 0 the roots are 0 and {prime - linear}.", f"quadratic_roots(0) == [0, {prime - linear}]"),
            (
                f"Only c ≡ {square} gives a double root, {(-half) % prime}.",
                f"[quadratic_roots(c) for c in range({prime}) if len(quadratic_roots(c)) == 1] == [[{-half % prime}]]",
            ),
            (
                f"Adding {prime} to c changes nothing.",
                f"quadratic_roots({prime + 3}) == quadratic_roots(3) and quadratic_roots({linear - 1 - prime}) == {sorted({(1 - linear) % prime, prime - 1})}",
            ),
        ),
        false_claims=(
            (
                f"As over the complex numbers, every quadratic has a root modulo {prime}.",
                f"all(quadratic_roots(c) for c in range({prime}))",
            ),
        ),
        exercises=(
            (f"Which x solve x² + {linear}x ≡ 0 modulo {prime}?", "0"),
            (f"Which x solve x² + {linear}x + 1 ≡ 0 modulo {prime}?", "1"),
            (f"What happens for c = {square}, where the discriminant vanishes?", f"{square}"),
        ),
        exam=calls(
            0,
            1,
            2,
            3,
            -1,
            linear - 1,
            square,
            square - 1,
            square - 4,
            prime,
            prime - 1,
            prime + 1,
            -5 * prime - 6,
            10**6,
        ),
        wrong=slips(
            code,
            wrong_formula=("+ c)", "- c)"),
            off_by_one=(f"range({prime})", f"range(1, {prime})"),
            wrong_constant=(f"{linear} * x", f"{linear + 1} * x"),
        ),
    )


def _synthetic_division(root: int, prime: int) -> Entry:
    code = source(
        """
        def synthetic_division(coefficients: list[int]) -> list[int]:
            row = []
            carried = 0
            for coefficient in coefficients:
                carried = (carried * ROOT + coefficient) % PRIME
                row.append(carried)
            return row
        """,
        ROOT=root,
        PRIME=prime,
    )
    alternative = source(
        """
        def synthetic_division(coefficients: list[int]) -> list[int]:
            row = []
            for end in range(1, len(coefficients) + 1):
                powers = (pow(ROOT, end - 1 - place, PRIME) for place in range(end))
                row.append(sum(map(int.__mul__, coefficients[:end], powers)) % PRIME)
            return row
        """,
        ROOT=root,
        PRIME=prime,
    )
    return Entry(
        title=f"Synthetic division by x - {root} modulo {prime}",
        statement=f"Divide the polynomial with the given integer coefficients, highest power first, by x - {root} over the integers modulo {prime}. "
        f"Return one list: the coefficients of the quotient, highest power first, followed by the remainder, all in 0..{prime - 1}. "
        "The list is as long as the input; a constant gives just itself reduced, the empty list gives the empty list.",
        signature=signature(code),
        explanations=(
            f"Bring down the first coefficient, multiply it by {root}, add the next coefficient, and go on like that. Each number in the row is a "
            f"coefficient of the quotient, because comparing powers in p(x) = (x - {root})q(x) + s gives exactly this rule. The last number is s.",
            f"The remainder theorem says that the remainder on division by x - {root} equals p({root}). Horner's scheme computes that value, and the "
            f"intermediate results which it leaves behind are the quotient; everything is reduced modulo {prime} so numbers stay small.",
            f"Long division by a monic linear polynomial never needs a fraction. At each step the leading term is cancelled, and what flows on to the next "
            f"column is {root} times it, with a plus sign since subtracting -{root} adds. Working modulo {prime} changes only the arithmetic, not the scheme.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"x - {root} divides itself: quotient 1, remainder 0.", f"synthetic_division([1, {-root}]) == [1, 0]"),
            (
                f"The remainder is the value of the polynomial at {root}.",
                f"synthetic_division([2, 0, 5, 7])[-1] == (2 * {root} ** 3 + 5 * {root} + 7) % {prime}",
            ),
            (
                f"x² - {root * root} leaves no remainder, and the quotient is x + {root}.",
                f"synthetic_division([1, 0, {-root * root}]) == [1, {root}, 0]",
            ),
        ),
        false_claims=(
            (
                f"Dividing by x - {root} means evaluating at -{root}.",
                f"synthetic_division([1, 0, 0, 1])[-1] == (1 - {root} ** 3) % {prime}",
            ),
        ),
        exercises=(
            (f"Divide x³ + 2x² + 3x + 4 by x - {root} modulo {prime}.", "[1, 2, 3, 4]"),
            (f"Divide x⁴ - 1 by x - {root} modulo {prime}.", "[1, 0, 0, 0, -1]"),
            (f"Divide 5x + 1 by x - {root} modulo {prime}.", "[5, 1]"),
        ),
        exam=calls(
            [],
            [0],
            [1],
            [-1],
            [1, -root],
            [1, 1],
            [prime, 1],
            [1, 0, 0, 1],
            [3, -2, 5],
            [0, 0, 4, 1],
            [7, 6, 5, 4, 3, 2, 1],
            [10**9, -(10**9), 1],
        ),
        wrong=slips(
            code,
            wrong_formula=(f"carried * {root} +", f"carried * -{root} +"),
            off_by_one=("in coefficients:", "in coefficients[:-1]:"),
            wrong_constant=(f"% {prime}", f"% {prime + 1}"),
        ),
    )


def _geometric_series(ratio: int, modulus: int) -> Entry:
    code = source(
        """
        def geometric_sum(terms: int) -> int:
            total, block, power = 0, 1, RATIO
            while terms:
                if terms % 2:
                    total = (total * power + block) % MODULUS
                block = block * (1 + power) % MODULUS
                power = power * power % MODULUS
                terms //= 2
            return total
        """,
        RATIO=ratio,
        MODULUS=modulus,
    )
    alternative = source(
        """
        def geometric_sum(terms: int) -> int:
            scaled = MODULUS * (RATIO - 1)
            return (pow(RATIO, terms, scaled) - 1) % scaled // (RATIO - 1)
        """,
        RATIO=ratio,
        MODULUS=modulus,
    )
    tail = (1 + ratio) % modulus
    return Entry(
        title=f"Geometric series of ratio {ratio} modulo {modulus}",
        statement=f"Return the remainder modulo {modulus} of the sum of the first `terms` powers of {ratio}: 1 + {ratio} + {ratio}² + ... with the last "
        "exponent terms - 1. The argument is an integer >= 0 and may be very large; no terms sum to 0.",
        signature=signature(code),
        explanations=(
            f"A block of 2k terms is a block of k terms times 1 + {ratio}^k, because the second half repeats the first one multiplied by {ratio}^k. "
            "Reading the number of terms in binary and doubling the block at each digit takes only as many steps as there are digits.",
            f"The school formula ({ratio}^n - 1) / {ratio - 1} is an exact division of integers, so it may not be done on remainders modulo {modulus}. "
            f"Keeping the numerator modulo {modulus} times {ratio - 1} makes the division legitimate again.",
            f"Sums of powers obey S(m + n) = S(m)·{ratio}^n + S(n). That rule lets one assemble a sum of a billion terms from sums of 1, 2, 4, 8 ... terms, "
            f"every one of them reduced modulo {modulus} at once.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("One term is 1 and no term is 0.", "[geometric_sum(0), geometric_sum(1)] == [0, 1]"),
            (f"Two terms give {tail}.", f"geometric_sum(2) == {tail}"),
            (
                f"Each sum is {ratio} times the one before it, plus 1.",
                f"all(geometric_sum(n + 1) == ({ratio} * geometric_sum(n) + 1) % {modulus} for n in range(40))",
            ),
        ),
        false_claims=(
            (
                f"The remainder of {ratio}^n - 1 may simply be divided by {ratio - 1}, dropping the fraction.",
                f"all(geometric_sum(n) == (pow({ratio}, n, {modulus}) - 1) // {ratio - 1} for n in range(1, 60))",
            ),
        ),
        exercises=(
            (f"What are 10 terms of the series modulo {modulus}?", "10"),
            (f"What are 100 terms modulo {modulus}?", "100"),
            (f"What are 1023 terms modulo {modulus}?", "1023"),
        ),
        exam=calls(0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 16, 31, 50, 100, 999, 2048),
        wrong={
            **slips(
                code,
                off_by_one=("while terms:", "terms += 1\n    while terms:"),
                wrong_constant=("0, 1, ", f"0, {ratio}, "),
            ),
            "wrong_formula": source(
                "def geometric_sum(terms: int) -> int:\n    return (pow(RATIO, terms, MODULUS) - 1) // (RATIO - 1)",
                RATIO=ratio,
                MODULUS=modulus,
            ),
        },
    )


def _lucas_sequence(p: int, q: int) -> Entry:
    recurrence = f"U(n) = {p}·U(n-1) {signed(-q)}·U(n-2)"
    code = source(
        """
        def lucas_u(n: int) -> int:
            current, following = 0, 1
            for _ in range(n):
                current, following = following, PARAMETER * following - (CONSTANT) * current
            return current
        """,
        PARAMETER=p,
        CONSTANT=q,
    )
    alternative = source(
        """
        def lucas_u(n: int) -> int:
            current, following = 0, 1
            for digit in bin(n)[2:]:
                doubled = current * (2 * following - (PARAMETER) * current)
                after = following**2 - (CONSTANT) * current**2
                current, following = (after, PARAMETER * after - (CONSTANT) * doubled) if digit == "1" else (doubled, after)
            return current
        """,
        PARAMETER=p,
        CONSTANT=q,
    )
    return Entry(
        title=f"Lucas sequence U with P {spoken(p)} and Q {spoken(q)}",
        statement=f"The Lucas sequence U with P = {p} and Q = {q} starts with U(0) = 0 and U(1) = 1 and continues with {recurrence}. "
        "Return the exact integer U(n) for an integer n >= 0.",
        signature=signature(code),
        explanations=(
            f"Each term is a fixed combination of the two before it, {recurrence}, so two numbers are all the state that must be kept. "
            "Starting from the pair 0, 1 and shifting the pair n times leaves U(n) in front.",
            f"The recurrence belongs to the polynomial x² {signed(-p)}x {signed(q)}, whose roots α and β make U(n) = (αⁿ - βⁿ)/(α - β) when they differ. "
            f"For P = 1 and Q = -1 this would be the Fibonacci sequence; here P = {p} and Q = {q}. Iterating with integers avoids every rounding error.",
            f"In matrix form the pair of neighbouring terms is multiplied by [[{p}, {-q}], [1, 0]] at every step. Squaring that matrix jumps ahead by doubling "
            "the index, which explains the identity U(2n) = U(n)(2U(n+1) - P·U(n)).",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"U(2) is P = {p}.", f"lucas_u(2) == {p}"),
            (f"U(3) is P² - Q = {p * p - q}.", f"lucas_u(3) == {p * p - q}"),
            (
                f"Neighbours obey U(n)² - U(n-1)·U(n+1) = Q^(n-1), here powers of {q}.",
                f"all(lucas_u(n) ** 2 - lucas_u(n - 1) * lucas_u(n + 1) == ({q}) ** (n - 1) for n in range(1, 20))",
            ),
        ),
        false_claims=((f"The second parameter is added: U(3) = P² + Q = {p * p + q}.", f"lucas_u(3) == {p * p + q}"),),
        exercises=((f"What is U(4) for P = {p}, Q = {q}?", "4"), ("What is U(7)?", "7"), ("What is U(20)?", "20")),
        exam=calls(0, 1, 2, 3, 4, 5, 6, 7, 10, 25, 64),
        wrong=slips(
            code,
            wrong_formula=(f"- ({q})", f"+ ({q})"),
            off_by_one=("range(n)", "range(n + 1)"),
            wrong_constant=("= 0, 1", "= 2, 1"),
        ),
    )


def _arithmetic_series(first: int, difference: int) -> Entry:
    code = source(
        """
        def series_sum(terms: int) -> int:
            last = FIRST + (terms - 1) * DIFFERENCE
            return terms * (FIRST + last) // 2
        """,
        FIRST=first,
        DIFFERENCE=difference,
    )
    alternative = source(
        """
        def series_sum(terms: int) -> int:
            return sum(range(FIRST, FIRST + terms * DIFFERENCE, DIFFERENCE))
        """,
        FIRST=first,
        DIFFERENCE=difference,
    )
    third = first + 2 * difference
    return Entry(
        title=f"Arithmetic series from {first} in steps of {difference}",
        statement=f"Return the sum of the first `terms` members of the arithmetic sequence {first}, {first + difference}, {third}, ... which starts at "
        f"{first} and grows by {difference}. The argument is an integer >= 0; the sum of no terms is 0.",
        signature=signature(code),
        properties=(f"assert series_sum(terms + 1) - series_sum(terms) == {first} + {difference} * terms",),
        explanations=(
            f"Write the sum forwards and backwards under each other: every column adds up to the first plus the last term. With {first} at one end and "
            f"{first} + (n - 1)·{difference} at the other, n such columns count the sum twice, so half of the product is the answer.",
            f"The average of evenly spaced numbers is the average of the two outermost ones. Multiplying that mean by the number of terms gives the sum; "
            f"the last term lies n - 1 steps of {difference} after {first}, not n steps.",
            f"Split each term into its fixed part {first} and its growing part. The fixed parts contribute {first}·n, and the growing parts contribute "
            f"{difference} times the triangular number n(n - 1)/2, since the first term has not grown yet.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"One term sums to {first}.", f"series_sum(1) == {first}"),
            (
                f"Three terms sum to three times the middle one, {first + difference}.",
                f"series_sum(3) == {3 * (first + difference)}",
            ),
            (
                "Consecutive sums differ by the next term.",
                f"all(series_sum(n + 1) - series_sum(n) == {first} + {difference} * n for n in range(30))",
            ),
        ),
        false_claims=(
            (
                f"The n-th term is {first} + {difference}n, so two terms add up to {2 * first + 3 * difference}.",
                f"series_sum(2) == {2 * first + 3 * difference}",
            ),
        ),
        exercises=(
            ("What do the first 5 terms add up to?", "5"),
            ("What do the first 100 terms add up to?", "100"),
            ("What do the first 12 terms add up to?", "12"),
        ),
        exam=calls(0, 1, 2, 3, 4, 5, 10, 17, 100, 1001),
        wrong=slips(
            code,
            wrong_formula=(" // 2", ""),
            off_by_one=("(terms - 1)", "terms"),
            wrong_constant=(f"= {first} + (terms - 1) * {difference}", f"= {first} + (terms - 1) * {difference + 2}"),
        ),
    )


FAMILIES: tuple[Family, ...] = illustrated(
    (
        Family(
            "arithmetic-series",
            "algebra",
            "Arithmetic series",
            (),
            [(a, d) for a in range(1, 15) for d in range(2, 16)],
            _arithmetic_series,
        ),
        Family(
            "geometric-series-modulo",
            "algebra",
            "Geometric series modulo m",
            ("arithmetic-series",),
            [(r, m) for r in range(3, 18) for m in _SERIES_MODULI],
            _geometric_series,
        ),
        Family(
            "synthetic-division",
            "algebra",
            "Synthetic division",
            (),
            [(r, m) for m in _FIELD_PRIMES for r in range(2, 17) if r < m - 1],
            _synthetic_division,
        ),
        Family(
            "quadratic-congruences",
            "algebra",
            "Quadratic congruences",
            ("synthetic-division",),
            [(p, b) for p in (5, 7, 11, 13, 17, 19, 23, 29, 31) for b in range(1, p)],
            _quadratic_congruence,
        ),
        Family(
            "lucas-sequences",
            "algebra",
            "Lucas sequences",
            ("geometric-series-modulo",),
            [(p, q) for p in range(-8, 9) for q in range(-7, 8) if p and q],
            _lucas_sequence,
        ),
        *_STRUCTURES,
    )
)
