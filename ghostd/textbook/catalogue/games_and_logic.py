"""Games and logic: games of taking counters (this file), boards, automata, eliminations and votes beside it."""

import itertools

from ghostd.core.concept import Domain
from ghostd.textbook.catalogue._games_and_logic_boards import FAMILIES as _BOARDS
from ghostd.textbook.catalogue._games_and_logic_rules import FAMILIES as _RULES
from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family

DOMAIN = Domain(
    "games-and-logic",
    "Games and logic",
    "Winning moves of impartial games, boards and leapers, cellular automata, elimination games and weighted votes.",
)


def _subtraction_game(moves: tuple[int, ...]) -> Entry:
    code = source(
        """
        def winning_moves(pile: int) -> list[int]:
            lost = []
            for size in range(pile + 1):
                lost.append(not any(take <= size and lost[size - take] for take in MOVES))
            return [take for take in MOVES if take <= pile and lost[pile - take]]
        """,
        MOVES=moves,
    )
    alternative = source(
        """
        def winning_moves(pile: int) -> list[int]:
            grundy = {}
            for size in range(pile + 1):
                seen = {grundy[size - take] for take in MOVES if take <= size}
                grundy[size] = next(value for value in range(len(MOVES) + 1) if value not in seen)
            return [take for take in MOVES if grundy.get(pile - take) == 0]
        """,
        MOVES=moves,
    )
    listed = ", ".join(map(str, moves[:-1])) + f" or {moves[-1]}"
    least, most = moves[0], moves[-1]
    return Entry(
        title=f"Subtraction game with moves {listed}",
        statement=f"Two players take turns removing {listed} counters from a pile; who cannot move loses. Return the increasing list of those removals that win from a pile of `pile` >= 0 counters "
        "with best play, [] when every move loses or none is possible.",
        signature=signature(code),
        explanations=(
            f"A position is lost if every move leads to a position that is won for the opponent; piles smaller than {least} are lost at once, as no move exists. Working upwards, a removal of {listed} wins exactly if it leaves a lost pile.",
            f"Backward induction settles one pile size after the other. Since every move shrinks the pile, the outcome of a pile depends only on the smaller ones, {listed} counters below; the winning moves are those that hand the opponent a lost one.",
            f"The pattern of lost piles is eventually periodic, because it is determined by the last {most} outcomes and there are finitely many such stretches. In terms of Grundy values, a move with {listed} wins if it leaves the value 0.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("An empty pile leaves nothing to do.", "winning_moves(0) == []"),
            (f"Taking all of a pile of {most} wins.", f"{most} in winning_moves({most})"),
            (f"A pile of {least} is won by taking it.", f"winning_moves({least}) == [{least}]"),
        ),
        false_claims=(
            (
                "The largest move is always a winning one when it is possible.",
                f"all({most} in winning_moves(pile) for pile in range({most}, {3 * most + 8}))",
            ),
        ),
        exercises=(
            (f"Which moves win from a pile of {most + 1}?", f"{most + 1}"),
            (f"Which moves win from a pile of {2 * most}?", f"{2 * most}"),
            ("Which moves win from a pile of 50?", "50"),
        ),
        exam=calls(*range(most + least + 3), 2 * most, 2 * most + 1, 25, 50, 64),
        wrong=slips(
            code,
            wrong_formula=("not any(", "not all("),
            off_by_one=("take <= pile", "take < pile"),
            wrong_constant=(f"in {moves}", f"in {(*moves[:-1], most + 1)}"),
        ),
    )


def _capped_nim(cap: int) -> Entry:
    code = source(
        """
        def winning_moves(heaps: list[int]) -> list[list[int]]:
            total = 0
            for heap in heaps:
                total ^= heap % PERIOD
            wins = []
            for index, heap in enumerate(heaps):
                target = heap % PERIOD ^ total
                for take in range(1, min(CAP, heap) + 1):
                    if (heap - take) % PERIOD == target:
                        wins.append([index, take])
            return wins
        """,
        CAP=cap,
        PERIOD=cap + 1,
    )
    alternative = source(
        """
        from functools import reduce
        from operator import xor

        def winning_moves(heaps: list[int]) -> list[list[int]]:
            values = []
            for size in range(max(heaps, default=0) + 1):
                options = set(values[max(0, size - CAP):])
                values.append(next(value for value in range(CAP + 1) if value not in options))
            moves = ((index, take) for index, heap in enumerate(heaps) for take in range(1, min(CAP, heap) + 1))
            wins = []
            for index, take in moves:
                left = heaps[:index] + [heaps[index] - take] + heaps[index + 1:]
                if reduce(xor, (values[heap] for heap in left)) == 0:
                    wins.append([index, take])
            return wins
        """,
        CAP=cap,
    )
    period = cap + 1
    return Entry(
        title=f"Nim with at most {cap} counters per move",
        statement=f"Players in turn remove 1 to {cap} counters from one heap; who cannot move loses. Return all moves that win from `heaps` (a list of heap sizes >= 0) with best play, as a list of [index of the heap, counters taken], "
        "ordered by index and then by counters; [] in a lost position.",
        signature=signature(code),
        explanations=(
            f"A single heap with moves 1 to {cap} repeats with period {period}: its Grundy value is the remainder on division by {period}. By Sprague and Grundy several heaps are lost for the mover exactly if the remainders have nim-sum (exclusive or) zero.",
            f"First replace each heap by its remainder modulo {period}, since the opponent can answer any take t by {period} - t. Then play Nim with the remainders: a move wins if it makes the exclusive or of all of them zero.",
            f"To find the moves, compute the value a heap ought to have, its own value combined with the nim-sum of all. Every take of up to {cap} counters that brings the heap to that remainder modulo {period} wins, and no other does.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"A heap of {period} is lost.", f"winning_moves([{period}]) == []"),
            (f"A heap of {cap} is taken at once.", f"winning_moves([{cap}]) == [[0, {cap}]]"),
            ("Two equal heaps are lost: the opponent copies each move.", "winning_moves([9, 9]) == []"),
        ),
        false_claims=(
            (
                f"From {period + 1} counters it is right to take {cap}.",
                f"winning_moves([{period + 1}]) == [[0, {cap}]]",
            ),
        ),
        exercises=(
            ("Which moves win from heaps of 3, 4 and 5?", "[3, 4, 5]"),
            (f"Which moves win from a single heap of {2 * period + 1}?", f"[{2 * period + 1}]"),
            ("Which moves win from heaps of 10 and 7?", "[10, 7]"),
        ),
        exam=calls(
            [],
            [0],
            [1],
            [cap],
            [period],
            [period + 1],
            [9, 9],
            [3, 4, 5],
            [10, 7],
            [cap, 1],
            [2 * period + 1, 2],
            [1, 2, 3, 4],
            [30, 17, 5, 0],
        ),
        wrong=slips(
            code,
            wrong_formula=("total ^= heap %", "total += heap %"),
            off_by_one=(f"min({cap}, heap) + 1", f"min({cap}, heap)"),
            wrong_constant=(f"% {period}", f"% {cap}"),
        ),
    )


FAMILIES: tuple[Family, ...] = (
    Family(
        "subtraction-games",
        "games-and-logic",
        "Subtraction games",
        (),
        [
            (moves,)
            for count, most in ((2, 9), (3, 9), (4, 8))
            for moves in itertools.combinations(range(1, most + 1), count)
        ],
        _subtraction_game,
    ),
    Family(
        "capped-nim",
        "games-and-logic",
        "Nim with capped moves",
        ("subtraction-games",),
        [(cap,) for cap in range(2, 42)],
        _capped_nim,
    ),
    *_BOARDS,
    *_RULES,
)
