"""The part of combinatorics where order matters: words, walks, lattice paths, permutations and necklaces."""

import itertools
from math import factorial

from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family


def _words_without_runs(letters: int, run: int) -> Entry:
    code = source(
        """
        def words(n: int) -> int:
            if n == 0:
                return 1
            ending = [LETTERS] + [0] * SHORTER
            for _ in range(n - 1):
                ending = [OTHERS * sum(ending), *ending[:-1]]
            return sum(ending)
        """,
        LETTERS=letters,
        SHORTER=run - 2,
        OTHERS=letters - 1,
    )
    alternative = source(
        """
        def words(n: int) -> int:
            counts = [LETTERS**length for length in range(RUN)]
            while len(counts) <= n:
                counts.append(OTHERS * sum(counts[1 - RUN :]))
            return counts[n]
        """,
        LETTERS=letters,
        RUN=run,
        OTHERS=letters - 1,
    )
    return Entry(
        title=f"Words over {letters} letters without {run} equal letters in a row",
        statement=f"Return the number of words of length n over an alphabet of {letters} letters in which no letter stands {run} or more times in a row. "
        "The integer n is >= 0; the empty word counts.",
        signature=signature(code),
        explanations=(
            f"Keep, for each possible length of the final run, how many words end in such a run. A new letter either differs from the last one, {letters - 1} choices that start a run of 1, "
            f"or repeats it and lengthens the run; a run of {run} is forbidden and dropped.",
            f"For n >= {run} the last run has between 1 and {run - 1} letters. Cutting it off leaves a shorter good word, and its letter can be any of {letters - 1} others, "
            f"so w(n) is {letters - 1} times the sum of the {run - 1} preceding counts. Shorter words are all good: there are {letters}^n.",
            f"A good word is a sequence of runs of length below {run}: the first run chooses among {letters} letters and every later one among {letters - 1}, since neighbouring runs differ. "
            "Summing over the ways to cut n into such lengths gives the count.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"Words shorter than {run} are all allowed.", f"all(words(n) == {letters} ** n for n in range({run}))"),
            (
                f"At length {run} only the {letters} constant words are lost.",
                f"words({run}) == {letters**run - letters}",
            ),
            (
                f"Each later count is {letters - 1} times the sum of the {run - 1} before it.",
                f"all(words(n) == {letters - 1} * sum(words(n - back) for back in range(1, {run})) for n in range({run}, {run} + 9))",
            ),
        ),
        false_claims=(
            (
                f"A run of exactly {run} is still allowed, so that all {letters}^{run} words of that length count.",
                f"words({run}) == {letters} ** {run}",
            ),
        ),
        exercises=(
            (f"How many such words have {run} letters?", f"{run}"),
            (f"How many have {run + 1} letters?", f"{run + 1}"),
            ("How many have 30 letters?", "30"),
        ),
        exam=calls(0, 1, 2, 3, run - 1, run, run + 1, run + 2, 2 * run, 2 * run + 1, 25, 40),
        wrong=slips(
            code,
            wrong_formula=(f"[{letters - 1} * sum(ending)", f"[{letters} * sum(ending)"),
            off_by_one=(f"[0] * {run - 2}", f"[0] * {run - 1}"),
            wrong_constant=(f"[{letters}] +", f"[{letters - 1}] +"),
        ),
    )


def _necklaces(colours: int) -> Entry:
    code = source(
        """
        from math import gcd

        def necklaces(n: int) -> int:
            fixed = sum(COLOURS ** gcd(turn, n) for turn in range(n))
            return fixed // n
        """,
        COLOURS=colours,
    )
    alternative = source(
        """
        def necklaces(n: int) -> int:
            aperiodic = {}
            for length in (d for d in range(1, n + 1) if n % d == 0):
                shorter = sum(count for d, count in aperiodic.items() if length % d == 0)
                aperiodic[length] = COLOURS**length - shorter
            return sum(count // length for length, count in aperiodic.items())
        """,
        COLOURS=colours,
    )
    three = (colours**3 + 2 * colours) // 3
    return Entry(
        title=f"Necklaces of {colours} colours",
        statement=f"A necklace is a circle of n beads, each in one of {colours} colours; circles that differ by a rotation are the same, mirror images are not identified. "
        "Return the number of different necklaces for an integer n >= 1.",
        signature=signature(code),
        explanations=(
            f"Burnside's lemma: the number of necklaces is the average number of colourings that a rotation leaves unchanged. A turn by t places ties the beads "
            f"into gcd(t, n) cycles, each of one colour, so it fixes {colours}^gcd(t, n) colourings.",
            f"Dividing {colours}^n by n would be right if all n rotations of every circle looked different. Circles with a shorter period break that, and averaging the fixed colourings over the rotations "
            "corrects for each symmetry exactly.",
            f"Sort circles by their smallest period d, a divisor of n. The {colours}^d words of length d that are not repetitions of something shorter come in groups of d "
            "rotations, and each group is one necklace; adding over the divisors gives the total.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"One bead gives {colours} necklaces.", f"necklaces(1) == {colours}"),
            (f"Three beads give (k³ + 2k)/3 = {three} necklaces.", f"necklaces(3) == {three}"),
            (
                "For a prime number of beads it is (k^p + (p - 1)k)/p.",
                f"all(necklaces(p) * p == {colours} ** p + (p - 1) * {colours} for p in (2, 5, 7))",
            ),
        ),
        false_claims=(
            (
                "Every circle has n different rotations, so the count is k^n / n.",
                f"all(necklaces(n) == {colours} ** n // n for n in range(1, 9))",
            ),
        ),
        exercises=(
            ("How many necklaces have 2 beads?", "2"),
            ("How many necklaces have 6 beads?", "6"),
            ("How many necklaces have 12 beads?", "12"),
        ),
        exam=calls(1, 2, 3, 4, 5, 6, 8, 9, 12, 30),
        wrong={
            **slips(
                code, off_by_one=("range(n)", "range(1, n)"), wrong_constant=(f"{colours} **", f"{colours + 1} **")
            ),
            "wrong_formula": source("def necklaces(n: int) -> int:\n    return COLOURS**n // n", COLOURS=colours),
        },
    )


def _forbidden_cycles(*lengths: int) -> Entry:
    shown = " or ".join(map(str, lengths))
    lowest = lengths[0]
    code = source(
        """
        def permutations(n: int) -> int:
            counts = [1]
            for size in range(1, n + 1):
                total, ways = 0, 1
                for length in range(1, size + 1):
                    if length not in LENGTHS:
                        total += ways * counts[size - length]
                    ways *= size - length
                counts.append(total)
            return counts[-1]
        """,
        LENGTHS=lengths,
    )
    alternative = source(
        """
        from fractions import Fraction
        from itertools import product
        from math import factorial, prod

        def permutations(n: int) -> int:
            total = Fraction(0)
            for marked in product(*(range(n // length + 1) for length in LENGTHS)):
                used = sum(count * length for count, length in zip(marked, LENGTHS))
                if used <= n:
                    total += prod(Fraction((-1) ** count, length**count * factorial(count)) for count, length in zip(marked, LENGTHS))
            return int(total * factorial(n))
        """,
        LENGTHS=lengths,
    )
    # The shortest forbidden cycle first matters in permutations of as many elements: (l - 1)! of them are lost.
    lost = factorial(lowest - 1)
    return Entry(
        title=f"Permutations without cycles of length {shown}",
        statement=f"Return the number of permutations of n elements that have no cycle of length {shown}. The integer n is >= 0; the permutation of no elements counts once."
        + (" A cycle of length 1 is a fixed point." if lowest == 1 else ""),
        signature=signature(code),
        explanations=(
            f"Follow the cycle of the largest element. A cycle of length l through it can be formed in (n-1)(n-2)...(n-l+1) ways, and the remaining n - l elements are permuted under the same rule. "
            f"Adding over every l other than {shown} gives the recurrence.",
            f"Inclusion and exclusion works on marked forbidden cycles. Marking j cycles of length l contributes (-1)^j / (l^j j!) as a share of n!, because that is the average number of such markings; "
            f"with l being {shown} the shares multiply and are added while the marked cycles fit into n elements.",
            f"The exponential generating function of all permutations is exp(x + x²/2 + x³/3 + ...), one summand for each cycle length. Forbidding length {shown} deletes its summand, "
            f"so for large n the share of such permutations tends to e to the power of minus {' minus '.join(f'1/{length}' for length in lengths)}.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                f"For n below {lowest} nothing is forbidden.",
                f"[permutations(n) for n in range({min(lowest, 6)})] == {[factorial(n) for n in range(min(lowest, 6))]}",
            ),
            (
                f"For n = {lowest} the {lost} full {'cycle is' if lost == 1 else 'cycles are'} lost.",
                f"permutations({lowest}) == {factorial(lowest) - lost}",
            ),
            (
                f"Counts at n = {lowest + 1} follow from the share that marks {lowest}-cycles.",
                f"permutations({lowest + 1}) == {factorial(lowest + 1) - _lost_above(lowest, lengths)}",
            ),
        ),
        false_claims=(
            (
                f"Only one permutation of {lowest + 2} elements has a forbidden cycle.",
                f"permutations({lowest + 2}) == {factorial(lowest + 2) - 1}",
            ),
        ),
        exercises=(
            (f"How many such permutations of {lowest} elements are there?", f"{lowest}"),
            ("How many of 6 elements?", "6"),
            ("How many of 15 elements?", "15"),
        ),
        exam=calls(
            0, 1, 2, 3, 4, 5, lowest, lengths[-1], lengths[-1] + 1, lowest + 1, 2 * lowest, sum(lengths), 12, 20, 34
        ),
        wrong=slips(
            code,
            wrong_formula=("ways *= size - length", "ways *= size"),
            off_by_one=("range(1, size + 1)", "range(1, size)"),
            wrong_constant=(f"not in {lengths}", f"not in {(*lengths[:-1], lengths[-1] + 1)}"),
        ),
    )


def _lost_above(lowest: int, lengths: tuple[int, ...]) -> int:
    """Permutations of lowest + 1 elements with a forbidden cycle, when at most one forbidden cycle fits."""
    if lowest == 1:
        return 2 if lengths[-1] == 2 else 1
    lost = (lowest + 1) * factorial(lowest - 1)
    return lost + (factorial(lowest) if lowest + 1 in lengths else 0)


_FORBIDDEN = [*itertools.combinations(range(1, 17), 1), *itertools.combinations(range(1, 17), 2)]

FAMILIES: tuple[Family, ...] = (
    Family(
        "words-without-runs",
        "combinatorics",
        "Words without long runs",
        ("restricted-compositions",),
        [(k, m) for k in range(3, 18) for m in range(3, 18)],
        _words_without_runs,
    ),
    Family(
        "necklaces", "combinatorics", "Necklaces", ("words-without-runs",), [(k,) for k in range(2, 62)], _necklaces
    ),
    Family(
        "permutations-without-cycles",
        "combinatorics",
        "Permutations without certain cycles",
        ("binomials-modulo-prime",),
        _FORBIDDEN,
        _forbidden_cycles,
    ),
)
