"""Algorithms: sliding windows, pairs and the counting-off circle."""

from ghostd.textbook.catalogue._writing import fill, spoiled
from ghostd.textbook.catalogue.family import Entry, Family

_SLUG = "algorithms"


_WINDOWS = {  # kind -> (title, expression over the window, the same by other means, wrong expression)
    "max": ("Maximum", "max(window)", "sorted(numbers[i:i + {k}])[-1]", "window[-1]"),
    "min": ("Minimum", "min(window)", "sorted(numbers[i:i + {k}])[0]", "window[0]"),
    "sum": ("Sum", "sum(window)", "sum(numbers[:i + {k}]) - sum(numbers[:i])", "sum(set(window))"),
    "range": ("Range", "max(window) - min(window)", "sorted(numbers[i:i + {k}])[-1] - sorted(numbers[i:i + {k}])[0]", "window[-1] - window[0]"),
    "distinct": ("Distinct values", "len(set(window))", "sum(numbers.index(x, i) == j for j, x in enumerate(numbers[i:i + {k}], i))", "len(window)"),
}  # fmt: skip


def _window(kind: str, k: int) -> Entry:
    title, expression, other, mistake = _WINDOWS[kind]
    code = fill(
        """
        def window_values(numbers: list[int]) -> list[int]:
            values = []
            for start in range(len(numbers) - <k> + 1):
                window = numbers[start:start + <k>]
                values.append(<expression>)
            return values
        """,
        k=k,
        expression=expression,
    )
    alternative = fill(
        """
        def window_values(numbers: list[int]) -> list[int]:
            return [<other> for i in range(max(0, len(numbers) - <below>))]
        """,
        other=other.format(k=k),
        below=k - 1,
    )
    zigzag = [(7 * i * i + 3 * i) % 11 - 3 for i in range(2 * k + 3)]
    what = {
        "max": "the maximum",
        "min": "the minimum",
        "sum": "the sum",
        "range": "maximum minus minimum",
        "distinct": "the number of distinct values",
    }[kind]
    rows: tuple[list[int], ...] = (
        [],
        [4],
        zigzag[: k - 1],
        zigzag[:k],
        zigzag[1 : k + 2],
        zigzag,
        [5] * (k + 2),
        list(range(k + 3)),
        list(range(k + 3, 0, -1)),
        [-x for x in zigzag[: k + 4]],
        [x * x for x in zigzag[2 : 2 + 2 * k]],
        [0, 1] * k,
    )
    return Entry(
        title=f"{title} of every window of {k}",
        statement=f"window_values(numbers) returns the list of {what} of numbers[i:i+{k}] for i = 0, 1, ... while a full window of "
        f"{k} elements fits; a list of fewer than {k} integers gives an empty list.",
        signature="def window_values(numbers: list[int]) -> list[int]",
        explanations=(
            f"A list of n numbers has n - {k - 1} windows of width {k}. The window slides by one element at a time, and of each one {what} is recorded.",
            (f"Slide a frame of {k} neighbours from left to right. The first frame begins at index 0 and the last at index n - {k}; "
            f"for a shorter list the range of starts is empty. Each frame contributes {what}."),
            (f"Moving statistics smooth or summarise a signal locally: position i reports {what} of the {k} values from i on. "
            f"Getting the number of windows right, n - {k} + 1, is the part where mistakes happen."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"A list of {k + 4} numbers has 5 windows.", f"len(window_values(list(range({k + 4})))) == 5"),
            (f"Exactly {k} numbers give one value.", f"len(window_values([1] * {k})) == 1"),
            ("Too short a list gives no value.", f"window_values([1] * {k - 1}) == []"),
        ),
        false_claims=(("There are as many windows as numbers.", f"len(window_values([1] * {k + 3})) == {k + 3}"),),
        exercises=tuple((f"What is {what} of each window of {k} in {row}?", str(row)) for row in (rows[4], rows[7], rows[8])),
        exam=tuple(dict.fromkeys(map(str, rows))),
        wrong=spoiled(
            code,
            wrong_formula=(expression, mistake),
            off_by_one=(f"len(numbers) - {k} + 1", f"len(numbers) - {k}"),
            wrong_constant=(f"start + {k}]", f"start + {k + 1}]") if kind != "distinct" else (f"start + {k}]", f"start + {k - 1}]"),
        ),
    )  # fmt: skip


_PAIRS = {  # kind -> (words, condition over the later a[j] and the earlier a[i], sorted, strictly wrong condition)
    "exactly": ("differ by exactly {d}", "high - low == {d}"),
    "at most": ("differ by at most {d}", "high - low <= {d}"),
    "sum": ("add up to at most {d}", "high + low <= {d}"),
}


def _pairs(kind: str, d: int) -> Entry:
    words, condition = (text.format(d=d) for text in _PAIRS[kind])
    code = fill(
        """
        def count_pairs(numbers: list[int]) -> int:
            ordered = sorted(numbers)
            count = 0
            for i, low in enumerate(ordered):
                for high in ordered[i + 1:]:
                    if <condition>:
                        count += 1
            return count
        """,
        condition=condition,
    )
    alternative = {
        "exactly": fill(
            """
            from collections import Counter

            def count_pairs(numbers: list[int]) -> int:
                seen = Counter(numbers)
                return sum(times * seen[x + <d>] for x, times in list(seen.items()))
            """,
            d=d,
        ),
        "at most": fill(
            """
            from bisect import bisect_right

            def count_pairs(numbers: list[int]) -> int:
                ordered = sorted(numbers)
                return sum(bisect_right(ordered, x + <d>) - i - 1 for i, x in enumerate(ordered))
            """,
            d=d,
        ),
        "sum": fill(
            """
            def count_pairs(numbers: list[int]) -> int:
                ordered = sorted(numbers)
                left, right, count = 0, len(ordered) - 1, 0
                while left < right:
                    if ordered[left] + ordered[right] <= <d>:
                        count, left = count + right - left, left + 1
                    else:
                        right -= 1
                return count
            """,
            d=d,
        ),
    }[kind]
    rows: tuple[list[int], ...] = (
        [], [d], [0, d], [d, 0], [0, d + 1], [0, d - 1], [3, 3], [d, d, 0, 0], [d // 2, d - d // 2, 1, d], [-d, d, 0, 2 * d],
        [i * d // 2 for i in range(7)], [d + 4, 4, 5, d + 5, d + 6, 2], [1, 2, 3, 4, 5, d, d + 1, d + 2, d + 3], [-3, d + 3, -2, d + 1, 9],
    )  # fmt: skip
    sample = [0, d, 2 * d]
    many = {"exactly": 2, "at most": 2, "sum": 1}[kind]
    return Entry(
        title=f"Pairs that {words}",
        statement=f"count_pairs(numbers) returns how many pairs of positions i < j of a list of integers hold values that {words}"
        + ("" if kind == "sum" else " (the difference is taken as larger minus smaller)")
        + ". Equal values at different positions count separately; fewer than two numbers give 0.",
        signature="def count_pairs(numbers: list[int]) -> int",
        explanations=(
            f"After sorting, the earlier element of a pair is the smaller one, so no absolute value is needed. Every pair is looked at once and counted when the two numbers {words}.",
            (f"Which positions the numbers had is irrelevant to the question whether they {words}; sorting loses nothing. "
            f"The double loop starts the inner index just after the outer one, so that no element is paired with itself and no pair is taken twice."),
            (f"There are n(n-1)/2 unordered pairs in a list of n. Among them we count those that {words}. A sorted copy would even allow two pointers or "
            f"bisection in place of the inner loop, since the condition then holds on a contiguous stretch."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"The list {sample} has {many} such pairs.", f"count_pairs({sample}) == {many}"),
            ("The order of the list does not matter.", f"count_pairs([{d}, 1, {d + 1}, 0]) == count_pairs([0, 1, {d}, {d + 1}])"),
            ("One number makes no pair.", "count_pairs([5]) == 0"),
        ),
        false_claims=(("Every pair qualifies.", f"count_pairs([0, {3 * d}, {7 * d}]) == 3"),),
        exercises=tuple((f"How many pairs in {row} {words}?", str(row)) for row in (rows[7], rows[11], rows[12])),
        exam=tuple(dict.fromkeys(map(str, rows))),
        wrong=spoiled(
            code,
            wrong_formula=(" + low" if kind == "sum" else " - low", " - low" if kind == "sum" else " + low"),
            off_by_one=("ordered[i + 1:]", "ordered[i:]") if kind != "exactly" else ("ordered[i + 1:]", "ordered[i + 2:]"),
            wrong_constant=(condition, condition.replace(f"= {d}", f"= {d - 1}")),
        ),
    )  # fmt: skip


def _josephus(k: int) -> Entry:
    code = fill(
        """
        def survivor(n: int) -> int:
            position = 0
            for size in range(2, n + 1):
                position = (position + <k>) % size
            return position + 1
        """,
        k=k,
    )
    alternative = fill(
        """
        from collections import deque

        def survivor(n: int) -> int:
            circle = deque(range(1, n + 1))
            while len(circle) > 1:
                circle.rotate(-<k>)
                circle.pop()
            return circle[0]
        """,
        k=k,
    )
    return Entry(
        title=f"Josephus problem with step {k}",
        statement=f"survivor(n) returns the number of the last person left when n >= 1 people, numbered 1 to n in a circle, are counted off from person 1 "
        f"and every {k}-th is removed, counting on with the next one each time.",
        signature="def survivor(n: int) -> int",
        explanations=(
            (f"Once the {k}-th person has gone, the game goes on as one with n - 1 people that starts {k} places further. Turning that around gives "
            f"f(n) = (f(n - 1) + {k}) mod n with f(1) = 0, counted from zero."),
            (f"Simulating the circle costs a step for each count; the recurrence does not. Relabelling the survivors after each removal shifts every number by {k}, "
            f"so the winner's position is found by replaying the shifts from a circle of one."),
            (f"Start with the winner of a one-person circle, at index 0. Adding people back one at a time moves the winner {k} seats on, modulo the current size. "
            f"At size n the index plus one is the answer."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("A single person survives.", "survivor(1) == 1"),
            (f"Of two people, number {2 if k % 2 else 1} survives, as {k} is {'odd' if k % 2 else 'even'}.", f"survivor(2) == {2 if k % 2 else 1}"),
            ("The survivor is one of the people.", "all(1 <= survivor(n) <= n for n in range(1, 80))"),
        ),
        false_claims=(("Whoever stands first always survives.", "all(survivor(n) == 1 for n in range(1, 20))"),),
        exercises=tuple((f"Of {n} people every {k}-th is removed. Who is left?", str(n)) for n in (5, 12, 41)),
        exam=tuple(map(str, (1, 2, 3, 4, 5, 6, 7, 10, 13, 30, 41, 100, 500))),
        wrong=spoiled(
            code,
            wrong_formula=("% size", "% n"),
            off_by_one=("return position + 1", "return position"),
            wrong_constant=(f"position + {k})", f"position + {k + 1})"),
        ),
    )  # fmt: skip


SEQUENCES: tuple[Family, ...] = (
    Family(
        "sliding-windows", _SLUG, "Sliding window statistics", (),
        [(kind, k) for k in range(2, 42) for kind in _WINDOWS], _window,
    ),
    Family(
        "counted-pairs", _SLUG, "Counting pairs", (),
        [(kind, d) for d in range(3, 83) for kind in _PAIRS], _pairs,
    ),
    Family("josephus", _SLUG, "Josephus problem", (), [(k,) for k in range(2, 182)], _josephus),
)  # fmt: skip
