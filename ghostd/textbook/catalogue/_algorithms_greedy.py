"""Algorithms: greedy schedules, caches, shortest moves and binary search on the answer."""

from math import gcd

from ghostd.textbook.catalogue._writing import fill, spoiled
from ghostd.textbook.catalogue.family import Entry, Family

_SLUG = "algorithms"


def _intervals(gap: int) -> Entry:
    code = fill(
        """
        def most_meetings(meetings: list[tuple[int, int]]) -> int:
            count = 0
            free = None
            for start, end in sorted(meetings, key=lambda meeting: meeting[1]):
                if free is None or start >= free:
                    count += 1
                    free = end + <gap>
            return count
        """,
        gap=gap,
    )
    alternative = fill(
        """
        def most_meetings(meetings: list[tuple[int, int]]) -> int:
            ordered = sorted(meetings, key=lambda meeting: meeting[1])
            best = []
            for i, (start, _) in enumerate(ordered):
                earlier = [best[j] for j in range(i) if ordered[j][1] + <gap> <= start]
                best.append(1 + max(earlier, default=0))
            return max(best, default=0)
        """,
        gap=gap,
    )
    g = gap
    rows: tuple[list[tuple[int, int]], ...] = (
        [], [(1, 2)], [(0, 2), (2 + g, 5 + g)], [(0, 2), (1 + g, 5 + g)], [(0, 3), (1, 2), (2 + g, 4 + g)], [(0, 20 + 3 * g), (1, 3), (4 + g, 6 + g), (7 + 2 * g, 9 + 2 * g)],
        [(5, 9), (5, 9)], [(i * 2, i * 2 + 2 + g) for i in range(8)], [(i * (g + 2), i * (g + 2) + 2) for i in range(6)], [(i * (g + 2), i * (g + 2) + 3) for i in range(6)],
        [(4, 7), (0, 5), (6 + g, 8 + g), (3, 3 + g + 1), (9 + 2 * g, 12 + 2 * g)], [(-5, -3), (-3 + g, 0 + g), (-4, 1)], [(0, 1), (1 + 2 * g, 3 + 2 * g), (1 + g, 2 + g)],
    )  # fmt: skip
    return Entry(
        title=f"Most meetings with a break of {gap}",
        statement=f"most_meetings(meetings) returns the largest number of meetings (start, end), with integers start < end, that one person can attend "
        f"when between the end of one and the start of the next at least {gap} minutes must pass. No meetings give 0.",
        signature="def most_meetings(meetings: list[tuple[int, int]]) -> int",
        explanations=(
            (f"Take meetings in the order of their ends and accept each that starts no earlier than {gap} minutes after the last accepted end. The meeting which ends first leaves "
            f"the most time for the others, so accepting it can never hurt."),
            (f"Greedy by earliest finish solves interval scheduling. An exchange argument shows why: replace the first meeting of any optimal plan by the one that ends first and the "
            f"plan stays valid. The break of {gap} minutes merely lengthens every meeting."),
            (f"Sorting by start, or by length, can fail; sorting by end cannot. One variable remembers when the person is free again, namely {gap} minutes after the last end, "
            f"and a single pass counts the accepted meetings."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"A break of exactly {gap} is long enough.", f"most_meetings([(0, 5), ({5 + gap}, {9 + gap})]) == 2"),
            ("One minute less is too short.", f"most_meetings([(0, 5), ({4 + gap}, {9 + gap})]) == 1"),
            ("Two identical meetings cannot both be attended.", "most_meetings([(1, 4), (1, 4)]) == 1"),
        ),
        false_claims=(("Starting with the earliest start is optimal, so a long first meeting blocks the rest.", f"most_meetings([(0, {50 + 4 * gap}), (1, 2), ({3 + gap}, {4 + gap})]) == 1"),),
        exercises=tuple((f"How many of the meetings {row} can be attended with breaks of {gap}?", str(row)) for row in (rows[4], rows[8], rows[10])),
        exam=tuple(map(str, rows)),
        wrong=spoiled(
            code,
            wrong_formula=("key=lambda meeting: meeting[1]", "key=lambda meeting: meeting[0]"),
            off_by_one=("start >= free", "start > free"),
            wrong_constant=(f"end + {gap}", f"end + {gap + 1}"),
        ),
    )  # fmt: skip


def _cache(policy: str, size: int) -> Entry:
    code = _cache_code(policy, size)
    alternative = _cache_alternative(policy, size)
    loop = list(range(size + 1)) * 2
    rows: tuple[list[int], ...] = (
        [], [1], [1, 1], [*range(size), *range(size)], loop, [*range(size), 0, size, 0, 1, 2], [*range(size), 0, size, 1, 0, size + 1, 0, 1, 2, size],
        [i * i % (size + 3) for i in range(3 * size + 9)], [i * 5 % (size + 2) for i in range(3 * size)], [1, 2, 1, 3, 1, 4, 1, 5, 2, 3, *range(size + 1), 1],
        [*range(size - 1), 0, size, size + 1, 0, 1, *range(size)], [0, *range(size, 0, -1), 0, size + 1, size, 1, size + 1],
    )  # fmt: skip
    what = (
        "the page that has not been used for the longest time"
        if policy == "LRU"
        else "the page that came in first, however often it was used since"
    )
    return Entry(
        title=f"Hits of a {policy} cache of {size} pages",
        statement=f"cache_hits(requests) returns how many requests are for a page that is in the cache at that moment. The cache holds at most {size} pages and "
        f"is empty at first; a page that is missing is loaded, and when the cache is full {what} is evicted ({policy}).",
        signature="def cache_hits(requests: list[int]) -> int",
        explanations=(
            f"Keep the pages in a list whose front is the next to go. On a miss with {size} pages present the front is dropped; the new page is put at the back. "
            + ("On a hit the page moves to the back, because it was just used." if policy == "LRU" else "A hit changes nothing, since only the time of loading counts."),
            f"The {policy} policy evicts {what}. The order of the list stores exactly that information for up to {size} pages, so no clock is needed.",
            f"Hits are requests that find their page loaded. With room for {size} pages, "
            + ("recency decides who stays: programs tend to come back to what they used lately." if policy == "LRU" else "age decides who leaves. First in, first out is cheap but can suffer from Belady's anomaly.")
            + " Misses load and, if necessary, evict.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"Going twice through {size} pages gives {size} hits.", f"cache_hits(list(range({size})) * 2) == {size}"),
            (f"Going round {size + 1} pages never hits: each is evicted just before it is needed.", f"cache_hits(list(range({size + 1})) * 3) == 0"),
            ("The first request always misses.", "cache_hits([7]) == 0"),
        ),
        false_claims=((f"With {size} of {size + 1} pages loaded, a loop over all of them mostly hits.", f"cache_hits(list(range({size + 1})) * 4) > {size}"),),
        exercises=tuple((f"How many hits has a {policy} cache of {size} on {row}?", str(row)) for row in (rows[5], rows[9], rows[8])),
        exam=tuple(dict.fromkeys(map(str, rows))),
        wrong=spoiled(
            code,
            wrong_formula=("cache.pop(0)", "cache.pop()"),
            off_by_one=(f"len(cache) == {size}", f"len(cache) == {size + 1}"),
            wrong_constant=("hits += 1", "hits += 2"),
        ),
    )  # fmt: skip


def _cache_code(policy: str, size: int) -> str:
    found = "hits += 1\n            cache.append(cache.pop(cache.index(page)))" if policy == "LRU" else "hits += 1"
    return fill(
        """
        def cache_hits(requests: list[int]) -> int:
            cache = []
            hits = 0
            for page in requests:
                if page in cache:
                    <found>
                    continue
                if len(cache) == <size>:
                    cache.pop(0)
                cache.append(page)
            return hits
        """,
        found=found,
        size=size,
    )


def _cache_alternative(policy: str, size: int) -> str:
    return fill(
        """
        def cache_hits(requests: list[int]) -> int:
            stamps, hits = {}, 0
            for now, page in enumerate(requests):
                if page in stamps:
                    hits += 1
                    if <refreshed>:
                        stamps[page] = now
                    continue
                if len(stamps) == <size>:
                    del stamps[min(stamps, key=stamps.get)]
                stamps[page] = now
            return hits
        """,
        refreshed=policy == "LRU",
        size=size,
    )


def _leaper(a: int, b: int, size: int) -> Entry:
    code = fill(
        """
        def fewest_moves(x: int, y: int) -> int:
            jumps = [(s * p, t * q) for p, q in ((<a>, <b>), (<b>, <a>)) for s in (1, -1) for t in (1, -1)]
            moves = {(0, 0): 0}
            queue = [(0, 0)]
            for i, j in queue:
                for p, q in jumps:
                    square = (i + p, j + q)
                    if 0 <= i + p < <size> and 0 <= j + q < <size> and square not in moves:
                        moves[square] = moves[i, j] + 1
                        queue.append(square)
            return moves.get((x, y), -1)
        """,
        a=a,
        b=b,
        size=size,
    )
    alternative = fill(
        """
        def fewest_moves(x: int, y: int) -> int:
            reached, frontier, count = set(), {(0, 0)}, 0
            board = [(i, j) for i in range(<size>) for j in range(<size>)]
            while frontier:
                if (x, y) in frontier:
                    return count
                reached |= frontier
                near = {(i, j) for i, j in board for p, q in frontier if {abs(i - p), abs(j - q)} == {<a>, <b>}}
                frontier, count = near - reached, count + 1
            return -1
        """,
        a=a,
        b=b,
        size=size,
    )
    last = size - 1
    squares = dict.fromkeys(
        (
            (0, 0),
            (a, b),
            (b, a),
            (1, 0),
            (0, 1),
            (1, 1),
            (2, 2),
            (last, last),
            (last, 0),
            (0, last),
            (last, 1),
            (3, 2),
            (2, 4),
            (last - 1, last),
            (size, size),
            (-1, 0),
            (a + b, a + b),
            (2 * b, 0),
        )
    )
    return Entry(
        title=f"Moves of a ({a}, {b})-leaper on a board of {size}",
        statement=f"fewest_moves(x, y) returns the least number of moves that take a piece from (0, 0) to (x, y) on a board with coordinates 0 to {last}, where a move "
        f"changes one coordinate by {a} and the other by {b}, in any directions, without leaving the board. It is -1 when (x, y) cannot be reached or is off the board.",
        signature="def fewest_moves(x: int, y: int) -> int",
        explanations=(
            (f"Breadth-first search visits the squares in the order of their distance. The first time a ({a}, {b}) jump lands on a square, its number of moves is final, since all "
            f"squares that are nearer have been expanded before."),
            (f"The board of {size} by {size} is a graph: squares are nodes, and jumps of {a} and {b} are edges of length one. On such a graph a queue finds shortest paths. "
            f"Squares which never enter the queue are unreachable and give -1."),
            (f"From every square there are up to eight jumps, {a} one way and {b} the other. Spreading a wave from the corner, one move at a time, marks each square with the move on which it "
            f"is first touched; edges of the board cut the wave off."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("Staying costs nothing.", "fewest_moves(0, 0) == 0"),
            (f"({a}, {b}) is one jump away.", f"fewest_moves({a}, {b}) == 1"),
            ("The board is symmetric in x and y.", f"all(fewest_moves(x, {last}) == fewest_moves({last}, x) for x in range(4))"),
        ),
        false_claims=(("A square off the board can be reached by jumping over its edge.", f"fewest_moves({size}, {size}) >= 0"),),
        exercises=tuple((f"How many moves does a ({a}, {b})-leaper need from (0, 0) to {square} on a board of {size}?", f"{square[0]}, {square[1]}") for square in ((1, 1), (last, last), (2, 2))),
        exam=tuple(f"{x}, {y}" for x, y in squares),
        wrong=spoiled(
            code,
            wrong_formula=(f"(({a}, {b}), ({b}, {a}))", f"(({a}, {b}), ({a}, {b}))"),
            off_by_one=("moves = {(0, 0): 0}", "moves = {(0, 0): 1}"),
            wrong_constant=("moves[i, j] + 1", "moves[i, j] + 2"),
        ),
    )  # fmt: skip


def _shipping(days: int) -> Entry:
    code = fill(
        """
        def least_capacity(loads: list[int]) -> int:
            low, high = max(loads), sum(loads)
            while low < high:
                capacity = (low + high) // 2
                needed, room = 1, capacity
                for load in loads:
                    if load > room:
                        needed, room = needed + 1, capacity
                    room -= load
                if needed <= <days>:
                    high = capacity
                else:
                    low = capacity + 1
            return low
        """,
        days=days,
    )
    alternative = fill(
        """
        from itertools import accumulate

        def least_capacity(loads: list[int]) -> int:
            before = [0, *accumulate(loads)]
            best = before[:]
            for _ in range(<more>):
                best = [min(max(best[j], before[i] - before[j]) for j in range(i + 1)) for i in range(len(before))]
            return best[-1]
        """,
        more=days - 1,
    )
    d = days
    rows = (
        [7],
        [3, 8, 2],
        [1] * d,
        [1] * (d + 1),
        [2] * (2 * d),
        [2] * (2 * d + 1),
        list(range(1, d + 4)),
        list(range(d + 5, 0, -1)),
        [(i * i * 7) % 13 + 1 for i in range(2 * d + 3)],
        [9, 1] * d,
        [1, 9, 9] * d,
        [(i * 5) % 11 + 2 for i in range(3 * d + 1)],
    )
    return Entry(
        title=f"Least capacity for {d} days of shipping",
        statement=f"least_capacity(loads) returns the smallest capacity of a ship that can carry a non-empty list of positive integer loads, in their order, within {d} days, where the "
        f"loads of one day together must not exceed the capacity.",
        signature="def least_capacity(loads: list[int]) -> int",
        explanations=(
            (f"If a capacity is enough then so is every larger one, hence the least can be found by bisection. Whether a capacity suffices is checked greedily: load until the next does not fit, "
            f"then begin another day, and compare the number of days with {d}."),
            f"Binary search on the answer runs between the largest single load and the sum of all. Each probe fills days one after the other. More than {d} days mean that the ship is too small.",
            (f"The task is to cut a sequence into at most {d} consecutive parts so that the heaviest part is as light as possible. Filling greedily minimises the number of parts for a given limit, "
            f"and the limit is then squeezed from both sides."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("The ship carries at least the heaviest load.", "least_capacity([1, 50, 1]) >= 50"),
            (f"{d} equal loads take one day each.", f"least_capacity([4] * {d}) == 4"),
            ("One more equal load doubles the capacity.", f"least_capacity([4] * {d + 1}) == 8"),
        ),
        false_claims=((f"The capacity is the total divided by {d}, rounded up.", f"least_capacity([3] * {d + 1}) == {-(-3 * (d + 1) // d)}"),),
        exercises=tuple((f"What capacity do the loads {row} need within {d} days?", str(row)) for row in (rows[6], rows[8], rows[9])),
        exam=tuple(dict.fromkeys(map(str, rows))),
        wrong=spoiled(
            code,
            wrong_formula=("needed + 1, capacity", "needed + 1, capacity - load"),
            off_by_one=("needed, room = 1, capacity", "needed, room = 0, capacity"),
            wrong_constant=(f"needed <= {d}", f"needed <= {d + 1}"),
        ),
    )  # fmt: skip


GREEDY: tuple[Family, ...] = (
    Family("interval-scheduling", _SLUG, "Interval scheduling", (), [(gap,) for gap in range(1, 151)], _intervals),
    Family(
        "page-caches", _SLUG, "Cache replacement", (),
        [(policy, size) for size in range(3, 33) for policy in ("LRU", "FIFO")], _cache,
    ),
    Family(
        "leapers", _SLUG, "Shortest leaper moves", (),
        [(a, b, size) for a in range(1, 5) for b in range(a + 1, 6) if gcd(a, b) == 1 for size in range(a + b + 2, 16)], _leaper,
    ),
    Family("shipping-capacity", _SLUG, "Binary search on the answer", (), [(d,) for d in range(2, 32)], _shipping),
)  # fmt: skip
