"""The part of combinatorics about paths: lattice paths with a jump and walks between two walls."""

from math import comb

from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family


def _lattice_paths(across: int, upward: int) -> Entry:
    code = source(
        """
        from math import factorial

        def lattice_paths(x: int, y: int) -> int:
            total = 0
            for jumps in range(min(x // ACROSS, y // UPWARD) + 1):
                right, up = x - ACROSS * jumps, y - UPWARD * jumps
                total += factorial(right + up + jumps) // (factorial(right) * factorial(up) * factorial(jumps))
            return total
        """,
        ACROSS=across,
        UPWARD=upward,
    )
    alternative = source(
        """
        def lattice_paths(x: int, y: int) -> int:
            paths = {(0, 0): 1}
            for column in range(x + 1):
                for row in range(y + 1):
                    before = [(column - 1, row), (column, row - 1), (column - ACROSS, row - UPWARD)]
                    paths[column, row] = sum(paths.get(place, 0) for place in before) or 1
            return paths[x, y]
        """,
        ACROSS=across,
        UPWARD=upward,
    )
    plain = comb(across + upward, upward)
    return Entry(
        title=f"Lattice paths with the jump {across} right and {upward} up",
        statement=f"Return the number of paths from (0, 0) to (x, y), for integers x, y >= 0, whose steps are (1, 0), (0, 1) and the jump ({across}, {upward}). "
        "Paths are different when their sequences of steps are; the empty path is the single path to (0, 0).",
        signature=signature(code),
        explanations=(
            f"Suppose that the jump ({across}, {upward}) is used j times. Then x - {across}j steps go right and y - {upward}j go up, and the steps can be arranged in a multinomial number of ways. "
            "Adding over every j that leaves both numbers non-negative gives the total.",
            f"The last step of a path came from the left, from below, or from the point {across} to the left and {upward} below. Therefore the counts satisfy "
            f"L(x, y) = L(x-1, y) + L(x, y-1) + L(x-{across}, y-{upward}), which fills a table from the corner.",
            f"Delannoy numbers use the jump (1, 1); here it is ({across}, {upward}). As long as x < {across} or y < {upward} the jump cannot be used and the count is the "
            "ordinary binomial coefficient C(x + y, x); beyond that, each further jump adds a multinomial term.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                "Along the axes there is a single path.",
                "[lattice_paths(9, 0), lattice_paths(0, 9), lattice_paths(0, 0)] == [1, 1, 1]",
            ),
            (
                f"At ({across}, {upward}) the jump adds one path to the {plain} ordinary ones.",
                f"lattice_paths({across}, {upward}) == {plain + 1}",
            ),
            (
                f"One column earlier the jump is useless: ({across - 1}, {upward}) has only ordinary paths.",
                f"lattice_paths({across - 1}, {upward}) == {comb(across - 1 + upward, upward)}",
            ),
        ),
        false_claims=(
            (
                f"The jump replaces {across + upward} single steps and so makes no new path.",
                f"lattice_paths({across}, {upward}) == {plain}",
            ),
        ),
        exercises=(
            (f"How many paths lead to ({across + 1}, {upward})?", f"{across + 1}, {upward}"),
            ("How many paths lead to (5, 5)?", "5, 5"),
            (f"How many paths lead to ({2 * across}, {2 * upward})?", f"{2 * across}, {2 * upward}"),
        ),
        exam=calls(
            (0, 0),
            (4, 0),
            (0, 3),
            (2, 3),
            (across, upward),
            (across - 1, upward),
            (across, upward - 1),
            (upward, across),
            (across + 2, upward + 1),
            (2 * across, 2 * upward),
            (2 * across + 1, 2 * upward + 3),
            (3 * across, 3 * upward + 1),
        ),
        wrong=slips(
            code,
            wrong_formula=(" * factorial(jumps))", ")"),
            off_by_one=("+ 1):", "):"),
            wrong_constant=(f"x - {across} * jumps", f"x - {across - 1} * jumps"),
        ),
    )


def _strip_walks(height: int, start: int) -> Entry:
    code = source(
        """
        def strip_walks(n: int) -> int:
            counts = [0] * WIDTH
            counts[START] = 1
            for _ in range(n):
                padded = [0, *counts, 0]
                counts = [padded[i] + padded[i + 2] for i in range(len(counts))]
            return sum(counts)
        """,
        WIDTH=height + 1,
        START=start,
    )
    alternative = source(
        """
        from math import comb

        def strip_walks(n: int) -> int:
            def free(rise: int) -> int:
                return comb(n, (n + rise) // 2) if (n + rise) % 2 == 0 and abs(rise) <= n else 0

            period = 2 * (HEIGHT + 2)
            images = range(-(n // period) - 2, n // period + 3)
            return sum(
                free(end - START + period * k) - free(end + START + 2 + period * k)
                for end in range(HEIGHT + 1)
                for k in images
            )
        """,
        HEIGHT=height,
        START=start,
    )
    first = (start > 0) + (start < height)
    return Entry(
        title=f"Walks between 0 and {height} from {start}",
        statement=f"A walk starts at the integer {start} and at each step moves up or down by 1, never leaving the range 0 to {height}, both included. "
        "Return the number of walks with exactly n steps, wherever they end, for an integer n >= 0.",
        signature=signature(code),
        explanations=(
            f"Keep the number of walks that end at each of the {height + 1} heights. One more step moves each count to both neighbours, and what would go below 0 or above {height} is lost, "
            "so padding the list with zeros on both sides does all the bookkeeping.",
            f"By the reflection principle one counts free walks and subtracts those that touch -1 or {height + 1}. Reflecting at both walls again and again gives images of the start at distance {2 * (height + 2)}, "
            "taken with alternating signs, and finitely many of them matter.",
            f"The walk lives on a path graph with {height + 1} vertices, and the answer adds up row {start} of the n-th power of its adjacency matrix. In the long run it grows like "
            f"(2·cos(π/{height + 2}))ⁿ, slower than 2ⁿ because the walls keep taking walks away.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("Standing still is one walk.", "strip_walks(0) == 1"),
            (f"The first step has {first} {'choice' if first == 1 else 'choices'}.", f"strip_walks(1) == {first}"),
            (
                f"Until a wall can be hit, after {min(start, height - start)} steps, the number doubles.",
                f"all(strip_walks(n) == 2 ** n for n in range({min(start, height - start) + 1}))",
            ),
        ),
        false_claims=(
            (
                f"The walls never matter: there are 2^n walks, even for n = {height + 1}.",
                f"strip_walks({height + 1}) == {2 ** (height + 1)}",
            ),
        ),
        exercises=(
            ("How many walks of 5 steps are there?", "5"),
            ("How many walks of 10 steps are there?", "10"),
            ("How many walks of 40 steps are there?", "40"),
        ),
        exam=calls(
            0, 1, 2, 3, start + 1, start + 2, height - start + 1, height - start + 2, height + 3, 2 * height + 5, 41, 60
        ),
        wrong=slips(
            code,
            wrong_formula=("[0, *counts, 0]", "[counts[-1], *counts, counts[0]]"),
            off_by_one=(f"= [0] * {height + 1}", f"= [0] * {height}"),
            wrong_constant=("counts = [padded[i] + padded[i + 2]", "counts = [padded[i] + padded[i + 1]"),
        ),
    )


FAMILIES: tuple[Family, ...] = (
    Family(
        "lattice-paths-with-jump",
        "combinatorics",
        "Lattice paths with a jump",
        (),
        [(a, b) for a in range(2, 17) for b in range(2, 17)],
        _lattice_paths,
    ),
    Family(
        "walks-in-a-strip",
        "combinatorics",
        "Walks in a strip",
        ("lattice-paths-with-jump",),
        [(h, s) for h in range(2, 28) for s in range(h // 2 + 1) if 2 * s != h - 1],
        _strip_walks,
    ),
)
