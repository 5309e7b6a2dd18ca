"""Probability: exact chances by counting (this file) and of processes in time; every answer is a reduced fraction."""

from ghostd.core.concept import Domain
from ghostd.textbook.catalogue._probability_games import FAMILIES as _GAMES
from ghostd.textbook.catalogue._probability_processes import FAMILIES as _PROCESSES
from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family

DOMAIN = Domain(
    "probability",
    "Probability",
    "Chances and expectations of dice, draws, coincidences, tests and random walks, computed exactly.",
)


def _dice_sum(dice: int, sides: int) -> Entry:
    outcomes, highest = sides**dice, dice * sides
    code = source(
        """
        from fractions import Fraction

        def dice_sum(total: int) -> list[int]:
            ways = [1]
            for _ in range(DICE):
                grown = [0] * (len(ways) + SIDES)
                for reached, count in enumerate(ways):
                    for face in range(1, SIDES + 1):
                        grown[reached + face] += count
                ways = grown
            favourable = ways[total] if 0 <= total < len(ways) else 0
            chance = Fraction(favourable, SIDES**DICE)
            return [chance.numerator, chance.denominator]
        """,
        DICE=dice,
        SIDES=sides,
    )
    alternative = source(
        """
        from fractions import Fraction
        from math import comb

        def dice_sum(total: int) -> list[int]:
            ways = 0
            for exceeded in range(DICE + 1):
                free = total - SIDES * exceeded
                if free >= DICE:
                    ways += (-1) ** exceeded * comb(DICE, exceeded) * comb(free - 1, DICE - 1)
            chance = Fraction(ways, SIDES**DICE)
            return [chance.numerator, chance.denominator]
        """,
        DICE=dice,
        SIDES=sides,
    )
    return Entry(
        title=f"Sum of {dice} dice with {sides} sides",
        statement=f"Roll {dice} fair dice, each with faces 1 to {sides}. Return the probability that the faces add up to the integer "
        "`total`, as a reduced fraction [numerator, denominator]. An unreachable total, negative ones included, gives [0, 1].",
        signature=signature(code),
        explanations=(
            f"Each of the {sides}^{dice} = {outcomes} ordered outcomes is equally likely, so the chance of a total is the number of outcomes with that sum over {outcomes}. The number is built up die by die: a total after one more die comes from every face between 1 and {sides}.",
            f"Adding independent dice convolves their distributions. Starting from the certain sum 0 and convolving {dice} times with a flat distribution on 1..{sides} gives counts that are largest in the middle, because more combinations of faces meet there.",
            f"Think of the coefficient of x^total in (x + x^2 + ... + x^{sides})^{dice}. It counts how many ways the {dice} faces can be chosen, and dividing it by {outcomes} turns a count into a probability; outside {dice}..{highest} the coefficient is zero.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"Only one outcome in {outcomes} has the lowest total, {dice}.", f"dice_sum({dice}) == [1, {outcomes}]"),
            ("The distribution is symmetric about its middle.", f"dice_sum({dice + 1}) == dice_sum({highest - 1})"),
            (
                "The probabilities of all totals add up to one.",
                f"sum(p * ({outcomes} // q) for p, q in map(dice_sum, range({highest + 1}))) == {outcomes}",
            ),
        ),
        false_claims=(
            ("Every reachable total is equally likely.", f"dice_sum({dice}) == dice_sum({(dice + highest) // 2})"),
        ),
        exercises=(
            (f"How likely is the highest total, {highest}?", f"{highest}"),
            (f"How likely is a total of {dice + 1}?", f"{dice + 1}"),
            (f"How likely is a total of {highest + 1}?", f"{highest + 1}"),
        ),
        exam=calls(
            -1,
            0,
            1,
            dice,
            dice + 1,
            dice + 2,
            (dice + highest) // 2,
            highest - 1,
            highest,
            highest + 1,
            highest + 4,
            sides + 1,
        ),
        wrong=slips(
            code,
            wrong_formula=(
                f"Fraction(favourable, {sides}**{dice})",
                f"Fraction(min(favourable, 1), {highest - dice + 1})",
            ),
            off_by_one=(f"range(1, {sides} + 1)", f"range({sides})"),
            wrong_constant=(f"{sides}**{dice})", f"{sides}**{dice + 1})"),
        ),
    )


def _hypergeometric(population: int, marked: int) -> Entry:
    rest = population - marked
    code = source(
        """
        from fractions import Fraction
        from math import comb

        def marked_drawn(draws: int, hits: int) -> list[int]:
            if not 0 <= hits <= draws:
                return [0, 1]
            favourable = comb(MARKED, hits) * comb(REST, draws - hits)
            chance = Fraction(favourable, comb(POPULATION, draws))
            return [chance.numerator, chance.denominator]
        """,
        MARKED=marked,
        REST=rest,
        POPULATION=population,
    )
    alternative = source(
        """
        from fractions import Fraction

        def marked_drawn(draws: int, hits: int) -> list[int]:
            chances = {0: Fraction(1)}
            for drawn in range(draws):
                after = {}
                for found, chance in chances.items():
                    hit = Fraction(MARKED - found, POPULATION - drawn)
                    after[found + 1] = after.get(found + 1, 0) + chance * hit
                    after[found] = after.get(found, 0) + chance * (1 - hit)
                chances = after
            chance = Fraction(chances.get(hits, 0))
            return [chance.numerator, chance.denominator]
        """,
        MARKED=marked,
        POPULATION=population,
    )
    return Entry(
        title=f"Hypergeometric draws: {marked} marked among {population}",
        statement=f"An urn holds {population} balls, {marked} of them marked. Draw `draws` balls (0 <= draws <= {population}) without replacement. "
        "Return the probability that exactly `hits` of them are marked, as a reduced fraction [numerator, denominator]; impossible counts "
        "(negative, more than the draws, more than there are) give [0, 1].",
        signature=signature(code),
        explanations=(
            f"Every set of drawn balls is equally likely. Choose the hits among the {marked} marked balls and the remaining draws among the {rest} unmarked ones, multiply the two counts, and divide by the number of all sets taken from {population}.",
            f"Without replacement the draws depend on each other: each marked ball taken leaves fewer of the {marked}. Counting unordered hands avoids following that order, which is why three binomial coefficients over {population}, {marked} and {rest} suffice.",
            f"This is the hypergeometric law. It differs from the binomial law with chance {marked}/{population} because no ball comes back, so that for instance more than {marked} hits can never occur however many balls are drawn.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("Drawing everything finds every marked ball.", f"marked_drawn({population}, {marked}) == [1, 1]"),
            (
                f"A single draw is marked with chance {marked}/{population}.",
                f"marked_drawn(1, 1)[0] * {population} == marked_drawn(1, 1)[1] * {marked}",
            ),
            ("More hits than marked balls are impossible.", f"marked_drawn({marked + 1}, {marked + 1}) == [0, 1]"),
        ),
        false_claims=(
            (
                "Two marked draws in a row have the square of the chance of one.",
                f"marked_drawn(2, 2)[0] * {population**2} == marked_drawn(2, 2)[1] * {marked**2}",
            ),
        ),
        exercises=(
            ("Draw two balls: how likely are two marked ones?", "2, 2"),
            ("Draw three balls: how likely is exactly one marked?", "3, 1"),
            (f"Draw {marked} balls: how likely is it that none is marked?", f"{marked}, 0"),
        ),
        exam=calls(
            (0, 0),
            (1, 1),
            (1, 0),
            (2, 2),
            (3, 1),
            (4, 2),
            (marked, marked),
            (marked + 1, marked + 1),
            (population, marked),
            (population, marked - 1),
        )
        + calls((3, -1), (3, 4), (0, 1), (population // 2, 1), (5, 3), (population - 1, marked)),
        wrong=slips(
            code,
            wrong_formula=(
                f"Fraction(favourable, comb({population}, draws))",
                f"Fraction(comb(draws, hits) * {marked}**hits * {rest} ** (draws - hits), {population}**draws)",
            ),
            off_by_one=("draws - hits)", "draws - hits + 1)"),
            wrong_constant=(f"comb({rest},", f"comb({population},"),
        ),
    )


def _birthday(days: int) -> Entry:
    code = source(
        """
        from fractions import Fraction

        def shared_birthday(people: int) -> list[int]:
            all_different = Fraction(1)
            for taken in range(people):
                all_different *= Fraction(DAYS - taken, DAYS)
            chance = 1 - all_different
            return [chance.numerator, chance.denominator]
        """,
        DAYS=days,
    )
    alternative = source(
        """
        from fractions import Fraction
        from math import perm

        def shared_birthday(people: int) -> list[int]:
            everyone = DAYS**people
            chance = Fraction(everyone - perm(DAYS, people), everyone)
            return [chance.numerator, chance.denominator]
        """,
        DAYS=days,
    )
    return Entry(
        title=f"Shared birthdays in a year of {days} days",
        statement=f"Each of `people` >= 0 persons has a birthday that is uniform over {days} days and independent of the others. Return the probability "
        "that at least two of them share a birthday, as a reduced fraction [numerator, denominator].",
        signature=signature(code),
        explanations=(
            f"Look at the opposite event. The persons have different birthdays when each avoids the days already taken, with chances {days}/{days}, {days - 1}/{days}, {days - 2}/{days} and so on; one minus their product is the chance of at least one match.",
            f"What counts is the number of pairs, and pairs grow with the square of the group. So a match becomes likely far below {days} persons, and it is certain from {days + 1} persons on by the pigeonhole principle.",
            f"There are {days}^people equally likely lists of birthdays, and {days}·{days - 1}·{days - 2}··· of them have no repetition. The share of lists with a repetition is what remains after dividing and subtracting from one.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("One person alone shares with nobody.", "shared_birthday(1) == [0, 1]"),
            (f"Two persons match with chance 1/{days}.", f"shared_birthday(2) == [1, {days}]"),
            (f"With {days + 1} persons a match is certain.", f"shared_birthday({days + 1}) == [1, 1]"),
        ),
        false_claims=(
            (
                f"A match among three persons has chance 3/{days}, one {days}th for each pair.",
                f"shared_birthday(3)[0] * {days} == 3 * shared_birthday(3)[1]",
            ),
        ),
        exercises=(
            ("How likely is a match among 3 persons?", "3"),
            ("How likely is a match among 5 persons?", "5"),
            ("How likely is a match in an empty room?", "0"),
        ),
        exam=calls(0, 1, 2, 3, 4, 5, 7, 10, days, days + 1, days + 2),
        wrong=slips(
            code,
            wrong_formula=(f"Fraction({days} - taken, {days})", f"Fraction({days} - 1, {days})"),
            off_by_one=("range(people)", "range(people + 1)"),
            wrong_constant=(f"{days} - taken, {days}", f"{days + 1} - taken, {days + 1}"),
        ),
    )


def _order_statistic(rank: int, faces: int) -> Entry:
    code = source(
        """
        from fractions import Fraction
        from math import comb

        def ranked_at_most(draws: int, bound: int) -> list[int]:
            low = min(max(bound, 0), FACES)
            ways = sum(comb(draws, below) * low**below * (FACES - low) ** (draws - below) for below in range(RANK, draws + 1))
            chance = Fraction(ways, FACES**draws)
            return [chance.numerator, chance.denominator]
        """,
        FACES=faces,
        RANK=rank,
    )
    alternative = source(
        """
        from fractions import Fraction

        def ranked_at_most(draws: int, bound: int) -> list[int]:
            success = Fraction(min(max(bound, 0), FACES), FACES)
            law = [Fraction(1)]
            for _ in range(draws):
                law = [a * (1 - success) + b * success for a, b in zip(law + [0], [0] + law)]
            chance = sum(law[RANK:], Fraction(0))
            return [chance.numerator, chance.denominator]
        """,
        FACES=faces,
        RANK=rank,
    )
    return Entry(
        title=f"Order statistic of rank {rank} among integers 1 to {faces}",
        statement=f"Draw `draws` >= 0 independent integers, each uniform on 1..{faces}, and sort them upwards. Return the probability that the value of rank "
        f"{rank} (rank 1 is the smallest) is at most the integer `bound`, as a reduced fraction [numerator, denominator]. With fewer than {rank} draws "
        "there is no such value and the answer is [0, 1]. Any integer is a valid bound.",
        signature=signature(code),
        explanations=(
            f"The value of rank {rank} is at most the bound exactly when at least {rank} of the draws are. Each draw is below with chance bound/{faces}, so the answer is the upper tail of a binomial law.",
            f"Instead of sorting, count. Let below be the number of draws that do not exceed the bound: it is binomial, and the event in question reads below >= {rank}. Summing C(draws, below)·bound^below·({faces} - bound)^(draws - below) over those values and dividing by {faces}^draws gives the chance.",
            f"Order statistics of independent draws reduce to success counts because sorting forgets which draw was which. A success is a value within the bound, and rank {rank} needs {rank} successes; for the smallest value one is enough, for the largest all are needed.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"A bound of {faces} is never exceeded.", f"ranked_at_most({rank + 3}, {faces}) == [1, 1]"),
            (f"With exactly {rank} draws it is the maximum.", f"ranked_at_most({rank}, 1) == [1, {faces**rank}]"),
            (f"Fewer than {rank} draws have no value of that rank.", f"ranked_at_most({rank - 1}, {faces}) == [0, 1]"),
        ),
        false_claims=(
            (
                f"The value of rank {rank} among {rank + 1} draws is as likely to be 1 as a single draw.",
                f"ranked_at_most({rank + 1}, 1) == [1, {faces}]",
            ),
        ),
        exercises=(
            (
                f"Among {rank + 2} draws, how likely is the value of rank {rank} at most {faces // 2}?",
                f"{rank + 2}, {faces // 2}",
            ),
            (f"Among {rank} draws, how likely is their maximum at most {faces - 1}?", f"{rank}, {faces - 1}"),
            ("How likely is it with a bound of 0?", f"{rank + 1}, 0"),
        ),
        exam=calls(
            (0, 1),
            (rank - 1, faces),
            (rank, 1),
            (rank, faces - 1),
            (rank, faces),
            (rank + 1, 1),
            (rank + 1, 2),
            (rank + 2, faces // 2),
        )
        + calls(
            (rank + 3, 0),
            (rank + 3, -2),
            (rank + 3, faces + 3),
            (rank + 4, faces - 1),
            (2 * rank + 3, 2),
            (rank + 2, -1),
            (rank + 1, faces + 1),
        ),
        wrong=slips(
            code,
            wrong_formula=(f"range({rank}, draws + 1)", f"range({rank}, min({rank}, draws) + 1)"),
            off_by_one=(f"range({rank}, draws + 1)", f"range({rank + 1}, draws + 1)"),
            wrong_constant=(f"({faces} - low)", f"({faces + 1} - low)"),
        ),
    )


FAMILIES: tuple[Family, ...] = (
    Family(
        "dice-sums",
        "probability",
        "Sums of dice",
        (),
        [(dice, sides) for dice in range(2, 11) for sides in range(2, 25)],
        _dice_sum,
    ),
    Family(
        "hypergeometric-draws",
        "probability",
        "Hypergeometric draws",
        (),
        [(population, marked) for population in range(12, 29) for marked in range(2, 14) if marked < population - 1],
        _hypergeometric,
    ),
    Family(
        "shared-birthdays",
        "probability",
        "Shared birthdays",
        (),
        [(days,) for days in (*range(12, 113), *range(300, 400))],
        _birthday,
    ),
    Family(
        "uniform-order-statistics",
        "probability",
        "Order statistics of uniform integers",
        ("binomial-tails",),
        [(rank, faces) for rank in range(1, 11) for faces in range(4, 25)],
        _order_statistic,
    ),
    *_PROCESSES,
    *_GAMES,
)
