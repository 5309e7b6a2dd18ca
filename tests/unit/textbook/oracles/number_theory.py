"""Independent answers for number theory: enumeration and definitions, none of the catalogue's own methods."""

from decimal import Decimal, getcontext
from fractions import Fraction


def _divisor_power_sum(k, m, r):
    def truth(n):
        pairs = ((i, n / i) for i in range(1, n + 1))
        return sum(i**k for i, quotient in pairs if quotient == int(quotient) and (i - r) % m == 0)

    return truth


def _coprime_count(c, primes):
    def truth(n):
        return sum(1 for i in range(1, n + 1) if Fraction(i, c).denominator == c)

    return truth


def _modular_power(a, m):
    def truth(n):
        seen = [1 % m]
        while (after := seen[-1] * a % m) not in seen:
            seen.append(after)
        start = seen.index(after)
        return seen[n] if n < len(seen) else seen[start + (n - start) % (len(seen) - start)]

    return truth


def _linear_congruence(a, m):
    def truth(b):
        return min(({x * a % m: x for x in reversed(range(m))}.get(b % m, -1),))

    return truth


def _chinese_remainder(m, n):
    table = {(x % m, x % n): x for x in range(m * n)}
    return lambda a, b: table[a % m, b % n]


def _primes_in_progression(m, r):
    def truth(n):
        sieve = bytearray([1]) * (n + 2)
        sieve[:2] = b"\0\0"
        for p in range(2, n + 1):
            for multiple in range(2 * p, n + 1, p):
                sieve[multiple] = 0
        return sum(sieve[: n + 1][r::m])

    return truth


def _digit_power_sum(b, k):
    def truth(n):
        high = 1
        while high * b <= n:
            high *= b
        total = 0
        while high:
            total += pow(n // high % b, k)
            high //= b
        return total

    return truth


def _figurate(s):
    def truth(n):
        sequence = [sum(1 + (s - 2) * step for step in range(k)) for k in range(1, 61)]
        return sequence.index(n) + 1 if n in sequence else 0

    return truth


def _integer_root(c, k):
    def truth(n):
        if n == 0:
            return 0
        x = 1 << (c * n).bit_length()  # Newton's iteration from above
        while (after := ((k - 1) * x + c * n // x ** (k - 1)) // k) < x:
            x = after
        return x

    return truth


def _representations(a, c):
    def truth(n):
        xs, ys = range(int((n / a) ** 0.5) + 2), range(int((n / c) ** 0.5) + 2)
        return sum(a * x * x + c * y * y == n for x in xs for y in ys)

    return truth


def _continued_fraction(d):
    def truth(count):
        getcontext().prec = 120
        value, terms = Decimal(d).sqrt(), []
        for _ in range(count):
            terms.append(int(value))
            value = 1 / (value - terms[-1])
        return terms

    return truth


def _multiplicative_order(m):
    def truth(a):
        orbit = [a % m]
        while (after := orbit[-1] * a % m) not in orbit:
            orbit.append(after)
        return orbit.index(1) + 1 if 1 in orbit else 0

    return truth


ORACLES = {
    "divisor-power-sums": _divisor_power_sum,
    "coprime-counts": _coprime_count,
    "modular-powers": _modular_power,
    "linear-congruences": _linear_congruence,
    "chinese-remainder": _chinese_remainder,
    "primes-in-progressions": _primes_in_progression,
    "digit-power-sums": _digit_power_sum,
    "figurate-numbers": _figurate,
    "integer-roots": _integer_root,
    "binary-forms": _representations,
    "root-continued-fractions": _continued_fraction,
    "multiplicative-orders": _multiplicative_order,
}
