"""The part of combinatorics about selections: binomial coefficients and multisets; order never matters here."""

import math

from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family

_PRIMES = tuple(n for n in range(5, 240) if all(n % d for d in range(2, n)))


def _binomial_modulo(prime: int) -> Entry:
    code = source(
        """
        from math import comb

        def binomial_modulo(n: int, k: int) -> int:
            result = 1
            while k:
                n, upper = divmod(n, PRIME)
                k, lower = divmod(k, PRIME)
                result = result * comb(upper, lower) % PRIME
            return result
        """,
        PRIME=prime,
    )
    alternative = source(
        """
        def binomial_modulo(n: int, k: int) -> int:
            if k > n:
                return 0
            top, bottom, exponent = 1, 1, 0
            for step in range(1, min(k, n - k) + 1):
                factor, divisor = n + 1 - step, step
                while factor % PRIME == 0:
                    factor, exponent = factor // PRIME, exponent + 1
                while divisor % PRIME == 0:
                    divisor, exponent = divisor // PRIME, exponent - 1
                top, bottom = top * factor % PRIME, bottom * divisor % PRIME
            return 0 if exponent else top * pow(bottom, -1, PRIME) % PRIME
        """,
        PRIME=prime,
    )
    square = prime * prime
    return Entry(
        title=f"Binomial coefficients modulo the prime {prime}",
        statement=f"Return the remainder of the binomial coefficient 'n choose k' on division by the prime {prime}, for integers n >= 0 and k >= 0. "
        "It is 0 for k > n.",
        signature=signature(code),
        explanations=(
            f"Lucas' theorem: write n and k in base {prime} and multiply the binomial coefficients of matching digits. It holds because "
            f"(1 + x)^{prime} is 1 + x^{prime} modulo {prime}, so each digit of n contributes its own factor. A digit of k above the digit of n makes the product zero.",
            f"Dividing factorials modulo {prime} fails as soon as n reaches {prime}, since the factorial then contains the factor {prime} and has no inverse. "
            f"Splitting both numbers into base-{prime} digits avoids that: every digit is below {prime}.",
            f"In Pascal's triangle modulo {prime} row {prime} is 1, 0, ..., 0, 1, so the whole triangle repeats itself at scale {prime}. "
            f"That self-similarity means 'n choose k' equals (n // {prime} choose k // {prime}) times (n % {prime} choose k % {prime}), and one can go on recursively.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                f"All inner entries of row {prime} vanish.",
                f"[binomial_modulo({prime}, k) for k in range({prime} + 1)] == [1] + [0] * {prime - 1} + [1]",
            ),
            (f"{2 * prime} choose {prime} leaves 2.", f"binomial_modulo({2 * prime}, {prime}) == 2"),
            (
                f"In row {prime - 1} the entries alternate between 1 and {prime - 1}.",
                f"all(binomial_modulo({prime - 1}, k) == (1, {prime - 1})[k % 2] for k in range({prime}))",
            ),
        ),
        false_claims=(
            (
                f"Only the remainders of n and k modulo {prime} matter.",
                f"binomial_modulo({2 * prime + 1}, {prime + 1}) == binomial_modulo(1, 1)",
            ),
        ),
        exercises=(
            (f"What is 10 choose 4 modulo {prime}?", "10, 4"),
            (f"What is {square} choose {prime} modulo {prime}?", f"{square}, {prime}"),
            ("What is one million choose 3, reduced?", "1000000, 3"),
        ),
        exam=calls(
            (0, 0),
            (0, 1),
            (5, 0),
            (4, 2),
            (prime, 1),
            (prime, prime),
            (prime + 3, 2),
            (2 * prime + 3, prime + 1),
            (4 * prime + 4, 2 * prime + 2),
            (prime - 1, 3),
            (3, 5),
            (square + 3, square),
            (3 * square + 2 * prime + 4, 3 * square + prime + 1),
            (999, 500),
        ),
        wrong={
            **slips(
                code,
                off_by_one=("while k:", "k += 1\n    while k:"),
                wrong_constant=(f"result * comb(upper, lower) % {prime}", f"result * comb(upper, lower) % {prime + 2}"),
            ),
            "wrong_formula": source(
                "from math import comb\n\ndef binomial_modulo(n: int, k: int) -> int:\n    return comb(n % PRIME, k % PRIME) % PRIME",
                PRIME=prime,
            ),
        },
    )


def _bounded_multisets(kinds: int, most: int) -> Entry:
    code = source(
        """
        from math import comb

        def selections(n: int) -> int:
            total = 0
            for broken in range(n // BEYOND + 1):
                free = n - broken * BEYOND
                total += (-1) ** broken * comb(KINDS, broken) * comb(free + KINDS - 1, free)
            return total
        """,
        KINDS=kinds,
        BEYOND=most + 1,
    )
    alternative = source(
        """
        def selections(n: int) -> int:
            ways = [1] + [0] * n
            for _ in range(KINDS):
                ways = [sum(ways[max(0, total - MOST) : total + 1]) for total in range(n + 1)]
            return ways[n]
        """,
        KINDS=kinds,
        MOST=most,
    )
    full = kinds * most
    return Entry(
        title=f"Selections from {kinds} kinds with at most {most} of each",
        statement=f"There are {kinds} kinds of items, with {most} indistinguishable items of each kind. Return the number of ways to select n items, where only the number "
        f"taken of each kind matters. The integer n is >= 0; more than {full} items cannot be selected, which gives 0.",
        signature=signature(code),
        explanations=(
            f"Without the cap there are C(n + {kinds - 1}, {kinds - 1}) selections, by stars and bars. Inclusion and exclusion removes those where some kind is taken "
            f"more than {most} times: hand {most + 1} items to each of j offending kinds beforehand, with sign (-1)^j.",
            f"The generating function is (1 + x + ... + x^{most})^{kinds}, and the answer is the coefficient of x^n. Writing each factor as "
            f"(1 - x^{most + 1})/(1 - x) explains the alternating formula at once.",
            f"Add one kind at a time. Having settled some kinds, the next one can contribute 0 to {most} items, so each new count is a sum over a window of {most + 1} old counts. "
            f"After {kinds} rounds the list is symmetric about {full}/2, because choosing what to take is choosing what to leave.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"A single item can be any of the {kinds} kinds.", f"selections(1) == {kinds}"),
            (
                f"Everything can be taken in one way, and {full + 1} items in none.",
                f"[selections({full}), selections({full + 1})] == [1, 0]",
            ),
            (
                f"All selections together number {most + 1}^{kinds}.",
                f"sum(map(selections, range({full} + 1))) == {most + 1} ** {kinds}",
            ),
        ),
        false_claims=(
            (
                f"Stars and bars alone gives the count, even for n = {most + 1}.",
                f"selections({most + 1}) == {math.comb(most + kinds, most + 1)}",
            ),
        ),
        exercises=(
            ("In how many ways can 3 items be selected?", "3"),
            (f"In how many ways can {full // 2} items be selected?", f"{full // 2}"),
            (f"In how many ways can {full - 1} items be selected?", f"{full - 1}"),
        ),
        exam=calls(
            0,
            1,
            2,
            most,
            most + 1,
            most + 2,
            2 * most + 1,
            2 * most + 2,
            2 * most + 3,
            full // 2,
            full - 1,
            full,
            full + 1,
            full + 7,
            3 * most + 4,
        ),
        wrong={
            **slips(
                code,
                off_by_one=(f"range(n // {most + 1} + 1)", f"range(n // {most + 1})"),
                wrong_constant=(f"n - broken * {most + 1}", f"n - broken * {most}"),
            ),
            "wrong_formula": source(
                "from math import comb\n\ndef selections(n: int) -> int:\n    return comb(n + KINDS - 1, n)",
                KINDS=kinds,
            ),
        },
    )


FAMILIES: tuple[Family, ...] = (
    Family(
        "binomials-modulo-prime",
        "combinatorics",
        "Binomial coefficients modulo a prime",
        (),
        [(p,) for p in _PRIMES],
        _binomial_modulo,
    ),
    Family(
        "bounded-multisets",
        "combinatorics",
        "Multisets with bounded multiplicity",
        (),
        [(k, m) for k in range(2, 17) for m in range(1, 16)],
        _bounded_multisets,
    ),
)
