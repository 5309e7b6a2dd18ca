"""Independent answers for the probability domain: enumeration, polynomials packed in integers, linear systems."""

import itertools
from collections import Counter
from fractions import Fraction
from math import comb, factorial

from .rational import pair, solve


def dice_sums(dice, sides):
    """Kronecker substitution: the counts are the digits of one big power, in base 2**64."""
    packed = sum(1 << (64 * face) for face in range(1, sides + 1)) ** dice

    def answer(total):
        ways = (packed >> (64 * total)) % (1 << 64) if total >= 0 else 0
        return pair(Fraction(ways, sides**dice))

    return answer


def hypergeometric_draws(population, marked):
    """Vandermonde: the arrangements of marked balls over the places drawn and left, counted by brute polynomials."""

    def answer(draws, hits):
        favourable = Counter()
        for inside in range(min(marked, draws) + 1):
            favourable[inside] = comb(draws, inside) * comb(population - draws, marked - inside)
        return pair(Fraction(favourable[hits], sum(favourable.values())))

    return answer


def shared_birthdays(days):
    """One person after the other: the chance that the first match happens at that person, added up."""

    def answer(people):
        matched, unmatched = Fraction(0), Fraction(1)
        for before in range(people):
            matched += unmatched * Fraction(before, days)
            unmatched *= 1 - Fraction(before, days)
        return pair(matched)

    return answer


def uniform_order_statistics(rank, faces):
    """Enumeration of all draws where that is feasible, the multinomial sum over (below, equal, above) elsewhere."""

    def answer(draws, bound):
        if draws < rank:
            return [0, 1]
        if faces**draws <= 5000:
            hits = sum(sorted(seen)[rank - 1] <= bound for seen in itertools.product(range(1, faces + 1), repeat=draws))
            return pair(Fraction(hits, faces**draws))
        ways = 0
        for value in range(1, min(bound, faces) + 1):
            for below in range(rank):
                for equal in range(rank - below, draws - below + 1):
                    above = draws - below - equal
                    orders = factorial(draws) // (factorial(below) * factorial(equal) * factorial(above))
                    ways += orders * (value - 1) ** below * (faces - value) ** above
        return pair(Fraction(ways, faces**draws))

    return answer


def coupon_collecting(kinds, goal):
    """The linear system of the absorbing chain on the number of kinds owned."""
    size = kinds + 1
    matrix = [[Fraction(int(row == column)) for column in range(size)] for row in range(size)]
    right = [Fraction(int(have < goal)) for have in range(size)]
    for have in range(goal):
        matrix[have][have] -= Fraction(have, kinds)
        matrix[have][have + 1] -= Fraction(kinds - have, kinds)
    waits = solve(matrix, right)
    return lambda owned: pair(waits[owned])


def binomial_tails(wins, chances):
    """Absorbing recursion on trials left and successes missing."""

    def chance(trials, missing):
        if missing <= 0:
            return Fraction(1)
        if trials < missing:
            return Fraction(0)
        win = Fraction(wins, chances)
        row = [Fraction(int(need == 0)) for need in range(missing + 1)]
        for _ in range(trials):
            row = [Fraction(1)] + [win * row[need - 1] + (1 - win) * row[need] for need in range(1, missing + 1)]
        return row[missing]

    return lambda trials, successes: pair(chance(trials, successes))


def gamblers_ruin(win, rounds, goal):
    """The boundary value problem, solved as a linear system."""
    size = goal + 1
    matrix = [[Fraction(int(row == column)) for column in range(size)] for row in range(size)]
    for coins in range(1, goal):
        matrix[coins][coins + 1] -= Fraction(win, rounds)
        matrix[coins][coins - 1] -= Fraction(rounds - win, rounds)
    chances = solve(matrix, [Fraction(int(coins == goal)) for coins in range(size)])
    return lambda stake: pair(chances[min(stake, goal)])


def two_state_markov_chains(start, stop):
    """Powers of the integer transition matrix by repeated squaring."""

    def times(a, b):
        return [[sum(a[i][k] * b[k][j] for k in range(2)) for j in range(2)] for i in range(2)]

    def answer(days):
        power, base, left = [[1, 0], [0, 1]], [[20 - start, start], [stop, 20 - stop]], days
        while left:
            power, base, left = (times(power, base) if left & 1 else power), times(base, base), left >> 1
        return pair(Fraction(power[0][1], 20**days))

    return answer


def bayes_updates(ill, sensitivity):
    """Odds form: prior odds times likelihood ratios, back to a probability."""

    def answer(false_positive_percent, tests):
        against = Fraction(1000 - ill, ill) * Fraction(false_positive_percent, sensitivity) ** tests
        return pair(1 / (1 + against))

    return answer


def penneys_game(pattern):
    """First-step analysis on the last letters seen; the first of them are uniform over all words."""
    size = len(pattern)
    words = ["".join(word) for word in itertools.product("HT", repeat=size - 1)]
    place = {word: index for index, word in enumerate(words)}

    def answer(rival):
        known = {pattern: Fraction(1), rival: Fraction(0)}
        matrix = [[Fraction(int(row == column)) for column in range(len(words))] for row in range(len(words))]
        right = [Fraction(0)] * len(words)
        for word in words:
            for seen in (word + "H", word + "T"):
                if seen in known:
                    right[place[word]] += known[seen] / 2
                else:
                    matrix[place[word]][place[seen[1:]]] -= Fraction(1, 2)
        return pair(sum(solve(matrix, right)) / len(words))

    return answer


ORACLES = {
    "dice-sums": dice_sums,
    "hypergeometric-draws": hypergeometric_draws,
    "shared-birthdays": shared_birthdays,
    "uniform-order-statistics": uniform_order_statistics,
    "coupon-collecting": coupon_collecting,
    "binomial-tails": binomial_tails,
    "gamblers-ruin": gamblers_ruin,
    "two-state-markov-chains": two_state_markov_chains,
    "bayes-updates": bayes_updates,
    "penneys-game": penneys_game,
}
