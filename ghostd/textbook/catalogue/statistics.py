"""Statistics: trimmed means and quantiles (this file), smoothing, scores and counts beside it."""

from fractions import Fraction

from ghostd.core.concept import Domain
from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue._statistics_counts import FAMILIES as _COUNTS
from ghostd.textbook.catalogue._statistics_smoothing import FAMILIES as _SMOOTHING
from ghostd.textbook.catalogue._statistics_smoothing import MIXED
from ghostd.textbook.catalogue.family import Entry, Family

DOMAIN = Domain(
    "statistics",
    "Statistics",
    "Summaries of data: robust means, quantiles by named definitions, smoothing, scores of classifiers, entropy and smoothing of counts.",
)


def _trimmed_mean(low: int, high: int) -> Entry:
    code = source(
        """
        from fractions import Fraction

        def trimmed_mean(values: list[int]) -> list[int] | None:
            if len(values) <= LOW + HIGH:
                return None
            kept = sorted(values)[LOW : len(values) - HIGH]
            mean = Fraction(sum(kept), len(kept))
            return [mean.numerator, mean.denominator]
        """,
        LOW=low,
        HIGH=high,
    )
    alternative = source(
        """
        from fractions import Fraction
        from heapq import nlargest, nsmallest

        def trimmed_mean(values: list[int]) -> list[int] | None:
            left = len(values) - (LOW + HIGH)
            if left < 1:
                return None
            total = sum(values) - sum(nsmallest(LOW, values)) - sum(nlargest(HIGH, values))
            mean = Fraction(total, left)
            return [mean.numerator, mean.denominator]
        """,
        LOW=low,
        HIGH=high,
    )
    cut = low + high
    rising = list(range(1, cut + 3))
    return Entry(
        title=f"Trimmed mean without the {low} smallest and {high} largest values",
        statement=f"Leave out the {low} smallest and the {high} largest of the integers in `values` (equal values count one by one) and return the mean of the rest as a reduced fraction [numerator, denominator]; "
        "None when nothing is left. The list may be empty and need not be sorted; it is not changed.",
        signature=signature(code),
        explanations=(
            f"Sort the sample, cut {low} values from its lower end and {high} from its upper end, and average what remains. A few wild values then fall into the cut parts and cannot move the mean, which is the point of trimming.",
            f"The trimmed mean stands between mean and median: cutting nothing gives the first, cutting all but the middle the second. With {low} and {high} cut, at least {cut + 1} values are needed for an answer to exist.",
            f"Judges' marks are often averaged this way. Dropping a fixed number of values ({low} low, {high} high) rather than all copies of the extreme value keeps the sample size predictable, so the divisor is the count minus {cut}.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"{cut} values are too few.", f"trimmed_mean(list(range({cut}))) is None"),
            (
                f"Of 1, 2, ..., {cut + 1} exactly {low + 1} remains.",
                f"trimmed_mean(list(range({cut + 1}, 0, -1))) == [{low + 1}, 1]",
            ),
            (
                "Shifting all values shifts the mean.",
                f"trimmed_mean({[x + 5 for x in rising]!r})[0] == trimmed_mean({rising!r})[0] + 5 * trimmed_mean({rising!r})[1]",
            ),
        ),
        false_claims=(
            (
                f"Values that repeat are cut only once: {cut + 1} equal values leave more than one.",
                f"trimmed_mean([4] * {cut}) == [4, 1]",
            ),
        ),
        exercises=(
            (f"What is the trimmed mean of 1 to {cut + 2}?", repr(rising)),
            ("What is it for thirty mixed values?", repr(MIXED)),
            (f"What is it for {cut + 1} times the value 7?", repr([7] * (cut + 1))),
        ),
        exam=calls(
            rising,
            [7] * (cut + 1),
            list(range(cut)),
            list(range(cut, -1, -1)),
            MIXED,
            [x * x for x in range(cut + 5)],
            [-x * x for x in range(cut + 4)],
            [100, -50] * cut + [1],
            [],
            [3, 1] * 20,
        ),
        wrong=slips(
            code,
            wrong_formula=("sorted(values)", "values"),
            off_by_one=(f"<= {low} + {high}", f"<= {low} + {high + 1}"),
            wrong_constant=("Fraction(sum(kept), len(kept))", "Fraction(sum(kept), len(values))"),
        ),
    )


_QUANTILES = {
    4: (Fraction(0), Fraction(0), "linear interpolation of the empirical distribution"),
    5: (Fraction(1, 2), Fraction(0), "Hazen's rule"),
    6: (Fraction(0), Fraction(1), "Weibull's rule"),
    7: (Fraction(1), Fraction(-1), "the usual linear rule of spreadsheets"),
    8: (Fraction(1, 3), Fraction(1, 3), "the median-unbiased rule"),
    9: (Fraction(3, 8), Fraction(1, 4), "Blom's rule for normal samples"),
}  # Hyndman and Fan (1996): the offset is constant + slope·p


def _quantile(kind: int, percent: int) -> Entry:
    constant, slope, name = _QUANTILES[kind]
    offset = constant + slope * Fraction(percent, 100)
    code = source(
        """
        from fractions import Fraction
        from math import floor

        def quantile(values: list[int]) -> list[int]:
            ordered = sorted(values)
            position = len(ordered) * Fraction(PERCENT, 100) + OFFSET
            lower = floor(position)
            below = ordered[min(max(lower, 1), len(ordered)) - 1]
            above = ordered[min(max(lower + 1, 1), len(ordered)) - 1]
            result = below + (position - lower) * (above - below)
            return [result.numerator, result.denominator]
        """,
        PERCENT=percent,
        OFFSET=offset,
    )
    alternative = source(
        """
        from fractions import Fraction

        def quantile(values: list[int]) -> list[int]:
            ordered = sorted(values)
            place = min(max(PERCENT * len(ordered) + 100 * OFFSET, 100), 100 * len(ordered)) - 100
            index = int(place // 100)
            share = Fraction(place % 100) / 100
            upper = ordered[index + 1] if share else ordered[index]
            result = ordered[index] * (1 - share) + upper * share
            return [result.numerator, result.denominator]
        """,
        PERCENT=percent,
        OFFSET=offset,
    )
    return Entry(
        title=f"Quantile of type {kind} at {percent} percent",
        statement=f"Return the {percent} % quantile of the non-empty list `values` of integers by Hyndman and Fan's definition {kind} ({name}): with n values and the sorted sample x1 <= ... <= xn, let the position be "
        f"n·{percent}/100 + {offset}; interpolate linearly between the values on either side of it, where positions below 1 mean x1 and above n mean xn. The result is a reduced fraction [numerator, denominator].",
        signature=signature(code),
        explanations=(
            f"A sample has gaps, so a quantile is a convention about where between two sorted values to stop. Definition {kind} puts the {percent} % point at position n·{percent}/100 + {offset}, counted from 1, and mixes the two neighbours by its fractional part.",
            f"First sort, then turn the share {percent}/100 into a place in the row. The added {offset} is what sets type {kind} apart from the other definitions; they agree for large samples, because a constant shift matters less and less.",
            f"Known as {name}, type {kind} interpolates the points (place, value). At both ends there is nothing to interpolate with, hence positions outside 1..n fall back to the smallest or the largest value; in between, {percent} % of the way is a weighted mean of two order statistics.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("The quantile of one value is that value.", "quantile([42]) == [42, 1]"),
            ("The order of the values does not matter.", "quantile([3, 9, 4, 1, 5]) == quantile([1, 3, 4, 5, 9])"),
            (
                "Shifting the data shifts the quantile.",
                "quantile([11, 13, 14, 15, 19])[0] == quantile([1, 3, 4, 5, 9])[0] + 10 * quantile([1, 3, 4, 5, 9])[1]",
            ),
        ),
        false_claims=(
            (f"The {percent} % quantile is the same as the median.", "quantile(list(range(1000))) == [999, 2]"),
        ),
        exercises=(
            ("What is it for 1, 3, 4, 5, 9?", "[1, 3, 4, 5, 9]"),
            ("What is it for 10, 20, ..., 100?", "[10, 20, 30, 40, 50, 60, 70, 80, 90, 100]"),
            ("What is it for thirty mixed values?", repr(MIXED)),
        ),
        exam=calls(
            [42],
            [1, 3, 4, 5, 9],
            [10, 20, 30, 40, 50, 60, 70, 80, 90, 100],
            MIXED,
            [7, -7],
            [100, 0, 50],
            [x * x for x in range(41)],
            [-3, 8, 8, 8, 20, 95],
            [5, 1, 1000, 400],
            list(range(0, 303, 3)),
            MIXED[:19],
            [2**k for k in range(25)],
        ),
        wrong=slips(
            code,
            wrong_formula=("(position - lower) * (above - below)", "Fraction(above - below, 2)"),
            off_by_one=(f"+ {offset!r}\n", f"+ {offset + 1!r}\n"),
            wrong_constant=(f"Fraction({percent}, 100)", f"Fraction({percent + 1}, 100)"),
        ),
    )


_PERCENTS = (
    5,
    6,
    8,
    10,
    12,
    14,
    15,
    18,
    20,
    22,
    25,
    28,
    30,
    33,
    35,
    40,
    45,
    55,
    60,
    65,
    67,
    70,
    72,
    75,
    78,
    80,
    82,
    85,
    88,
    90,
    92,
    94,
    95,
)  # no 50: there most types agree

FAMILIES: tuple[Family, ...] = (
    Family(
        "trimmed-means",
        "statistics",
        "Trimmed means",
        (),
        [(low, high) for low in range(15) for high in range(15) if low + high],
        _trimmed_mean,
    ),
    Family(
        "sample-quantiles",
        "statistics",
        "Sample quantiles",
        (),
        [(kind, percent) for percent in _PERCENTS for kind in _QUANTILES],
        _quantile,
    ),
    *_SMOOTHING,
    *_COUNTS,
)
