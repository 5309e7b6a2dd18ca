"""Independent answers for games and logic: full game trees, relaxation on matrices, simulation from the definitions."""

import functools
import itertools
from collections import deque


def subtraction_games(moves):
    """The game tree, searched with memory."""

    @functools.cache
    def wins(pile):
        return any(pile >= take and not wins(pile - take) for take in moves)

    return lambda pile: [take for take in range(1, pile + 1) if take in moves and not wins(pile - take)]


def capped_nim(cap):
    """The game tree over sorted heaps where it is small; Bouton's theorem on the bits of the remainders elsewhere."""

    @functools.cache
    def wins(heaps):
        return any(not wins(after) for after in _after_moves(heaps, cap))

    def lost(heaps):
        size = 1
        for heap in heaps:
            size *= heap + 1
        if size <= 400:
            return not wins(tuple(sorted(heaps)))
        bits = [[(heap % (cap + 1)) >> place & 1 for heap in heaps] for place in range(8)]
        return all(sum(column) % 2 == 0 for column in bits)

    def answer(heaps):
        found = []
        for index, heap in enumerate(heaps):
            left = {take: [*heaps[:index], heap - take, *heaps[index + 1 :]] for take in range(1, min(cap, heap) + 1)}
            found += [[index, take] for take, after in left.items() if lost(after)]
        return found

    return answer


def _after_moves(heaps, cap):
    for index, heap in enumerate(heaps):
        for take in range(1, min(cap, heap) + 1):
            yield tuple(sorted((*heaps[:index], heap - take, *heaps[index + 1 :])))


def leaper_distances(_name, short, far, size):
    """Bellman-Ford relaxation: every square takes the best of its neighbours until nothing changes."""

    def answer(row, column, goal_row, goal_column):
        if not all(0 <= one < size for one in (row, column, goal_row, goal_column)):
            return -1
        endless = size * size + 1
        best = [[endless] * size for _ in range(size)]
        best[row][column] = 0
        steps = {(p * a, q * b) for a, b in ((short, far), (far, short)) for p in (1, -1) for q in (1, -1)}
        changed = True
        while changed:
            changed = False
            for r, c, (down, right) in itertools.product(range(size), range(size), steps):
                from_row, from_column = r - down, c - right
                inside = 0 <= from_row < size and 0 <= from_column < size
                if inside and best[from_row][from_column] + 1 < best[r][c]:
                    best[r][c] = best[from_row][from_column] + 1
                    changed = True
        found = best[goal_row][goal_column]
        return -1 if found == endless else found

    return answer


def lines_in_a_row(rows, columns, line):
    """After each move the whole board is written out as text in all directions and searched for the line."""

    def has_line(grid, mark):
        width = columns + 1  # one separator per row, so that lines do not wrap around
        text = "".join("".join(row) + "|" for row in grid)
        strides = (text[start::stride] for stride in (1, width, width + 1, width - 1) for start in range(len(text)))
        return any(part.startswith(mark * line) for part in strides)

    def answer(moves):
        grid = [["."] * columns for _ in range(rows)]
        marks = itertools.cycle("XO")
        for count, (row, column) in enumerate(moves):
            if row not in range(rows) or column not in range(columns) or grid[row][column] != ".":
                return ["illegal", count + 1]
            mark = next(marks)
            grid[row][column] = mark
            if has_line(grid, mark):
                return [mark, count + 1]
        free = any("." in row for row in grid)
        return ["open" if free else "draw", len(moves)]

    return answer


def elementary_cellular_automata(rule):
    """The rule as the set of neighbourhoods that give 1, written as text."""
    living = {f"{number:03b}" for number, bit in enumerate(reversed(f"{rule:08b}")) if bit == "1"}

    def answer(cells, steps):
        text = "".join(map(str, cells))
        for _ in range(steps):
            padded = text[-1:] + text + text[:1]
            text = "".join("1" if padded[i : i + 3] in living else "0" for i in range(len(text)))
        return [int(cell) for cell in text]

    return answer


def life_like_automata(births, survivals):
    """Neighbours are cells at Chebyshev distance one; every cell of a wide frame is asked."""

    def answer(cells):
        alive = [tuple(cell) for cell in cells]
        if not alive:
            return []
        reach = [range(min(axis) - 2, max(axis) + 3) for axis in zip(*alive, strict=True)]
        after = []
        for r, c in itertools.product(*reach):
            near = sum(max(abs(r - a), abs(c - b)) == 1 for a, b in alive)
            if (near in survivals) if (r, c) in alive else (near in births):
                after.append([r, c])
        return after

    return answer


def josephus_circles(step, survivors):
    """A queue: who is counted over goes to the end."""

    def answer(people):
        queue = deque(range(1, people + 1))
        while len(queue) > survivors:
            for _ in range(step - 1):
                queue.append(queue.popleft())
            queue.popleft()
        return sorted(queue)

    return answer


def weighted_votes(weights, quota):
    """The coalition's votes as a row of single ballots; critical members by voting again without them."""

    def passes(members):
        return len([ballot for member in members for ballot in range(weights[member])]) >= quota

    def answer(members):
        votes = sum(weight for player, weight in enumerate(weights) if player in members)
        without = {member: [other for other in members if other != member] for member in members}
        critical = sorted(member for member, rest in without.items() if passes(members) and not passes(rest))
        return [votes, passes(members), critical]

    return answer


ORACLES = {
    "subtraction-games": subtraction_games,
    "capped-nim": capped_nim,
    "leaper-distances": leaper_distances,
    "lines-in-a-row": lines_in_a_row,
    "elementary-cellular-automata": elementary_cellular_automata,
    "life-like-automata": life_like_automata,
    "josephus-circles": josephus_circles,
    "weighted-votes": weighted_votes,
}
