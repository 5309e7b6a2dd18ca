"""Ruin and pattern games; imported by the probability domain only."""

import itertools

from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family


def _gambler(win: int, rounds: int, goal: int) -> Entry:
    lose = rounds - win
    code = source(
        """
        from fractions import Fraction

        def reach_goal(stake: int) -> list[int]:
            weights = [Fraction(LOSE, WIN) ** power for power in range(GOAL)]
            chance = sum(weights[:stake], Fraction(0)) / sum(weights)
            return [chance.numerator, chance.denominator]
        """,
        LOSE=lose,
        WIN=win,
        GOAL=goal,
    )
    alternative = source(
        """
        from fractions import Fraction

        def reach_goal(stake: int) -> list[int]:
            up, down = Fraction(WIN, ROUNDS), Fraction(LOSE, ROUNDS)
            shape = [Fraction(0), Fraction(1)]
            while len(shape) <= GOAL:
                shape.append((shape[-1] - down * shape[-2]) / up)
            chance = shape[min(stake, GOAL)] / shape[GOAL]
            return [chance.numerator, chance.denominator]
        """,
        LOSE=lose,
        WIN=win,
        ROUNDS=rounds,
        GOAL=goal,
    )
    false_check = f"reach_goal(1) == [1, {goal}]" if win != lose else f"reach_goal(1) == [1, {2**goal}]"
    false_text = (
        f"The chance from 1 is 1/{goal} whatever the odds."
        if win != lose
        else f"From 1 the chance is 1/2^{goal}, as for {goal} wins in a row."
    )
    return Entry(
        title=f"Gambler's ruin at odds {win}:{lose} with goal {goal}",
        statement=f"A gambler with `stake` >= 0 coins plays rounds for one coin each, winning a round with probability {win}/{rounds} independently, and stops at 0 or at {goal} coins. "
        f"Return the probability of reaching {goal}, as a reduced fraction [numerator, denominator]. A stake of {goal} or more has reached it already: [1, 1].",
        signature=signature(code),
        explanations=(
            f"Let h(i) be the chance from i coins. Conditioning on the next round gives h(i) = {win}/{rounds}·h(i+1) + {lose}/{rounds}·h(i-1), so the steps h(i+1) - h(i) shrink or grow by the constant factor {lose}/{win}. Scaling them to add up to one at {goal} gives a ratio of two geometric sums.",
            f"The quantity ({lose}/{win})^coins is a martingale: one round leaves its mean unchanged. Stopping at 0 or {goal} then fixes the chance. Writing the result with geometric sums has the advantage that the fair game needs no special case.",
            f"Each coin of the goal {goal} carries a weight, {lose}/{win} times that of the coin before, and the chance of success is the weight of the coins owned over the weight of all. With even odds all weights agree and the chance is stake over goal.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("Without coins the game is lost.", "reach_goal(0) == [0, 1]"),
            (f"With {goal} coins it is won.", f"reach_goal({goal}) == [1, 1]"),
            (
                f"Steps shrink by {lose}/{win}: the second coin adds {lose}/{win} of what the first adds.",
                f"(reach_goal(2)[0] * reach_goal(1)[1] - reach_goal(1)[0] * reach_goal(2)[1]) * {win} == reach_goal(1)[0] * reach_goal(2)[1] * {lose}",
            ),
        ),
        false_claims=((false_text, false_check),),
        exercises=(
            ("How likely is success from 1 coin?", "1"),
            ("How likely is success from 2 coins?", "2"),
            (f"How likely is success from {goal - 1} coins?", f"{goal - 1}"),
        ),
        exam=calls(*range(goal + 2), goal + 5, goal + 8, goal + 20, 2 * goal + 1),
        wrong=slips(
            code,
            wrong_formula=(f"Fraction({lose}, {win}) **", f"Fraction({win}, {rounds + win}) **"),
            off_by_one=("weights[:stake]", "weights[: stake + 1]"),
            wrong_constant=(f"range({goal})", f"range({goal + 1})"),
        ),
    )


def _penney(pattern: str) -> Entry:
    code = source(
        """
        from fractions import Fraction

        def wins_first(rival: str) -> list[int]:
            ours = PATTERN

            def leading(left: str, right: str) -> int:
                return sum(2**size for size in range(1, len(left) + 1) if left[-size:] == right[:size])

            for_us = leading(rival, rival) - leading(rival, ours)
            against_us = leading(ours, ours) - leading(ours, rival)
            chance = Fraction(for_us, for_us + against_us)
            return [chance.numerator, chance.denominator]
        """,
        PATTERN=pattern,
    )
    alternative = source(
        """
        from fractions import Fraction

        def wins_first(rival: str) -> list[int]:
            ours, size = PATTERN, len(rival)
            states = sorted({word[:cut] for word in (ours, rival) for cut in range(size)})
            rows = []
            for place, state in enumerate(states):
                row = [Fraction(0)] * (len(states) + 1)
                row[place] += 1
                for coin in "HT":
                    seen = state + coin
                    while seen not in (ours, rival) and seen not in states:
                        seen = seen[1:]
                    row[states.index(seen) if seen in states else -1] += Fraction(-1, 2) if seen in states else Fraction(seen == ours, 2)
                rows.append(row)
            for pivot in range(len(rows)):
                swap = next(index for index in range(pivot, len(rows)) if rows[index][pivot])
                rows[pivot], rows[swap] = rows[swap], rows[pivot]
                rows[pivot] = [value / rows[pivot][pivot] for value in rows[pivot]]
                for index, row in enumerate(rows):
                    if index != pivot:
                        rows[index] = [value - row[pivot] * top for value, top in zip(row, rows[pivot])]
            return [rows[0][-1].numerator, rows[0][-1].denominator]
        """,
        PATTERN=pattern,
    )
    size = len(pattern)
    flip = str.maketrans("HT", "TH")
    stronger = pattern[1].translate(flip) + pattern[:-1]  # Conway's answer: precede the opponent's pattern
    if stronger == pattern:
        stronger = pattern.translate(flip)
    rivals = ["".join(letters) for letters in itertools.product("HT", repeat=size) if "".join(letters) != pattern]
    return Entry(
        title=f"Penney's game for the pattern {pattern}",
        statement=f"A fair coin is tossed until the last {size} tosses read {pattern} (ours) or `rival`, another pattern of {size} letters H and T. Return the probability that {pattern} "
        "comes first, as a reduced fraction [numerator, denominator].",
        signature=signature(code),
        explanations=(
            f"Conway's leading numbers decide. For two words add 2^k for every k such that the last k letters of the first are the first k of the second. The odds that {pattern} beats the rival are (rival:rival - rival:ours) to (ours:ours - ours:rival), because overlaps let a word start inside another one.",
            f"Although each word of {size} letters is equally likely at a given place, they do not race independently: when the end of the rival is the beginning of {pattern} the rival's near misses help us. The overlap sums measure just this help, in units of expected tosses.",
            f"Imagine a new bettor before each toss who doubles up on the letters of {pattern}, and others who bet on the rival. Their games are fair, so at the stop total winnings and payments balance; solving the two balances for the chance of each ending gives the ratio of differences of overlap sums.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                "Swapping heads and tails everywhere gives even odds against the mirror image.",
                f"wins_first({pattern.translate(flip)!r}) == [1, 2]",
            ),
            ("No rival is hopeless.", f"0 < wins_first({rivals[1]!r})[0] < wins_first({rivals[1]!r})[1]"),
            (
                f"The chances against {rivals[0]} and {rivals[-1]} lie strictly between 0 and 1.",
                f"all(0 < wins_first(r)[0] < wins_first(r)[1] for r in ({rivals[0]!r}, {rivals[-1]!r}))",
            ),
        ),
        false_claims=(
            ("Every pattern of the same length is an even match.", f"all(wins_first(r) == [1, 2] for r in {rivals!r})"),
        ),
        exercises=(
            (f"How likely does {pattern} come before {stronger}?", repr(stronger)),
            (f"How likely does {pattern} come before {rivals[0]}?", repr(rivals[0])),
            (f"How likely does {pattern} come before {rivals[-1]}?", repr(rivals[-1])),
        ),
        exam=calls(stronger, *rivals[:: max(1, len(rivals) // 14)]),
        wrong=slips(
            code,
            wrong_formula=("Fraction(for_us, for_us + against_us)", "Fraction(against_us, for_us + against_us)"),
            off_by_one=("range(1, len(left) + 1)", "range(1, len(left))"),
            wrong_constant=("2**size for", "3**size for"),
        ),
    )


_ODDS = (
    (1, 2),
    (1, 3),
    (2, 3),
    (1, 4),
    (3, 4),
    (1, 5),
    (2, 5),
    (3, 5),
    (4, 5),
    (9, 19),
    (18, 37),
    (3, 7),
    (4, 7),
    (4, 9),
    (5, 9),
    (5, 11),
    (6, 11),
    (7, 15),
    (8, 15),
    (5, 12),
)


FAMILIES: tuple[Family, ...] = (
    Family(
        "gamblers-ruin",
        "probability",
        "Gambler's ruin",
        (),
        [(win, rounds, goal) for win, rounds in _ODDS for goal in range(3, 13)],
        _gambler,
    ),
    Family(
        "penneys-game",
        "probability",
        "Penney's game",
        ("two-state-markov-chains",),
        [("".join(letters),) for size in (4, 5, 6) for letters in itertools.product("HT", repeat=size)],
        _penney,
    ),
)
