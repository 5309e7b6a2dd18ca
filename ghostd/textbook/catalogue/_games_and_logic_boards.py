"""Leapers and lines on boards; imported by the games and logic domain only."""

import itertools

from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family


def _leaper(name: str, short: int, far: int, size: int) -> Entry:
    code = source(
        """
        from collections import deque

        def leaps(row: int, column: int, goal_row: int, goal_column: int) -> int:
            squares = {(r, c) for r in range(SIZE) for c in range(SIZE)}
            if not {(row, column), (goal_row, goal_column)} <= squares:
                return -1
            distance = {(row, column): 0}
            queue = deque(distance)
            while queue:
                r, c = queue.popleft()
                for down, right in ((SHORT, FAR), (FAR, SHORT)):
                    for down_sign, right_sign in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                        after = (r + down * down_sign, c + right * right_sign)
                        if after in squares and after not in distance:
                            distance[after] = distance[r, c] + 1
                            queue.append(after)
            return distance.get((goal_row, goal_column), -1)
        """,
        SIZE=size,
        SHORT=short,
        FAR=far,
    )
    alternative = source(
        """
        def leaps(row: int, column: int, goal_row: int, goal_column: int) -> int:
            start, goal = (row, column), (goal_row, goal_column)
            board = {divmod(number, SIZE) for number in range(SIZE * SIZE)}
            if start not in board or goal not in board:
                return -1
            layer, left, moves = {start}, board - {start}, 0
            while layer and goal not in layer:
                layer = {one for one in left if any(sorted((abs(one[0] - r), abs(one[1] - c))) == [SHORT, FAR] for r, c in layer)}
                left -= layer
                moves += 1
            return moves if layer else -1
        """,
        SIZE=size,
        SHORT=short,
        FAR=far,
    )
    last = size - 1
    parity = short + far
    colour = (
        "It keeps the colour of its square, so the neighbouring square is out of reach.",
        "leaps(0, 0, 0, 1) == -1",
    )
    if parity % 2:
        colour = (
            "It changes the colour of its square with each leap, so a diagonal neighbour takes no odd number of leaps.",
            "leaps(0, 0, 1, 1) % 2 == 0 or leaps(0, 0, 1, 1) == -1",
        )
    return Entry(
        title=f"Leaps of the {name} on a {size} by {size} board",
        statement=f"The {name} of fairy chess leaps {short} squares along one axis and {far} along the other, in any of the directions. On an empty board of {size} by {size} squares, rows and columns counted from 0, "
        "return the smallest number of leaps from (row, column) to (goal_row, goal_column); -1 when the goal cannot be reached or a square is off the board.",
        signature=signature(code),
        explanations=(
            f"Squares are vertices and leaps of ({short}, {far}) are edges, so the question is a shortest path without weights. Breadth-first search visits the squares in the order of their distance, and the first visit is the shortest.",
            f"Start with the given square at distance 0. Every square that a {name} reaches from distance d and that was not met before has distance d + 1; the search ends when no new square on the {size} by {size} board appears.",
            f"The border of the board matters: near it some of the leaps ({short}, {far}) are missing and detours become necessary. Also some squares may never be reached, be it because a leap always keeps the colour or because the board with {size} rows is too small.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("No leap is needed to stay.", "leaps(2, 1, 2, 1) == 0"),
            (f"One leap goes from the corner to ({short}, {far}).", f"leaps(0, 0, {short}, {far}) == 1"),
            colour,
        ),
        false_claims=(
            (
                "A square off the board can be reached.",
                f"leaps({last - short}, {last - far}, {last}, {last}) == 1 and leaps({last}, {last}, {last + short}, {last + far}) == 1",
            ),
        ),
        exercises=(
            ("How many leaps lead from corner to opposite corner?", f"0, 0, {last}, {last}"),
            ("How many leaps lead from the corner to the square beside it?", "0, 0, 0, 1"),
            ("How many leaps lead from (1, 2) to (3, 3)?", "1, 2, 3, 3"),
        ),
        exam=calls(
            (2, 1, 2, 1),
            (0, 0, short, far),
            (0, 0, far, short),
            (far, far, far - short, 0),
            (0, far, short, 0),
            (last, last, last - short, last - far),
            (0, 0, last, last),
            (0, 0, last, last - 1),
            (0, 0, 0, 2),
            (0, 0, 1, 1),
        )
        + calls(
            (last, 0, last - 2, last),
            (-1, 0, 2, 2),
            (0, 0, size, 1),
            (1, 1, 1, size),
            (last, last, 0, 1),
            (0, last, last, 0),
        ),
        wrong=slips(
            code,
            wrong_formula=(f"(({short}, {far}), ({far}, {short}))", f"(({short}, {far}),)")
            if short != far
            else ("(1, -1), (-1, 1), ", ""),
            off_by_one=("distance[r, c] + 1", "distance[r, c] + 2"),
            wrong_constant=(f"range({size})", f"range({size - 1})"),
        ),
    )


def _full_board(rows: int, columns: int) -> list[list[int]]:
    """A game that fills the board without three in a row: X and O alternate and each has its half."""
    upright = columns % 4 == 2 and rows % 2 == 1
    cells: tuple[list[list[int]], list[list[int]]] = ([], [])
    for row, column in itertools.product(range(rows), range(columns)):
        cells[(row // 2 + column if upright else column // 2 + row) % 2].append([row, column])
    ordered = sorted(cells, key=len, reverse=True)
    return [cell for pair in itertools.zip_longest(*ordered) for cell in pair if cell is not None]


def _games_with_lines(rows: int, columns: int, line: int) -> list[list[list[int]]]:
    """Games in which one player makes a line: X first, O first, X by closing a gap, in the last column, diagonally."""
    wide = columns >= line

    def beside(place: int, lane: int) -> list[int]:
        return [lane, place] if wide else [place, lane]

    def interleaved(ours: list[list[int]], theirs: list[list[int]]) -> list[list[int]]:
        return [cell for turn in zip(ours, theirs, strict=True) for cell in turn][:-1]

    order = (*range(line - 2), line - 1, line - 2)
    ours, theirs = [beside(place, 0) for place in range(line)], [beside(place, 1) for place in range(line)]
    games = [
        interleaved(ours, theirs),
        [[rows - 1, columns - 1], *interleaved(ours, [*theirs[1:], theirs[0]])],
        interleaved([ours[place] for place in order], [theirs[place] for place in order]),
        [[rows - 1, 0], [rows - 1, 1], [rows - 2, 2]],
    ]
    if rows >= line:
        last = [[place, columns - 1] for place in range(line)]
        games[3] = interleaved(last, [[place, columns - 2] for place in range(line)])
    if rows >= line and columns > line:
        falling, rising = (
            [[place, place + 1] for place in range(line)],
            [[place, line - place] for place in range(line)],
        )
        games += [interleaved(cells, [[place, 0] for place in range(line)]) for cells in (falling, rising)]
    return games


def _in_a_row(rows: int, columns: int, line: int) -> Entry:
    code = source(
        """
        def result(moves: list[list[int]]) -> list[str | int]:
            owner = {}
            for number, (row, column) in enumerate(moves, 1):
                if not (0 <= row < ROWS and 0 <= column < COLUMNS) or (row, column) in owner:
                    return ["illegal", number]
                player = "OX"[number % 2]
                owner[row, column] = player
                for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
                    run = 1
                    for sign in (1, -1):
                        step = sign
                        while owner.get((row + step * down, column + step * right)) == player:
                            run += 1
                            step += sign
                    if run >= LINE:
                        return [player, number]
            return ["draw" if len(owner) == ROWS * COLUMNS else "open", len(moves)]
        """,
        ROWS=rows,
        COLUMNS=columns,
        LINE=line,
    )
    alternative = source(
        """
        from itertools import product

        def result(moves: list[list[int]]) -> list[str | int]:
            board = {cell: "." for cell in product(range(ROWS), range(COLUMNS))}
            for index, move in enumerate(moves):
                cell, player = tuple(move), "XO"[index % 2]
                if board.get(cell) != ".":
                    return ["illegal", index + 1]
                board[cell] = player
                for (r, c), (dr, dc) in product(board, ((0, 1), (1, 0), (1, 1), (-1, 1))):
                    if all(board.get((r + k * dr, c + k * dc)) == player for k in range(LINE)):
                        return [player, index + 1]
            return ["open" if "." in board.values() else "draw", len(moves)]
        """,
        ROWS=rows,
        COLUMNS=columns,
        LINE=line,
    )
    straight, late, gap, columnwise, *diagonals = _games_with_lines(rows, columns, line)
    full = _full_board(rows, columns)
    walks = [[[0, k] for k in range(12)], [[k, 0] for k in range(12)]]  # X and O in turn, over the edge of the board
    return Entry(
        title=f"Result of {line} in a row on {rows} by {columns}",
        statement=f'X and O alternate, X first, in claiming squares [row, column] (counted from 0) of a board with {rows} rows and {columns} columns; {line} in a row, column or diagonal win. Replay `moves` and return ["X", n] or ["O", n] '
        'if that player wins with move number n (from 1; later moves are ignored), ["illegal", n] if move n is off the board or on a claimed square, otherwise ["draw", number of moves] on a full board and ["open", number of moves] before.',
        signature=signature(code),
        explanations=(
            f"Only the last move can complete a line, so it is enough to look along the four directions through its square. Count the player's squares on both sides and the new one; {line} or more win, also when the move closes a gap.",
            f"The order of the tests matters: first whether the move is allowed on {rows} by {columns} squares, then whether it wins, and a draw is declared only if the board is full without a winner. A win with the last free square is a win.",
            f"A line is a stretch of {line} equal marks in one of four directions; the opposite directions are the same line, which is why both signs of a step are followed. Odd move numbers belong to X, even ones to O.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("No moves leave the game open.", "result([]) == ['open', 0]"),
            ("A square can be claimed only once.", "result([[0, 0], [0, 0]]) == ['illegal', 2]"),
            (f"The full board without {line} in a row is a draw.", f"result({full!r}) == ['draw', {rows * columns}]"),
        ),
        false_claims=(
            (f"Rows are counted from 1, so that row {rows} is on the board.", f"result([[{rows}, 0]]) == ['open', 1]"),
        ),
        exercises=(
            (f"What is the result when X completes {line} in a row?", repr(straight)),
            ("What is the result after two moves?", "[[0, 0], [1, 1]]"),
            ("What is the result when the board is full?", repr(full)),
        ),
        exam=calls(
            [],
            *walks,
            [[0, 0], [0, 0]],
            straight,
            straight[:-1],
            late,
            gap,
            columnwise,
            full,
            full[:-1],
            [[rows, 0]],
            [[0, columns]],
            [[-1, 0]],
            [[0, -1]],
            [[rows - 1, columns - 1], [0, 0]],
            *diagonals,
        ),
        wrong=slips(
            code,
            wrong_formula=("((0, 1), (1, 0), (1, 1), (1, -1))", "((1, 1), (1, -1))"),
            off_by_one=(f"column < {columns})", f"column <= {columns})"),
            wrong_constant=(f"run >= {line}", f"run >= {line - 1}"),
        ),
    )


_LEAPERS = (
    ("wazir", 0, 1),
    ("ferz", 1, 1),
    ("dabbaba", 0, 2),
    ("knight", 1, 2),
    ("alfil", 2, 2),
    ("threeleaper", 0, 3),
    ("camel", 1, 3),
    ("zebra", 2, 3),
    ("tripper", 3, 3),
    ("fourleaper", 0, 4),
    ("giraffe", 1, 4),
    ("stag", 2, 4),
    ("antelope", 3, 4),
)  # the field's names of the leapers


FAMILIES: tuple[Family, ...] = (
    Family(
        "leaper-distances",
        "games-and-logic",
        "Leapers on a board",
        (),
        [(*leaper, size) for size in range(6, 21) for leaper in _LEAPERS],
        _leaper,
    ),
    Family(
        "lines-in-a-row",
        "games-and-logic",
        "Games of lines in a row",
        (),
        [
            (rows, columns, line)
            for rows in range(3, 11)
            for columns in range(3, 11)
            for line in (3, 4, 5)
            if line <= max(rows, columns)
        ],
        _in_a_row,
    ),
)
