"""Independent answers for the statistics domain: selection one by one, lines through points, logarithms of products."""

from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

from .rational import pair, solve


def trimmed_means(low, high):
    """Extremes are taken out one at a time, without sorting."""

    def answer(values):
        rest = list(values)
        for _ in range(low):
            if rest:
                rest.remove(min(rest))
        for _ in range(high):
            if rest:
                rest.remove(max(rest))
        return pair(Fraction(sum(rest), len(rest))) if rest else None

    return answer


def sample_quantiles(kind, percent):
    """Hyndman and Fan's plotting positions p_k of the sorted values; the quantile is read off the broken line."""
    p = Fraction(percent, 100)
    position = {
        4: Fraction,  # k/n
        5: lambda k, n: Fraction(2 * k - 1, 2 * n),
        6: lambda k, n: Fraction(k, n + 1),
        7: lambda k, n: Fraction(k - 1, n - 1),
        8: lambda k, n: Fraction(3 * k - 1, 3 * n + 1),
        9: lambda k, n: Fraction(8 * k - 3, 8 * n + 2),
    }[kind]

    def answer(values):
        ordered, n = sorted(values), len(values)
        if n == 1:
            return pair(ordered[0])
        points = [(position(k, n), value) for k, value in enumerate(ordered, 1)]
        if p <= points[0][0]:
            return pair(ordered[0])
        for (left, low), (right, high) in pairwise(points):
            if left <= p <= right:
                return pair(low + (high - low) * (p - left) / (right - left))
        return pair(ordered[-1])

    return answer


def moving_means(window, stride):
    """A running total that gains one value and loses one; the places wanted are picked by their index."""

    def answer(values):
        means, total = [], 0
        for index, value in enumerate(values):
            total += value - (values[index - window] if index >= window else 0)
            start = index - window + 1
            if start >= 0 and start % stride == 0:
                means.append(pair(Fraction(total, window)))
        return means

    return answer


def exponential_smoothing(part, whole):
    """The levels as the unknowns of a bidiagonal linear system."""
    alpha = Fraction(part, whole)

    def answer(values):
        if not values:
            return None
        size = len(values)
        matrix = [[Fraction(int(row == column)) for column in range(size)] for row in range(size)]
        for row in range(1, size):
            matrix[row][row - 1] = alpha - 1
        right = [Fraction(values[0])] + [alpha * value for value in values[1:]]
        return pair(solve(matrix, right)[-1])

    return answer


def bayesian_averages(prior, weight):
    """The list with the imagined ratings written out."""

    def answer(ratings):
        everything = [prior] * weight + ratings
        return pair(sum(Fraction(one, len(everything)) for one in everything))

    return answer


def f_measures(part, whole):
    """Van Rijsbergen's effectiveness, with alpha = 1/(1 + beta²)."""
    alpha = 1 / (1 + Fraction(part, whole) ** 2)

    def answer(true_positives, false_positives, false_negatives):
        if true_positives == 0:
            return [0, 1]
        inverse_precision = 1 + Fraction(false_positives, true_positives)
        inverse_recall = 1 + Fraction(false_negatives, true_positives)
        effectiveness = 1 - 1 / (alpha * inverse_precision + (1 - alpha) * inverse_recall)
        return pair(1 - effectiveness)

    return answer


def histograms(low, width, bins):
    """Every bin asks every value."""
    edges = [low + width * index for index in range(bins + 1)]

    def answer(values):
        inside = [sum(a <= v < b for v in values) for a, b in pairwise(edges)]
        return [sum(v < edges[0] for v in values), *inside, sum(v >= edges[-1] for v in values)]

    return answer


def renyi_entropies(order, base):
    """The coincidence probability of `order` draws as a product of integers, logarithm at forty digits."""

    def answer(counts):
        with localcontext() as context:
            context.prec = 40
            together = sum(Decimal(count) ** order for count in counts)
            return float((Decimal(sum(counts)) ** order / together).ln() / Decimal(base).ln() / (order - 1))

    return answer


def huber_losses(halves):
    """The integral of the clipped residual, summed exactly over steps of one half."""

    def answer(residuals):
        quarters = 0
        for residual in residuals:
            for step in range(2 * abs(residual)):  # from step/2 to (step + 1)/2; the kink is on the grid
                quarters += 2 * step + 1 if step < halves else 2 * halves
        return pair(Fraction(quarters, 8))

    return answer


def additive_smoothing(part, whole):
    """A mixture of relative frequencies and the uniform distribution."""

    def answer(counts):
        seen, classes = sum(counts), len(counts)
        if not counts:
            return []
        trust = Fraction(seen) / (seen + Fraction(part, whole) * classes)
        frequencies = [Fraction(count, seen) if seen else Fraction(0) for count in counts]
        return [pair(trust * frequency + (1 - trust) / classes) for frequency in frequencies]

    return answer


ORACLES = {
    "trimmed-means": trimmed_means,
    "sample-quantiles": sample_quantiles,
    "moving-means": moving_means,
    "exponential-smoothing": exponential_smoothing,
    "bayesian-averages": bayesian_averages,
    "f-measures": f_measures,
    "histograms": histograms,
    "renyi-entropies": renyi_entropies,
    "huber-losses": huber_losses,
    "additive-smoothing": additive_smoothing,
}
