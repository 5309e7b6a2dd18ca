"""Probability of processes in time: trials, tests, weather and collecting; imported by the probability domain only."""

from math import gcd

from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family


def _binomial_tail(wins: int, chances: int) -> Entry:
    code = source(
        """
        from fractions import Fraction
        from math import comb

        def at_least(trials: int, successes: int) -> list[int]:
            ways = 0
            for count in range(max(successes, 0), trials + 1):
                ways += comb(trials, count) * WINS**count * LOSSES ** (trials - count)
            chance = Fraction(ways, CHANCES**trials)
            return [chance.numerator, chance.denominator]
        """,
        WINS=wins,
        LOSSES=chances - wins,
        CHANCES=chances,
    )
    alternative = source(
        """
        from fractions import Fraction

        def at_least(trials: int, successes: int) -> list[int]:
            win = Fraction(WINS, CHANCES)
            law = [Fraction(1)]
            for _ in range(trials):
                law = [stay * (1 - win) + up * win for stay, up in zip(law + [0], [0] + law)]
            chance = sum(law[max(successes, 0):], Fraction(0))
            return [chance.numerator, chance.denominator]
        """,
        WINS=wins,
        CHANCES=chances,
    )
    return Entry(
        title=f"Binomial tail with success chance {wins}/{chances}",
        statement=f"Make `trials` >= 0 independent trials, each a success with probability {wins}/{chances}. Return the probability of at least `successes` successes "
        "as a reduced fraction [numerator, denominator]. A bound of zero or less is certain; a bound above the number of trials is impossible.",
        signature=signature(code),
        explanations=(
            f"Exactly k successes in n trials happen in C(n, k) orders, each with probability ({wins}/{chances})^k·({chances - wins}/{chances})^(n - k). At least that many means adding the terms from the bound up to n.",
            f"Give every trial {chances} equally likely cases, {wins} of them good. Then all {chances}^n sequences weigh the same, and the tail is the number of sequences with enough good cases over that total: pure counting, with no rounding.",
            f"The number of successes is a sum of independent 0/1 variables with mean {wins}/{chances}, hence binomial. Its tail is not a single term: forgetting the larger counts gives the probability of exactly the bound, which is smaller.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("At least zero successes is certain.", "at_least(5, 0) == [1, 1]"),
            (
                f"All of three trials succeed with chance ({wins}/{chances})^3.",
                f"at_least(3, 3) == [{wins**3}, {chances**3}]",
            ),
            ("More successes than trials are impossible.", "at_least(4, 5) == [0, 1]"),
        ),
        false_claims=(
            (
                f"One success in two trials has chance 2·{wins}/{chances}, trial by trial.",
                f"at_least(2, 1)[0] * {chances} == {2 * wins} * at_least(2, 1)[1]",
            ),
        ),
        exercises=(
            ("How likely is at least one success in 3 trials?", "3, 1"),
            ("How likely are at least 4 successes in 6 trials?", "6, 4"),
            ("How likely are 5 successes in 5 trials?", "5, 5"),
        ),
        exam=calls(
            (0, 0), (0, 1), (1, 1), (1, 0), (2, 1), (3, 1), (3, 3), (5, 2), (6, 4), (8, -1), (4, 5), (10, 3), (12, 7)
        ),
        wrong=slips(
            code,
            wrong_formula=(
                "range(max(successes, 0), trials + 1)",
                "range(max(successes, 0), min(max(successes, 0), trials) + 1)",
            ),
            off_by_one=("range(max(successes, 0), trials + 1)", "range(max(successes, 0) + 1, trials + 1)"),
            wrong_constant=(f"* {wins}**count", f"* {wins + 1}**count"),
        ),
    )


def _weather_chain(start_rain: int, stop_rain: int) -> Entry:
    code = source(
        """
        from fractions import Fraction

        def rain_after(days: int) -> list[int]:
            rain = Fraction(0)
            for _ in range(days):
                rain = rain * Fraction(KEEP, 20) + (1 - rain) * Fraction(START, 20)
            return [rain.numerator, rain.denominator]
        """,
        KEEP=20 - stop_rain,
        START=start_rain,
    )
    alternative = source(
        """
        from fractions import Fraction

        def rain_after(days: int) -> list[int]:
            limit = Fraction(START, START + STOP)
            rain = limit * (1 - Fraction(20 - START - STOP, 20) ** days)
            return [rain.numerator, rain.denominator]
        """,
        START=start_rain,
        STOP=stop_rain,
    )
    stationary = f"{start_rain}/{start_rain + stop_rain}"
    return Entry(
        title=f"Two-state weather chain with rain starting at {5 * start_rain}% and stopping at {5 * stop_rain}%",
        statement=f"After a dry day the next is rainy with probability {start_rain}/20; after a rainy day the next is dry with probability {stop_rain}/20. Today is dry. Return the probability "
        "that the day `days` >= 0 days from now is rainy, as a reduced fraction [numerator, denominator].",
        signature=signature(code),
        explanations=(
            f"A day is rainy either because rain went on (chance {20 - stop_rain}/20 after rain) or because it began (chance {start_rain}/20 after a dry day). Repeating this one-step rule from a certain dry day gives the chance for any later day.",
            f"The distance to the stationary chance {stationary} is multiplied by {20 - start_rain - stop_rain}/20 every day. That factor is the second eigenvalue of the transition matrix, so the influence of today's weather fades geometrically.",
            f"This is a Markov chain: tomorrow depends on today only. Multiplying the row vector (1, 0) by the matrix with off-diagonal entries {start_rain}/20 and {stop_rain}/20 once for each day, and reading off the second component, yields the answer; in the long run it tends to {stationary}.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("Today is dry.", "rain_after(0) == [0, 1]"),
            (
                f"Tomorrow is rainy with chance {start_rain}/20.",
                f"rain_after(1)[0] * 20 == {start_rain} * rain_after(1)[1]",
            ),
            (
                f"Far ahead the chance is within a millionth of {stationary}.",
                f"abs(rain_after(200)[0] / rain_after(200)[1] - {stationary}) < 1e-6",
            ),
        ),
        false_claims=(
            (
                f"The day after tomorrow is rainy with chance {start_rain}/20 too.",
                f"rain_after(2)[0] * 20 == {start_rain} * rain_after(2)[1]",
            ),
        ),
        exercises=(
            ("How likely is rain in 2 days?", "2"),
            ("How likely is rain in 3 days?", "3"),
            ("How likely is rain in 7 days?", "7"),
        ),
        exam=calls(0, 1, 2, 3, 4, 5, 7, 10, 15),
        wrong=slips(
            code,
            wrong_formula=(f"rain * Fraction({20 - stop_rain}, 20)", f"rain * Fraction({20 + stop_rain}, 20)"),
            off_by_one=("range(days)", "range(days + 1)"),
            wrong_constant=(f"Fraction({start_rain}, 20)", f"Fraction({start_rain + 1}, 20)"),
        ),
    )


def _bayes(ill: int, sensitivity: int) -> Entry:
    code = source(
        """
        from fractions import Fraction

        def ill_given_positive(false_positive_percent: int, tests: int) -> list[int]:
            ill_and_positive = ILL * SENSITIVITY**tests
            well_and_positive = WELL * false_positive_percent**tests
            posterior = Fraction(ill_and_positive, ill_and_positive + well_and_positive)
            return [posterior.numerator, posterior.denominator]
        """,
        ILL=ill,
        WELL=1000 - ill,
        SENSITIVITY=sensitivity,
    )
    alternative = source(
        """
        from fractions import Fraction

        def ill_given_positive(false_positive_percent: int, tests: int) -> list[int]:
            belief = Fraction(ILL, 1000)
            for _ in range(tests):
                evidence = belief * SENSITIVITY + (1 - belief) * false_positive_percent
                belief = belief * SENSITIVITY / evidence
            return [belief.numerator, belief.denominator]
        """,
        ILL=ill,
        SENSITIVITY=sensitivity,
    )
    return Entry(
        title=f"Bayes update of a prevalence of {ill} per thousand by a test with {sensitivity}% sensitivity",
        statement=f"{ill} of 1000 people have an illness. A test is positive for {sensitivity}% of the ill and for `false_positive_percent` (0 to 100) percent of the others. A random person is "
        "positive in all of `tests` >= 0 tests, independent given the state of health. Return the probability of illness as a reduced fraction [numerator, denominator].",
        signature=signature(code),
        explanations=(
            f"Compare two groups among the positives: the ill, with weight {ill}·{sensitivity}^tests, and the healthy who were flagged wrongly, with weight {1000 - ill}·(false positive rate)^tests. The posterior is the share of the first group.",
            f"In odds form Bayes' rule is a product. Prior odds of {ill} to {1000 - ill} are multiplied by the likelihood ratio {sensitivity}/(false positive percent) once for each positive test, and odds turn into a probability by dividing by their sum.",
            f"A sensitivity of {sensitivity}% says how many of the ill are found, not how many of the found are ill. Because only {ill} in 1000 are ill, even a small false positive rate acts on a group of {1000 - ill} and may outnumber the true positives.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                "Without a test the chance is the prevalence.",
                f"ill_given_positive(5, 0)[0] * 1000 == ill_given_positive(5, 0)[1] * {ill}",
            ),
            ("A test without false positives is conclusive.", "ill_given_positive(0, 1) == [1, 1]"),
            (
                f"A false positive rate of {sensitivity}% makes the test worthless.",
                f"ill_given_positive({sensitivity}, 3) == ill_given_positive(5, 0)",
            ),
        ),
        false_claims=(
            (
                f"One positive test means illness with {sensitivity}% probability.",
                f"ill_given_positive(20, 1)[0] * 100 == {sensitivity} * ill_given_positive(20, 1)[1]",
            ),
        ),
        exercises=(
            ("False positive rate 5%, one positive test: how likely is illness?", "5, 1"),
            ("False positive rate 10%, two positive tests: how likely is illness?", "10, 2"),
            ("False positive rate 50%, one positive test: how likely is illness?", "50, 1"),
        ),
        exam=calls(
            (5, 0), (0, 1), (1, 1), (5, 1), (10, 2), (20, 1), (50, 1), (100, 1), (100, 3), (3, 2), (7, 3), (0, 0)
        ),
        wrong=slips(
            code,
            wrong_formula=(
                "Fraction(ill_and_positive, ill_and_positive + well_and_positive)",
                f"Fraction({sensitivity}**tests, 100**tests)",
            ),
            off_by_one=("percent**tests", "percent ** (tests + 1)"),
            wrong_constant=(f"= {1000 - ill} *", "= 1000 *"),
        ),
    )


def _coupons(kinds: int, goal: int) -> Entry:
    code = source(
        """
        from fractions import Fraction

        def packets_needed(owned: int) -> list[int]:
            expected = Fraction(0)
            for have in range(owned, GOAL):
                expected += Fraction(KINDS, KINDS - have)
            return [expected.numerator, expected.denominator]
        """,
        GOAL=goal,
        KINDS=kinds,
    )
    alternative = source(
        """
        from fractions import Fraction

        def packets_needed(owned: int) -> list[int]:
            waits = [Fraction(0)] * (KINDS + 1)
            for have in range(GOAL - 1, -1, -1):
                new = Fraction(KINDS - have, KINDS)
                waits[have] = (1 + new * waits[have + 1]) / new
            return [waits[owned].numerator, waits[owned].denominator]
        """,
        GOAL=goal,
        KINDS=kinds,
    )
    return Entry(
        title=f"Coupon collector: {goal} of {kinds} kinds",
        statement=f"Each packet holds one picture, uniform over {kinds} kinds. A collector who owns `owned` different kinds (0 <= owned <= {kinds}) buys packets "
        f"until there are {goal} different kinds. Return the expected number of further packets as a reduced fraction [numerator, denominator]; "
        f"[0, 1] when owned >= {goal}.",
        signature=signature(code),
        explanations=(
            f"With h kinds in hand the next packet is new with chance ({kinds} - h)/{kinds}, so the wait for it is geometric with mean {kinds}/({kinds} - h). The waits follow each other, and expectations add: sum them from the kinds owned up to {goal} - 1.",
            f"Split the purchase into stages, one for each new kind. Late stages are the slow ones, since most packets repeat what is there; this is why the mean grows faster than {goal} itself. Linearity of expectation adds the stage means {kinds}/({kinds} - h).",
            f"A geometric waiting time with success chance s lasts 1/s trials on average. Here s falls as the album of {kinds} kinds fills, and collecting {goal} of them is a chain of such waits, whose means are added without any need for independence.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"Who owns {goal} kinds already needs no packet.", f"packets_needed({goal}) == [0, 1]"),
            (
                f"The last missing kind takes {kinds}/{kinds - goal + 1} packets on average.",
                f"packets_needed({goal - 1})[0] * {kinds - goal + 1} == packets_needed({goal - 1})[1] * {kinds}",
            ),
            (
                "The first kind takes exactly one packet.",
                "packets_needed(0)[0] * packets_needed(1)[1] == sum(packets_needed(1)) * packets_needed(0)[1]",
            ),
        ),
        false_claims=((f"From nothing it takes {goal} packets on average.", f"packets_needed(0) == [{goal}, 1]"),),
        exercises=(
            ("How many packets on average from an empty album?", "0"),
            ("And when one kind is owned?", "1"),
            (f"And when {goal - 1} kinds are owned?", f"{goal - 1}"),
        ),
        exam=calls(*range(kinds + 1)),
        wrong=slips(
            code,
            wrong_formula=(f"Fraction({kinds}, {kinds} - have)", f"Fraction({kinds} - have, {kinds})"),
            off_by_one=(f"range(owned, {goal})", f"range(owned, {goal - 1})"),
            wrong_constant=(f"Fraction({kinds},", f"Fraction({kinds + 1},"),
        ),
    )


FAMILIES: tuple[Family, ...] = (
    Family(
        "coupon-collecting",
        "probability",
        "Coupon collecting",
        (),
        [(kinds, goal) for kinds in range(7, 25) for goal in range(2, kinds + 1)],
        _coupons,
    ),
    Family(
        "binomial-tails",
        "probability",
        "Binomial tails",
        (),
        [(wins, chances) for chances in range(2, 26) for wins in range(1, chances) if gcd(wins, chances) == 1],
        _binomial_tail,
    ),
    Family(
        "two-state-markov-chains",
        "probability",
        "Two-state Markov chains",
        (),
        [(start, stop) for start in range(1, 16) for stop in range(1, 15) if start + stop != 20],  # 20: no memory
        _weather_chain,
    ),
    Family(
        "bayes-updates",
        "probability",
        "Bayes updates",
        (),
        [
            (ill, sensitivity)
            for ill in (1, 2, 3, 5, 8, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200)
            for sensitivity in (55, 60, 65, 70, 75, 80, 85, 88, 90, 92, 95, 98, 99)
        ],
        _bayes,
    ),
)
