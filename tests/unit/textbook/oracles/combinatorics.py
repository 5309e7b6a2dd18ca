"""What combinatorics' functions must return, by other means: exact products, power series, memoised search."""

import functools
import itertools
import math
from fractions import Fraction


def _binomial_modulo(prime):
    def remainder(n, k):
        """The exact coefficient, grown factor by factor."""
        value = 1
        for step in range(min(k, max(n - k, 0)) if k <= n else 0):
            value = value * (n - step) // (step + 1)
        return value % prime if k <= n else 0

    return remainder


def _partition_count(*parts):
    def count(n):
        @functools.cache
        def complete(total, largest):
            """Partitions of total whose parts have an index up to largest, by taking away the largest part."""
            if total == 0:
                return 1
            return sum(complete(total - parts[i], i) for i in range(largest + 1) if parts[i] <= total)

        return complete(n, len(parts) - 1)

    return count


def _composition_count(*parts):
    def count(n):
        """Coefficient of x^n in the sum of all powers of the polynomial of the parts."""
        power, total = {0: 1}, int(n == 0)
        while power:
            grown = {}
            for reached, ways in power.items():
                for part in parts:
                    if reached + part <= n:
                        grown[reached + part] = grown.get(reached + part, 0) + ways
            total += grown.get(n, 0)
            power = grown
        return total

    return count


def _selections(kinds, most):
    def count(n):
        """Coefficient of x^n in a power of 1 + x + ... + x^most, packed into one large integer."""
        width = 4 * kinds * (most + 1).bit_length() + 64
        packed = sum(1 << width * i for i in range(most + 1)) ** kinds
        return packed >> width * n & (1 << width) - 1

    return count


def _set_partitions(blocks, least):
    def count(n):
        """The coefficient of x^n, times n!, in (sum of x^s / s! for s >= least)^blocks / blocks!."""
        block = [Fraction(int(size >= least), math.factorial(size)) for size in range(n + 1)]
        power = [Fraction(1)] + [Fraction(0)] * n
        for _ in range(blocks if n >= blocks * least else 0):
            power = [sum(power[i] * block[total - i] for i in range(total + 1)) for total in range(n + 1)]
        return int(power[n] * math.factorial(n) / math.factorial(blocks)) if n >= blocks * least else 0

    return count


def _lattice_paths(across, upward):
    def count(x, y):
        @functools.cache
        def onward(left, below):
            if left < 0 or below < 0:
                return 0
            if left == below == 0:
                return 1
            return onward(left - 1, below) + onward(left, below - 1) + onward(left - across, below - upward)

        return onward(x, y)

    return count


def _words(letters, run):
    def count(n):
        """By the number of runs: the first has `letters` choices, the others one fewer."""
        if n == 0:
            return 1
        cuts, total = {0: 1}, 0
        for runs in range(1, n + 1):
            cuts = {t: sum(cuts.get(t - size, 0) for size in range(1, run)) for t in range(n + 1)}
            total += letters * (letters - 1) ** (runs - 1) * cuts[n]
        return total

    return count


def _necklaces(colours):
    def count(n):
        """Euler's totient over the divisors; for few words the rotation classes are listed instead."""
        if colours**n <= 4096:
            words = itertools.product(range(colours), repeat=n)
            return len({min(word[turn:] + word[:turn] for turn in range(n)) for word in words})
        divisors = [d for d in range(1, n + 1) if n % d == 0]
        totient = {d: sum(math.gcd(i, d) == 1 for i in range(1, d + 1)) for d in divisors}
        return sum(totient[d] * colours ** (n // d) for d in divisors) // n

    return count


def _permutations(*forbidden):
    def count(n):
        """The coefficient of x^n, times n!, in exp(sum of x^l / l over allowed l), through n·a(n) = sum of a(n - l)."""
        allowed = [length for length in range(1, n + 1) if length not in forbidden]
        series = [Fraction(1)]
        for size in range(1, n + 1):
            series.append(sum((series[size - length] for length in allowed if length <= size), Fraction(0)) / size)
        listed = int(series[n] * math.factorial(n))
        assert n > 6 or listed == sum(
            not _cycle_lengths(one) & {*forbidden} for one in itertools.permutations(range(n))
        )
        return listed

    return count


def _cycle_lengths(permutation):
    lengths = set()
    for start in range(len(permutation)):
        element, steps = permutation[start], 1
        while element != start:
            element, steps = permutation[element], steps + 1
        lengths.add(steps)
    return lengths


def _strip_walks(height, start):
    @functools.cache
    def walks(position, steps):
        if not 0 <= position <= height:
            return 0
        return 1 if steps == 0 else walks(position - 1, steps - 1) + walks(position + 1, steps - 1)

    return lambda n: walks(start, n)


ORACLES = {
    "restricted-partitions": _partition_count,
    "restricted-compositions": _composition_count,
    "binomials-modulo-prime": _binomial_modulo,
    "bounded-multisets": _selections,
    "set-partitions-by-block-size": _set_partitions,
    "lattice-paths-with-jump": _lattice_paths,
    "words-without-runs": _words,
    "necklaces": _necklaces,
    "permutations-without-cycles": _permutations,
    "walks-in-a-strip": _strip_walks,
}
