"""Classifier scores, histograms, entropies, robust losses and smoothed counts; imported by the statistics domain only."""

from fractions import Fraction
from math import gcd

from ghostd.textbook.catalogue._source import calls, signature, slips, source, spoken
from ghostd.textbook.catalogue.family import Entry, Family


def _f_beta(part: int, whole: int) -> Entry:
    beta = f"{part}/{whole}" if whole > 1 else f"{part}"
    code = source(
        """
        from fractions import Fraction

        def f_measure(true_positives: int, false_positives: int, false_negatives: int) -> list[int]:
            if true_positives == 0:
                return [0, 1]
            beta_squared = Fraction(PART, WHOLE) ** 2
            found = (1 + beta_squared) * true_positives
            score = found / (found + beta_squared * false_negatives + false_positives)
            return [score.numerator, score.denominator]
        """,
        PART=part,
        WHOLE=whole,
    )
    alternative = source(
        """
        from fractions import Fraction

        def f_measure(true_positives: int, false_positives: int, false_negatives: int) -> list[int]:
            if not true_positives:
                return [0, 1]
            precision = Fraction(true_positives, true_positives + false_positives)
            recall = Fraction(true_positives, true_positives + false_negatives)
            weight = Fraction(PART * PART, PART * PART + WHOLE * WHOLE)
            score = 1 / (weight / recall + (1 - weight) / precision)
            return [score.numerator, score.denominator]
        """,
        PART=part,
        WHOLE=whole,
    )
    return Entry(
        title=f"F-measure with beta {beta}",
        statement=f"Return the F-measure with beta = {beta} of a classifier with the given counts of true positives, false positives and false negatives (all >= 0), as a reduced fraction [numerator, denominator]; [0, 1] when there are no true positives.",
        signature=signature(code),
        explanations=(
            f"The F-measure is a weighted harmonic mean of precision and recall, in which recall counts beta² = {part * part}/{whole * whole} times as much. Being harmonic, it is small as soon as one of the two is small.",
            f"Written in counts it reads (1 + b)·TP / ((1 + b)·TP + b·FN + FP) with b = ({beta})². A missed item therefore costs b times as much as a false alarm, which tells when to choose a beta above or below one.",
            f"True negatives do not appear, so the measure suits rare classes where they abound. With beta {beta} the trade between finding all and raising few false alarms is fixed; without a true positive both precision and recall vanish and so does the score.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("A classifier without errors scores one.", "f_measure(9, 0, 0) == [1, 1]"),
            ("Without true positives the score is zero.", "f_measure(0, 3, 4) == [0, 1]"),
            ("With equal precision and recall the score equals both.", "f_measure(6, 2, 2) == [3, 4]"),
        ),
        false_claims=(
            ("The score is the arithmetic mean of precision 1/2 and recall 1/4.", "f_measure(2, 2, 6) == [3, 8]")
            if 5 * part * part != whole * whole
            else ("Errors do not lower the score.", "f_measure(2, 2, 6) == [1, 1]"),
        ),
        exercises=(
            ("What is the score of 8 true positives, 2 false positives and 4 false negatives?", "8, 2, 4"),
            ("What is the score of 5 true positives and 5 false negatives?", "5, 0, 5"),
            ("What is the score of 3 true positives and 9 false positives?", "3, 9, 0"),
        ),
        exam=calls(
            (9, 0, 0),
            (0, 3, 4),
            (0, 0, 0),
            (6, 2, 2),
            (8, 2, 4),
            (5, 0, 5),
            (3, 9, 0),
            (1, 1, 2),
            (100, 7, 31),
            (1, 1000, 1),
        ),
        wrong=slips(
            code,
            wrong_formula=("* false_negatives + false_positives", "* false_positives + false_negatives * 2"),
            off_by_one=("(1 + beta_squared)", "beta_squared"),
            wrong_constant=(f"Fraction({part}, {whole}) ** 2", f"Fraction({part + 1}, {whole}) ** 2"),
        ),
    )


def _histogram(low: int, width: int, bins: int) -> Entry:
    top = low + width * bins
    code = source(
        """
        def histogram(values: list[int]) -> list[int]:
            counts = [0] * (BINS + 2)
            for value in values:
                index = (value - LOW) // WIDTH
                counts[min(max(index + 1, 0), BINS + 1)] += 1
            return counts
        """,
        BINS=bins,
        LOW=low,
        WIDTH=width,
    )
    alternative = source(
        """
        from bisect import bisect_right

        def histogram(values: list[int]) -> list[int]:
            edges = range(LOW, TOP + 1, WIDTH)
            places = [bisect_right(edges, value) for value in values]
            return [places.count(place) for place in range(BINS + 2)]
        """,
        BINS=bins,
        LOW=low,
        WIDTH=width,
        TOP=top,
    )
    return Entry(
        title=f"Histogram of {bins} bins of width {width} from {spoken(low)}",
        statement=f"Count the integers in `values` in {bins} half-open bins of width {width}, the first being {low} <= value < {low + width}. Return a list of {bins + 2} counts: values below {low}, the bins in order, values from {top} on.",
        signature=signature(code),
        properties=("assert sum(histogram(values)) == len(values)",),
        explanations=(
            f"The bin of a value is the whole part of its distance from {low} in units of {width}. Floor division does this for negative distances too, so everything below {low} gets a negative index and is collected in the first place.",
            f"The edges are {low}, {low + width}, ..., {top}. A value on an edge belongs to the bin that begins there, hence {top} itself is already beyond the last bin; half-open bins make sure that each value is counted exactly once.",
            f"Adding one to the bin number leaves room for the underflow count at index 0, and clamping at {bins + 1} gathers the overflow. The counts therefore always add up to the number of values.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("Every value is counted once.", "sum(histogram([-50, -1, 0, 1, 2, 3, 5, 8, 13, 21, 34])) == 11"),
            (f"The value {low} is in the first bin.", f"histogram([{low}])[1] == 1"),
            (f"The value {top} is beyond the last bin.", f"histogram([{top}])[{bins + 1}] == 1"),
        ),
        false_claims=((f"The last bin includes its upper edge {top}.", f"histogram([{top}])[{bins}] == 1"),),
        exercises=(
            ("What are the counts of 0, 1, 2, ..., 9?", repr(list(range(10)))),
            ("What are the counts of -5, 0, 5, 10, 15?", "[-5, 0, 5, 10, 15]"),
            ("What are the counts of no values?", "[]"),
        ),
        exam=calls(
            [],
            [low],
            [low - 1],
            [top],
            [top - 1],
            [low + width - 1, low + width],
            list(range(-20, 60)),
            [low - 40, top + 40, low + 1, low + 1],
            [-5, 0, 5, 10, 15],
            [top + width, top + 1, low - width, low - width - 1],
        ),
        wrong=slips(
            code,
            wrong_formula=(f"(value - {low}) // {width}", f"(value - {low + 1}) // {width}"),
            off_by_one=(f"index + 1, 0), {bins} + 1", f"index, 0), {bins} + 1"),
            wrong_constant=(f"// {width}", f"// {width + 1}"),
        ),
    )


def _renyi(order: int, base: int) -> Entry:
    code = source(
        """
        from math import fsum, log

        def renyi_entropy(counts: list[int]) -> float:
            total = sum(counts)
            power_sum = fsum((count / total) ** ORDER for count in counts)
            return log(power_sum) / log(BASE) / (1 - ORDER)
        """,
        ORDER=order,
        BASE=base,
    )
    alternative = source(
        """
        from fractions import Fraction
        from math import log

        def renyi_entropy(counts: list[int]) -> float:
            exact = Fraction(sum(count**ORDER for count in counts), sum(counts) ** ORDER)
            return log(exact.denominator / exact.numerator, BASE) / (ORDER - 1)
        """,
        ORDER=order,
        BASE=base,
    )
    return Entry(
        title=f"Rényi entropy of order {order} in base {base}",
        statement=f"Turn the non-negative integers `counts` (not all 0) into shares p of their sum and return their Rényi entropy of order {order} with logarithms to base {base}: log(Σ p^{order}) / (1 - {order}), as a float.",
        signature=signature(code),
        explanations=(
            f"The sum of the shares to the power {order} is one if everything is in one class and small if the counts are spread. Its logarithm to base {base}, divided by 1 - {order} to turn the sign and the scale, measures the spread.",
            f"Order {order} stresses the common classes more than Shannon's entropy (order 1) does, because high powers make small shares vanish. For equal shares all orders agree on the logarithm of the number of classes, here to base {base}.",
            f"For integer order {order} the power sum is the chance that {order} independent draws fall into the same class. The less likely such a coincidence, the larger the entropy, counted in digits of base {base}.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("A single class has entropy zero.", "abs(renyi_entropy([7])) < 1e-12"),
            (f"{base} equal classes have entropy one.", f"abs(renyi_entropy([4] * {base}) - 1) < 1e-9"),
            ("Empty classes change nothing.", "abs(renyi_entropy([3, 1, 0]) - renyi_entropy([3, 1])) < 1e-12"),
        ),
        false_claims=(
            ("Doubling all counts changes the entropy.", "abs(renyi_entropy([2, 6]) - renyi_entropy([1, 3])) > 1e-9"),
        ),
        exercises=(
            ("What is the entropy of the counts 3 and 1?", "[3, 1]"),
            ("What is the entropy of the counts 1, 2, 3, 4?", "[1, 2, 3, 4]"),
            ("What is the entropy of ten equal counts?", repr([1] * 10)),
        ),
        exam=calls(
            [7],
            [3, 1],
            [3, 1, 0],
            [1, 2, 3, 4],
            [1] * 10,
            [4] * base,
            [90, 9, 1],
            [5, 5],
            [1000, 1],
            [12, 7, 7, 30, 2, 2],
        ),
        wrong=slips(
            code,
            wrong_formula=("count / total", "count / (total + len(counts))"),
            off_by_one=(f"(1 - {order})", f"(0 - {order})"),
            wrong_constant=(f"log({base})", f"log({base + 1})"),
        ),
    )


def _huber(halves: int) -> Entry:
    delta = Fraction(halves, 2)
    code = source(
        """
        from fractions import Fraction

        def huber_loss(residuals: list[int]) -> list[int]:
            delta = DELTA
            loss = Fraction(0)
            for residual in map(abs, residuals):
                loss += Fraction(residual**2, 2) if residual <= delta else delta * (residual - delta / 2)
            return [loss.numerator, loss.denominator]
        """,
        DELTA=delta,
    )
    alternative = source(
        """
        from fractions import Fraction

        def huber_loss(residuals: list[int]) -> list[int]:
            clipped = [min(abs(residual), DELTA) for residual in residuals]
            loss = sum((part * (abs(residual) - Fraction(part) / 2) for part, residual in zip(clipped, residuals)), Fraction(0))
            return [loss.numerator, loss.denominator]
        """,
        DELTA=delta,
    )
    near, far = int(delta), int(delta) + 1
    return Entry(
        title=f"Huber loss with threshold {delta}",
        statement=f"Return the total Huber loss with threshold delta = {delta} of the integers in `residuals` as a reduced fraction [numerator, denominator]: a residual r costs r²/2 if |r| <= {delta}, and {delta}·(|r| - {delta / 2}) otherwise. No residuals cost [0, 1].",
        signature=signature(code),
        properties=("assert huber_loss(residuals) == huber_loss([-one for one in residuals])",),
        explanations=(
            f"Small errors are squared, large ones only counted in proportion. The border is {delta}: beyond it the parabola is continued by its tangent, so that the loss has no jump and no kink while an outlier cannot dominate the sum.",
            f"Minimising squares gives the mean, minimising absolute values the median; Huber's loss lies between the two. Within {delta} it acts like the former, outside like the latter with slope {delta}.",
            f"The slope of the loss is the residual clipped to the range -{delta}..{delta}. Integrating this clipped line gives r²/2 in the middle and a straight line outside, whose offset {delta * delta / 2} makes both pieces meet.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("No residuals cost nothing.", "huber_loss([]) == [0, 1]"),
            (
                "The sign of a residual does not matter.",
                f"huber_loss([-{far}, {near}]) == huber_loss([{far}, -{near}])",
            ),
            (
                f"Beyond the threshold one unit more costs {delta} more.",
                f"(huber_loss([{far + 1}])[0] * huber_loss([{far}])[1] - huber_loss([{far}])[0] * huber_loss([{far + 1}])[1]) * {delta.denominator} == {delta.numerator} * huber_loss([{far}])[1] * huber_loss([{far + 1}])[1]",
            ),
        ),
        false_claims=(("A large residual costs half its square.", f"huber_loss([{4 * far}]) == [{8 * far * far}, 1]"),),
        exercises=(
            ("What do the residuals 1, -2, 3 cost?", "[1, -2, 3]"),
            ("What does one residual of 100 cost?", "[100]"),
            (f"What do residuals of {near} and {far} cost?", f"[{near}, {far}]"),
        ),
        exam=calls(
            [], [0], [1, -2, 3], [100], [near], [far], [-near, -far, far + 1], [4 * far], list(range(-40, 41, 3)), [1]
        ),
        wrong=slips(
            code,
            wrong_formula=("delta * (residual - delta / 2)", "delta * residual"),
            off_by_one=("(residual - delta / 2)", "(residual - delta)"),
            wrong_constant=("Fraction(residual**2, 2)", "Fraction(residual**2)"),
        ),
    )


def _additive_smoothing(part: int, whole: int) -> Entry:
    alpha = f"{part}/{whole}" if whole > 1 else f"{part}"
    code = source(
        """
        from fractions import Fraction

        def smoothed_shares(counts: list[int]) -> list[list[int]]:
            alpha = Fraction(PART, WHOLE)
            total = sum(counts) + alpha * len(counts)
            shares = [(count + alpha) / total for count in counts]
            return [[share.numerator, share.denominator] for share in shares]
        """,
        PART=part,
        WHOLE=whole,
    )
    alternative = source(
        """
        from math import gcd

        def smoothed_shares(counts: list[int]) -> list[list[int]]:
            scaled = [WHOLE * count + PART for count in counts]
            total = sum(scaled)
            return [[value // gcd(value, total), total // gcd(value, total)] for value in scaled]
        """,
        PART=part,
        WHOLE=whole,
    )
    return Entry(
        title=f"Additive smoothing with pseudocount {alpha}",
        statement=f"Estimate the probabilities of len(counts) classes from the non-negative integers `counts` with additive smoothing by alpha = {alpha}: (count + {alpha}) / (sum + {alpha}·classes). Return a list of reduced fractions [numerator, denominator], one for each class; [] for no classes.",
        signature=signature(code),
        explanations=(
            f"A class not seen yet should not get probability zero, because one unseen event would then make a whole product vanish. So every class is credited with {alpha} observations in advance, and the denominator grows by {alpha} for each class.",
            f"This is the posterior mean under a symmetric Dirichlet prior with parameter {alpha}. It mixes the relative frequencies with the uniform distribution, and the mixture leans to the former as the counts grow.",
            f"Compare Laplace's rule of succession, where the pseudocount is 1. With {alpha} in its place the shares still add up to one, as numerator and denominator gain the same amount in total.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("Equal counts give equal shares.", "smoothed_shares([4, 4, 4, 4]) == [[1, 4]] * 4"),
            ("Without data the shares are uniform.", "smoothed_shares([0, 0, 0]) == [[1, 3]] * 3"),
            ("An unseen class keeps some probability.", "smoothed_shares([0, 9])[0][0] > 0"),
        ),
        false_claims=(("The shares are the relative frequencies.", "smoothed_shares([1, 3]) == [[1, 4], [3, 4]]"),),
        exercises=(
            ("What are the shares for the counts 1 and 3?", "[1, 3]"),
            ("What are the shares for the counts 0 and 9?", "[0, 9]"),
            ("What are the shares for the counts 5, 0, 2?", "[5, 0, 2]"),
        ),
        exam=calls([], [0], [1, 3], [0, 9], [5, 0, 2], [0, 0, 0], [100, 1], [7, 7, 1, 0, 3], [12]),
        wrong=slips(
            code,
            wrong_formula=("alpha * len(counts)", "alpha"),
            off_by_one=("(count + alpha)", "(count + alpha + 1)"),
            wrong_constant=(f"Fraction({part}, {whole})", f"Fraction({part}, {whole + 1})"),
        ),
    )


FAMILIES: tuple[Family, ...] = (
    Family(
        "f-measures",
        "statistics",
        "F-measures",
        (),
        [(part, whole) for part in range(1, 19) for whole in range(1, 19) if gcd(part, whole) == 1],
        _f_beta,
    ),
    Family(
        "histograms",
        "statistics",
        "Histograms",
        (),
        [(low, width, bins) for low in range(-3, 4) for width in range(1, 7) for bins in range(2, 7)],
        _histogram,
    ),
    Family(
        "renyi-entropies",
        "statistics",
        "Rényi entropies",
        ("histograms",),
        [(order, base) for order in range(2, 22) for base in range(2, 12)],
        _renyi,
    ),
    Family(
        "huber-losses", "statistics", "Huber losses", ("trimmed-means",), [(halves,) for halves in range(2, 62)], _huber
    ),
    Family(
        "additive-smoothing",
        "statistics",
        "Additive smoothing of counts",
        ("bayesian-averages",),
        [(part, whole) for part in range(1, 14) for whole in range(1, 14) if gcd(part, whole) == 1],
        _additive_smoothing,
    ),
)
