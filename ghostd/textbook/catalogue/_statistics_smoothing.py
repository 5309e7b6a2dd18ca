"""Moving, exponential and Bayesian averages; imported by the statistics domain only."""

from math import gcd

from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family

MIXED = [
    12,
    -7,
    30,
    5,
    5,
    41,
    -2,
    18,
    9,
    0,
    27,
    -15,
    33,
    8,
    21,
    3,
    14,
    -9,
    50,
    6,
    11,
    2,
    39,
    -4,
    25,
    17,
    1,
    44,
    10,
    -1,
]


def _moving_mean(window: int, stride: int) -> Entry:
    code = source(
        """
        from fractions import Fraction

        def moving_means(values: list[int]) -> list[list[int]]:
            means = []
            for start in range(0, len(values) - WINDOW + 1, STRIDE):
                mean = Fraction(sum(values[start : start + WINDOW]), WINDOW)
                means.append([mean.numerator, mean.denominator])
            return means
        """,
        WINDOW=window,
        STRIDE=stride,
    )
    alternative = source(
        """
        from itertools import accumulate
        from math import gcd

        def moving_means(values: list[int]) -> list[list[int]]:
            sums = [0, *accumulate(values)]
            totals = [late - early for early, late in zip(sums, sums[WINDOW:])][::STRIDE]
            return [[total // gcd(total, WINDOW), WINDOW // gcd(total, WINDOW)] for total in totals]
        """,
        WINDOW=window,
        STRIDE=stride,
    )
    long = (MIXED * 2)[: window + 2 * stride + 3]
    return Entry(
        title=f"Moving means of {window} values with stride {stride}",
        statement=f"Slide a window of {window} consecutive values over the integers in `values`, starting at the first and moving on by {stride}, as long as it fits. Return the list of the windows' means in order, each a reduced fraction [numerator, denominator]; "
        "the list is empty when there are too few values.",
        signature=signature(code),
        explanations=(
            f"Each mean smooths {window} neighbours, so variation shorter than the window is averaged out. The window starts at index 0, {stride}, {2 * stride} and so on, and the last start that fits is the count minus {window}.",
            f"With prefix sums every window total is a difference of two of them, {window} places apart, so no value is added twice. Taking every {stride}th of these differences and dividing by {window} gives the result.",
            f"From n values a window of {window} fits n - {window - 1} times; with stride {stride} only every {stride}th of those places is used. Nothing is padded at the ends: a shorter window would have another variance than the rest.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"{window - 1} values are too few.", f"moving_means([5] * {window - 1}) == []"),
            (
                f"{window} values give one mean.",
                f"moving_means(list(range({window}))) == moving_means(list(range({window}))[::-1]) and len(moving_means([5] * {window})) == 1",
            ),
            (
                "A constant series stays constant.",
                f"all(mean == [5, 1] for mean in moving_means([5] * {window + 3 * stride}))",
            ),
        ),
        false_claims=(
            ("There are as many means as values.", f"len(moving_means([1] * {window + stride})) == {window + stride}"),
        ),
        exercises=(
            (f"What are the means of 0 to {window + stride - 1}?", repr(list(range(window + stride)))),
            ("What are the means of thirty mixed values?", repr(MIXED)),
            (f"What are the means of {window - 1} ones?", repr([1] * (window - 1))),
        ),
        exam=calls(
            MIXED,
            [],
            [4] * (window - 1),
            list(range(window)),
            MIXED[: window + 1],
            MIXED[: window + stride],
            MIXED[: window + stride - 1],
            long,
            [x * x for x in range(window + 3 * stride)],
            [-9, 14] * (window + stride),
        ),
        wrong=slips(
            code,
            wrong_formula=(f"start + {window}]), {window})", f"start + {window}]), start + {window})"),
            off_by_one=(f"len(values) - {window} + 1", f"len(values) - {window}"),
            wrong_constant=(f"+ 1, {stride})", f"+ 1, {stride + 1})"),
        ),
    )


def _smoothing(part: int, whole: int) -> Entry:
    code = source(
        """
        from fractions import Fraction

        def smoothed_level(values: list[int]) -> list[int] | None:
            if not values:
                return None
            level = Fraction(values[0])
            for value in values[1:]:
                level += Fraction(PART, WHOLE) * (value - level)
            return [level.numerator, level.denominator]
        """,
        PART=part,
        WHOLE=whole,
    )
    alternative = source(
        """
        from fractions import Fraction

        def smoothed_level(values: list[int]) -> list[int] | None:
            if len(values) == 0:
                return None
            later = len(values) - 1
            total = values[0] * (WHOLE - PART) ** later
            for age, value in enumerate(reversed(values[1:])):
                total += PART * (WHOLE - PART) ** age * WHOLE ** (later - age - 1) * value
            level = Fraction(total, WHOLE**later)
            return [level.numerator, level.denominator]
        """,
        PART=part,
        WHOLE=whole,
    )
    alpha = f"{part}/{whole}"
    return Entry(
        title=f"Exponential smoothing with alpha {alpha}",
        statement=f"Smooth the integers in `values` exponentially with alpha = {alpha}: the level starts at the first value, and each further value moves it by {alpha} of the difference to that value. Return the last level as a reduced fraction [numerator, denominator]; None for an empty list.",
        signature=signature(code),
        explanations=(
            f"The level follows the data at a distance: at each value it closes {alpha} of the gap. Unrolling the rule shows a weighted mean in which a value's weight shrinks by the factor {whole - part}/{whole} with every step into the past.",
            f"New level = {alpha}·value + {whole - part}/{whole}·old level. A single number remembers the whole history, which is why the method needs no window; the first value, having no past, is taken as it is.",
            f"Large alpha forgets fast, small alpha smooths strongly; {alpha} lies where it lies between both. Since the weights are powers of {whole - part}/{whole} and add up to one, a constant series is left unchanged.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("One value is its own level.", "smoothed_level([17]) == [17, 1]"),
            (f"A jump from 0 to {whole} is followed by {part}.", f"smoothed_level([0, {whole}]) == [{part}, 1]"),
            ("A constant series keeps its level.", "smoothed_level([6, 6, 6, 6]) == [6, 1]"),
        ),
        false_claims=(
            (
                "The order of the values does not matter.",
                f"smoothed_level([0, {whole}, 0, 0]) == smoothed_level([0, 0, 0, {whole}])",
            ),
        )
        if part * 2 != whole or whole != 2
        else (
            ("Old values keep the weight of new ones.", "smoothed_level([0, 2, 0, 0]) == smoothed_level([0, 0, 0, 2])"),
        ),
        exercises=(
            ("What is the level after 1, 2, 3, 4?", "[1, 2, 3, 4]"),
            ("What is the level after 10, 0, 0?", "[10, 0, 0]"),
            ("What is the level after 5, -5, 5, -5?", "[5, -5, 5, -5]"),
        ),
        exam=calls(
            [], [17], [0, whole], [1, 2, 3, 4], [10, 0, 0], [5, -5, 5, -5], [0, 0, 0, 1], [7, 100], MIXED[:8], [0]
        ),
        wrong=slips(
            code,
            wrong_formula=("level += ", "level = "),
            off_by_one=("values[1:]", "values[2:]"),
            wrong_constant=(f"Fraction({part}, {whole})", f"Fraction({part}, {whole + 1})"),
        ),
    )


def _bayesian_average(prior: int, weight: int) -> Entry:
    code = source(
        """
        from fractions import Fraction

        def bayesian_average(ratings: list[int]) -> list[int]:
            total = PRIOR * WEIGHT + sum(ratings)
            average = Fraction(total, WEIGHT + len(ratings))
            return [average.numerator, average.denominator]
        """,
        PRIOR=prior,
        WEIGHT=weight,
    )
    alternative = source(
        """
        from fractions import Fraction

        def bayesian_average(ratings: list[int]) -> list[int]:
            average = Fraction(PRIOR)
            for number, rating in enumerate(ratings, WEIGHT + 1):
                average += (rating - average) / number
            return [average.numerator, average.denominator]
        """,
        PRIOR=prior,
        WEIGHT=weight,
    )
    return Entry(
        title=f"Bayesian average with prior mean {prior} and weight {weight}",
        statement=f"Return the mean of the integers in `ratings` together with {weight} imagined ratings of value {prior} each, as a reduced fraction [numerator, denominator]. The list may be empty.",
        signature=signature(code),
        explanations=(
            f"Few ratings are unreliable, so the average starts from a prior belief: {weight} pretended votes of {prior}. Real votes are simply added to them; the more there are, the less the pretended ones count.",
            f"The result shrinks the plain mean towards {prior}. Its weight on the data is n/(n + {weight}) for n ratings, so that after {weight} ratings prior and data count alike.",
            f"For normal data with known variance this is the posterior mean. The prior contributes {weight} observations' worth of certainty located at {prior}, giving ({prior * weight} + sum)/({weight} + n).",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("Without ratings only the prior speaks.", f"bayesian_average([]) == [{prior}, 1]"),
            ("Ratings equal to the prior change nothing.", f"bayesian_average([{prior}] * 7) == [{prior}, 1]"),
            (
                f"{weight} ratings of {prior + 2} lead halfway, to {prior + 1}.",
                f"bayesian_average([{prior + 2}] * {weight}) == [{prior + 1}, 1]",
            ),
        ),
        false_claims=(
            ("A single rating decides the average.", f"bayesian_average([{prior + 5}]) == [{prior + 5}, 1]"),
        ),
        exercises=(
            ("What is the average after the ratings 5, 4, 5?", "[5, 4, 5]"),
            ("What is the average after one rating of 10?", "[10]"),
            ("What is the average after twenty ratings of 1?", repr([1] * 20)),
        ),
        exam=calls(
            [], [10], [5, 4, 5], [1] * 20, [prior] * 3, [0, 0], [-4, 7, 9, 2], [100], [prior + 2] * weight, MIXED
        ),
        wrong=slips(
            code,
            wrong_formula=(f"{prior} * {weight} + sum(ratings)", f"{prior} + sum(ratings) * {weight + 1}"),
            off_by_one=(f"{weight} + len(ratings)", f"{weight + 1} + len(ratings)"),
            wrong_constant=(f"{prior} * {weight} +", f"{prior + 1} * {weight} +"),
        ),
    )


FAMILIES: tuple[Family, ...] = (
    Family(
        "moving-means",
        "statistics",
        "Moving means",
        (),
        [(window, stride) for window in range(2, 16) for stride in range(1, 15)],
        _moving_mean,
    ),
    Family(
        "exponential-smoothing",
        "statistics",
        "Exponential smoothing",
        ("moving-means",),
        [(part, whole) for whole in range(2, 26) for part in range(1, whole) if gcd(part, whole) == 1],
        _smoothing,
    ),
    Family(
        "bayesian-averages",
        "statistics",
        "Bayesian averages",
        ("bayes-updates",),
        [(prior, weight) for prior in range(1, 11) for weight in range(1, 21)],
        _bayesian_average,
    ),
)
