"""Cellular automata, elimination circles and weighted votes; imported by the games and logic domain only."""

import itertools

from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family


def _elementary(rule: int) -> Entry:
    code = source(
        """
        def evolve(cells: list[int], steps: int) -> list[int]:
            for _ in range(steps):
                size = len(cells)
                patterns = [4 * cells[i - 1] + 2 * cells[i] + cells[(i + 1) % size] for i in range(size)]
                cells = [RULE >> pattern & 1 for pattern in patterns]
            return cells
        """,
        RULE=rule,
    )
    alternative = source(
        """
        def evolve(cells: list[int], steps: int) -> list[int]:
            table = dict(zip(((1, 1, 1), (1, 1, 0), (1, 0, 1), (1, 0, 0), (0, 1, 1), (0, 1, 0), (0, 0, 1), (0, 0, 0)), f"{RULE:08b}"))
            for _ in range(steps):
                left, right = cells[-1:] + cells[:-1], cells[1:] + cells[:1]
                cells = [int(table[around]) for around in zip(left, cells, right)]
            return cells
        """,
        RULE=rule,
    )
    bits = f"{rule:08b}"
    everywhere = [1, 1, 1, 0, 1, 0, 0, 0]  # a de Bruijn ring: each of the eight neighbourhoods occurs once
    return Entry(
        title=f"Elementary cellular automaton rule {rule}",
        statement=f"Evolve the ring `cells` (a list of 0s and 1s whose last cell is the left neighbour of the first) by Wolfram's rule {rule} for `steps` >= 0 steps and return the resulting list. In a step all cells change at once: a cell becomes bit "
        f"number 4·left + 2·own + right of {rule} (bit 0 is the lowest). An empty ring stays empty.",
        signature=signature(code),
        explanations=(
            f"There are eight neighbourhoods of three cells, and a rule lists the new state for each. Read as binary digits {bits} from 111 down to 000 they make the number {rule}, so looking up a neighbourhood is looking at one bit.",
            f"All cells are updated from the old row at the same time; writing into the row while reading it would mix two generations. On a ring every cell has two neighbours, and rule {rule} needs no special case at the ends.",
            f"Number the pattern left-own-right as 4·left + 2·own + right and shift {rule} ({bits} in binary) right by it. The lowest bit that remains is the new cell, which is Wolfram's convention for naming all 256 rules.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("Without steps nothing changes.", "evolve([1, 0, 0, 1, 1], 0) == [1, 0, 0, 1, 1]"),
            (f"A ring of zeros turns into {rule & 1}s, the lowest bit.", f"evolve([0] * 6, 1) == [{rule & 1}] * 6"),
            (f"A ring of ones turns into {rule >> 7}s, the highest bit.", f"evolve([1] * 6, 1) == [{rule >> 7}] * 6"),
        ),
        false_claims=(("Each step makes the row two cells longer.", "len(evolve([0, 1, 0], 1)) == 5"),),
        exercises=(
            ("What does 0001000 become after one step?", "[0, 0, 0, 1, 0, 0, 0], 1"),
            ("What does 0001000 become after three steps?", "[0, 0, 0, 1, 0, 0, 0], 3"),
            ("What does 11010 become after two steps?", "[1, 1, 0, 1, 0], 2"),
        ),
        exam=calls(
            ([], 1),
            ([0] * 6, 1),
            ([1] * 6, 1),
            (everywhere, 1),
            (everywhere, 0),
            (everywhere, 2),
            ([0, 0, 0, 1, 0, 0, 0], 1),
            ([0, 0, 0, 1, 0, 0, 0], 3),
        )
        + calls(
            ([1, 1, 0, 1, 0], 2),
            ([1, 0, 0], 1),
            ([0, 1, 1, 0, 1, 0, 0, 0, 1, 1, 1, 0, 0], 4),
            ([0, 0, 1], 1),
            ([1, 1, 0, 0], 1),
        ),
        wrong=slips(
            code,
            wrong_formula=("& 1 for pattern in patterns]", "& 1 ^ cell for pattern, cell in zip(patterns, cells)]"),
            off_by_one=("range(steps)", "range(steps + 1)"),
            wrong_constant=(f"[{rule} >>", f"[{rule ^ 1} >>"),
        ),
    )


_AROUND = [[-1, -1], [-1, 0], [-1, 1], [0, -1], [0, 1], [1, -1], [1, 0], [1, 1]]


def _life(births: tuple[int, ...], survivals: tuple[int, ...]) -> Entry:
    code = source(
        """
        from collections import Counter
        from itertools import product

        def next_generation(cells: list[list[int]]) -> list[list[int]]:
            alive = {(row, column) for row, column in cells}
            neighbours = Counter()
            for row, column in alive:
                for down, right in product((-1, 0, 1), repeat=2):
                    if (down, right) != (0, 0):
                        neighbours[row + down, column + right] += 1
            born = {cell for cell, count in neighbours.items() if count in BIRTHS and cell not in alive}
            kept = {cell for cell in alive if neighbours[cell] in SURVIVALS}
            return sorted(map(list, born | kept))
        """,
        BIRTHS=births,
        SURVIVALS=survivals,
    )
    alternative = source(
        """
        def next_generation(cells: list[list[int]]) -> list[list[int]]:
            if not cells:
                return []
            rows = range(min(r for r, _ in cells) - 1, max(r for r, _ in cells) + 2)
            columns = range(min(c for _, c in cells) - 1, max(c for _, c in cells) + 2)
            after = []
            for row in rows:
                for column in columns:
                    block = [[r, c] for r in range(row - 1, row + 2) for c in range(column - 1, column + 2)]
                    count = sum(cell in cells for cell in block if cell != [row, column])
                    if count in (SURVIVALS if [row, column] in cells else BIRTHS):
                        after.append([row, column])
            return after
        """,
        BIRTHS=births,
        SURVIVALS=survivals,
    )
    name = f"B{''.join(map(str, births))}/S{''.join(map(str, survivals))}"
    born, kept = " or ".join(map(str, births)), " or ".join(map(str, survivals))
    only = next(count for count in survivals if count and count not in births)
    rings = [_AROUND[:count] for count in range(1, 9)]
    with_centre = [[[0, 0], *ring] for ring in rings]
    glider = [[0, 1], [1, 2], [2, 0], [2, 1], [2, 2]]
    lone = "survives" if 0 in survivals else "dies"
    return Entry(
        title=f"One generation of the life-like automaton {name}",
        statement=f"On an infinite square grid a dead cell with exactly {born} living neighbours is born, a living cell with exactly {kept} living neighbours survives, all others are dead afterwards (rule {name}; the eight surrounding cells are neighbours). "
        "Return the living cells after one generation as a sorted list of [row, column], given the distinct living cells `cells` in the same form.",
        signature=signature(code),
        explanations=(
            f"Let every living cell add one to the count of its eight neighbours. Then the rule is read off the counts: {born} gives birth to a dead cell, {kept} keeps a living one alive, and everything happens at the same moment.",
            f"Only cells next to a living one can change, so the infinite grid needs no array. Counting from the living cells outwards touches each relevant cell, and the two lists of rule {name} decide what it becomes.",
            f"The notation {name} names the numbers of living neighbours for birth (B) and survival (S). A cell is not its own neighbour; forgetting this shifts the survival counts by one and gives another automaton.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("From nothing comes nothing.", "next_generation([]) == []"),
            (f"A lone cell {lone}.", f"([0, 0] in next_generation([[0, 0]])) is {0 in survivals}"),
            (
                "Moving the pattern moves the result.",
                f"next_generation({[[r + 5, c - 3] for r, c in glider]!r}) == [[r + 5, c - 3] for r, c in next_generation({glider!r})]",
            ),
        ),
        false_claims=(
            (f"A dead cell with {only} living neighbours is born.", f"[0, 0] in next_generation({rings[only - 1]!r})"),
        ),
        exercises=(
            ("What becomes of a row of three cells?", "[[0, 0], [0, 1], [0, 2]]"),
            ("What becomes of a block of two by two cells?", "[[0, 0], [0, 1], [1, 0], [1, 1]]"),
            ("What becomes of the glider?", repr(glider)),
        ),
        exam=calls(
            [],
            [[0, 0]],
            [[0, 0], [0, 1], [0, 2]],
            [[0, 0], [0, 1], [1, 0], [1, 1]],
            glider,
            *rings[1:],
            *with_centre,
            [[0, 0], [2, 2], [2, 0], [0, 2], [5, 5], [5, 6]],
        ),
        wrong=slips(
            code,
            wrong_formula=("(down, right) != (0, 0)", "abs(down) + abs(right) == 1"),
            off_by_one=("(down, right) != (0, 0)", "True"),
            wrong_constant=(f"count in {births}", f"count in {(births[0] + 1, *births[1:])}"),
        ),
    )


def _josephus(step: int, survivors: int) -> Entry:
    code = source(
        """
        def remaining(people: int) -> list[int]:
            circle = list(range(1, people + 1))
            place = 0
            while len(circle) > SURVIVORS:
                place = (place + STEP - 1) % len(circle)
                circle.pop(place)
            return circle
        """,
        STEP=step,
        SURVIVORS=survivors,
    )
    alternative = source(
        """
        def remaining(people: int) -> list[int]:
            places = list(range(min(people, SURVIVORS)))
            for size in range(SURVIVORS + 1, people + 1):
                places = [(place + STEP) % size for place in places]
            return sorted(place + 1 for place in places)
        """,
        STEP=step,
        SURVIVORS=survivors,
    )
    plural = "person remains" if survivors == 1 else "persons remain"
    return Entry(
        title=f"Josephus circle: every {step}th leaves until {survivors} {plural}",
        statement=f"`people` >= 0 persons stand in a circle, numbered from 1. Counting starts at person 1, and every {step}th person still there leaves at once; counting goes on with the next one. "
        f"Return the numbers of those left in increasing order when {survivors} {plural} (everybody, if there are not more than {survivors}).",
        signature=signature(code),
        explanations=(
            f"Counting {step} persons from a place means going {step} - 1 places on, since the person there is counted first; around the circle this is taken modulo the persons left. Removing shifts the others up, so the next count begins at the same place.",
            f"Look backwards: with {survivors} left the answer is clear. Going from a circle of m - 1 to one of m adds {step} to every position, modulo m, because the first elimination and the new start shift the numbering by that much.",
            f"The circle shrinks by one in each round, until {survivors} {plural}. Simulating it takes one removal per round; it is the modulus, which changes every time, that makes the outcome for step {step} look irregular.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                f"With {survivors} or fewer everybody stays.",
                f"remaining({survivors}) == {list(range(1, survivors + 1))!r}",
            ),
            (f"Exactly {survivors} stay of a large circle.", f"len(remaining(50)) == {survivors}"),
            (
                f"Of {survivors + 1} the first to leave is number {(step - 1) % (survivors + 1) + 1}.",
                f"{(step - 1) % (survivors + 1) + 1} not in remaining({survivors + 1})",
            ),
        ),
        false_claims=(
            (
                f"Of {survivors + 1} the first to leave is number {step % (survivors + 1) + 1}.",
                f"{step % (survivors + 1) + 1} not in remaining({survivors + 1})",
            ),
        ),
        exercises=(
            ("Who is left of 10?", "10"),
            ("Who is left of 41?", "41"),
            (f"Who is left of {survivors + 2}?", f"{survivors + 2}"),
        ),
        exam=calls(0, 1, survivors, survivors + 1, survivors + 2, survivors + 3, 9, 10, 14, 23, 41, 64),
        wrong=slips(
            code,
            wrong_formula=("% len(circle)", "% people"),
            off_by_one=(f"place + {step} - 1", f"place + {step}"),
            wrong_constant=(f"> {survivors}:", f"> {survivors + 1}:"),
        ),
    )


def _weighted_vote(weights: tuple[int, ...], quota: int) -> Entry:
    code = source(
        """
        def coalition(members: list[int]) -> list[int | bool | list[int]]:
            weights, quota = WEIGHTS, QUOTA
            total = sum(weights[member] for member in members)
            wins = total >= quota
            critical = [member for member in sorted(members) if wins and total - weights[member] < quota]
            return [total, wins, critical]
        """,
        WEIGHTS=weights,
        QUOTA=quota,
    )
    alternative = source(
        """
        from functools import reduce

        def coalition(members: list[int]) -> list[int | bool | list[int]]:
            tally = reduce(lambda votes, member: votes + WEIGHTS[member], members, 0)
            surplus = tally - QUOTA
            if surplus < 0:
                return [tally, False, []]
            return [tally, True, [place for place, votes in enumerate(WEIGHTS) if place in members and votes > surplus]]
        """,
        WEIGHTS=weights,
        QUOTA=quota,
    )
    players, whole = len(weights), sum(weights)
    everyone = list(range(players))
    listed = "-".join(map(str, weights))
    order = sorted(everyone, key=lambda player: (-weights[player], player))
    reach = next(count for count in range(1, players + 1) if sum(weights[player] for player in order[:count]) >= quota)
    least = order[:reach]  # the largest players until the quota is reached
    coalitions = [list(some) for count in range(1, players + 1) for some in itertools.combinations(everyone, count)]
    exact = next(some for some in coalitions if sum(weights[player] for player in some) == quota)
    below = max(coalitions, key=lambda some: (votes := sum(weights[player] for player in some)) < quota and votes)
    return Entry(
        title=f"Weighted voting with weights {listed} and quota {quota}",
        statement=f"Players 0 to {players - 1} have {listed.replace('-', ', ')} votes, and a coalition wins with at least {quota} of the {whole} votes. For a list `members` of distinct players return [votes of the coalition, whether it wins, increasing list of its "
        "critical players, those without whom a winning coalition would lose]; a losing coalition has none.",
        signature=signature(code),
        explanations=(
            f"Add the votes of the members and compare with the quota {quota}; reaching it exactly is enough. A member is critical if the rest falls below the quota, that is, if the member's votes exceed the surplus.",
            f"Power is not the same as votes. What counts is how often a player's leaving turns a winning coalition into a losing one; with weights {listed} and quota {quota} a player whose votes are never needed has no power at all.",
            f"The critical members of a coalition are the swing voters that Banzhaf's index counts. Finding them takes one comparison each: votes so far minus own votes against {quota}. Losing coalitions have nothing to lose, so nobody is critical in them.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("Nobody together has no votes and loses.", "coalition([]) == [0, False, []]"),
            (f"All players together have {whole} votes and win.", f"coalition({everyone!r})[:2] == [{whole}, True]"),
            (
                "The largest players, taken until they win, include the last one as critical.",
                f"{least[-1]} in coalition({least!r})[2]",
            ),
        ),
        false_claims=(("A losing coalition has critical members.", f"len(coalition({least[:-1]!r})[2]) > 0"),),
        exercises=(
            ("What does the coalition of players 0 and 1 achieve?", "[0, 1]"),
            ("What does the coalition of all players achieve?", repr(everyone)),
            (f"What does the coalition of player {players - 1} alone achieve?", f"[{players - 1}]"),
        ),
        exam=calls(
            [],
            [0, 1],
            everyone,
            [players - 1],
            least,
            least[:-1],
            exact,
            below,
            everyone[::-1],
            everyone[1:],
            everyone[:-1],
            [0, players - 1],
            [0],
            order[1:],
            [*exact[::-1]],
            [2, 0, 1],
        ),
        wrong=slips(
            code,
            wrong_formula=("if wins and total", "if total"),
            off_by_one=("total >= quota", "total > quota"),
            wrong_constant=(f", {quota}\n", f", {quota + 1}\n"),
        ),
    )


_BIRTHS = (
    (3,),
    (3, 6),
    (3, 6, 8),
    (2,),
    (2, 5),
    (3, 4),
    (3, 5),
    (3, 7),
    (3, 8),
    (3, 4, 5),
    (4,),
    (3, 5, 7),
    (2, 6),
    (4, 6, 7, 8),
)
_SURVIVALS = (
    (2, 3),
    (1, 2, 5),
    (2, 4, 5),
    (1, 2, 3, 4),
    (0, 1, 2),
    (5, 6, 7, 8),
    (2, 3, 8),
    (1, 3, 5),
    (2, 3, 5, 7),
    (4, 5),
    (1, 2, 3, 4, 5),
    (0, 2, 7),
    (1, 5),
    (3, 4, 5, 6),
)
_WEIGHTS = (
    (4, 3, 2, 1),
    (5, 3, 2, 2),
    (6, 4, 3, 1),
    (7, 5, 4, 2),
    (3, 2, 2, 1, 1),
    (5, 4, 3, 2, 1),
    (6, 5, 3, 2, 1),
    (8, 5, 3, 2, 1),
    (9, 7, 5, 3, 1),
    (10, 6, 5, 4, 2),
    (12, 8, 6, 4, 3),
    (4, 4, 3, 3, 2, 1),
    (6, 5, 4, 3, 2, 1),
    (7, 6, 4, 3, 2, 2),
    (9, 6, 5, 4, 3, 1),
    (10, 9, 7, 5, 3, 2),
    (13, 8, 5, 3, 2, 1),
    (11, 7, 6, 4, 3, 2),
    (15, 9, 8, 6, 4, 3),
    (8, 7, 6, 5, 4, 3),
    (14, 12, 9, 6, 5, 3),
    (16, 11, 7, 5, 4, 2),
    (5, 5, 4, 3, 3, 2, 1),
    (9, 8, 6, 5, 3, 2, 1),
    (12, 10, 8, 6, 4, 3, 2),
)  # largest first


def _votes() -> list[tuple[tuple[int, ...], int]]:
    """For each list of weights up to ten quotas from a simple majority on, each the votes of some coalition.

    Two such quotas are different games: the coalition that just reaches the smaller one tells them apart.
    """
    found: list[tuple[tuple[int, ...], int]] = []
    for weights in _WEIGHTS:
        reached = {0}
        for weight in weights:
            reached |= {votes + weight for votes in reached}
        majorities = sorted(votes for votes in reached if sum(weights) // 2 < votes < sum(weights))
        found += [(weights, quota) for quota in majorities[:10]]
    return found


FAMILIES: tuple[Family, ...] = (
    Family(
        "elementary-cellular-automata",
        "games-and-logic",
        "Elementary cellular automata",
        (),
        [(rule,) for rule in range(1, 255) if rule != 204],  # 0 and 255 forget everything, 204 changes nothing
        _elementary,
    ),
    Family(
        "life-like-automata",
        "games-and-logic",
        "Life-like automata",
        ("elementary-cellular-automata",),
        [(births, survivals) for births in _BIRTHS for survivals in _SURVIVALS if set(survivals) - {0, *births}],
        _life,
    ),
    Family(
        "josephus-circles",
        "games-and-logic",
        "Josephus circles",
        (),
        [(step, survivors) for step in range(2, 42) for survivors in range(1, 6)],
        _josephus,
    ),
    Family("weighted-votes", "games-and-logic", "Weighted voting", (), _votes(), _weighted_vote),
)
