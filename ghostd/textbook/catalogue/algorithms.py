"""Algorithms: searching, dynamic programming, greedy choices and simulation, each with its parameters."""

from ghostd.core.concept import Domain
from ghostd.textbook.catalogue._algorithms_greedy import GREEDY
from ghostd.textbook.catalogue._algorithms_sequences import SEQUENCES
from ghostd.textbook.catalogue._writing import fill, spoiled
from ghostd.textbook.catalogue.family import Entry, Family

_SLUG = "algorithms"

DOMAIN = Domain(
    _SLUG,
    "Algorithms",
    "Algorithms and data structures of computer science: dynamic programming, greedy choices, windows, graphs and caches.",
)


def _knapsack(capacity: int, unbounded: bool) -> Entry:
    rule = "any number of times" if unbounded else "at most once"
    order = f"range(weight, {capacity + 1})" if unbounded else f"range({capacity}, weight - 1, -1)"
    code = fill(
        """
        def best_value(weights: list[int], values: list[int]) -> int:
            best = [0] * <size>
            for weight, value in zip(weights, values):
                for room in <order>:
                    best[room] = max(best[room], best[room - weight] + value)
            return best[<capacity>]
        """,
        size=capacity + 1,
        capacity=capacity,
        order=order,
    )
    step = "take(i, room - weights[i])" if unbounded else "take(i + 1, room - weights[i])"
    alternative = fill(
        """
        from functools import lru_cache

        def best_value(weights: list[int], values: list[int]) -> int:
            @lru_cache(maxsize=None)
            def take(i: int, room: int) -> int:
                if i == len(weights):
                    return 0
                best = take(i + 1, room)
                if weights[i] <= room:
                    best = max(best, values[i] + <step>)
                return best
            return take(0, <capacity>)
        """,
        step=step,
        capacity=capacity,
    )
    c = capacity
    many = c // 2 if unbounded else 1
    rows: tuple[tuple[list[int], list[int]], ...] = (
        ([], []), ([c], [5]), ([c + 1], [5]), ([1], [1]), ([c, c], [3, 4]), ([c - 1, 1, 2], [7, 1, 3]), ([2, 1], [3, 1]),
        ([c // 2, c // 2 + 1, 1], [10, 11, 2]), ([c // 3 + 1, c // 2, c // 4 + 1], [9, 13, 6]), ([2, 3, 4, 5], [3, 4, 5, 6]),
        ([c, 1, c // 2], [20, 3, 9]), ([3, 5, 2, 7], [0, 9, 4, 12]),
    )  # fmt: skip
    return Entry(
        title=f"{'Unbounded' if unbounded else 'Zero-one'} knapsack of capacity {c}",
        statement=f"best_value(weights, values) returns the largest total value of items whose total weight is at most {c}. "
        f"Item i weighs weights[i] >= 1 and is worth values[i] >= 0; each may be taken {rule}. No items give 0.",
        signature="def best_value(weights: list[int], values: list[int]) -> int",
        explanations=(
            (f"Let best[room] be the most that fits into `room` units. Each item improves the table by best[room - weight] + value, "
            f"and the {'upward' if unbounded else 'downward'} sweep makes sure that it is used {rule}; the answer stands at room {c}."),
            (f"Trying all selections takes exponential time, but only {c + 1} remaining capacities can occur. So one keeps a single row of optima and "
            f"updates it per item. Going {'up lets an item build on itself' if unbounded else 'down keeps an item from building on itself'}."),
            (f"A bag holds weight {c}, and items may be taken {rule}. Whether an item is worth its weight depends on what else would fill that space, "
            f"which is exactly the smaller subproblem at room - weight. Dynamic programming solves those once each."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("An item that is heavier than the capacity is worth nothing.", f"best_value([{c + 1}], [99]) == 0"),
            (f"An item of weight exactly {c} fits.", f"best_value([{c}], [7]) == 7"),
            (f"Items of weight 2 worth 3 give {3 * many} with one kind on offer.", f"best_value([2], [3]) == {3 * many}"),
        ),
        false_claims=(("Taking the item with the best value per weight first is always optimal.", f"best_value([{c - 1}, {c}], [{c}, {c}]) == {c} and best_value([{c // 2 + 1}, {c}], [{c}, {c + 3}]) == {c}"),),
        exercises=tuple((f"Items weigh {w} and are worth {v}. What is the best value within weight {c}?", f"{w}, {v}") for w, v in (rows[5], rows[8], rows[9])),
        exam=tuple(f"{w}, {v}" for w, v in rows),
        wrong=spoiled(
            code,
            wrong_formula=(order, f"range({c}, weight - 1, -1)" if unbounded else f"range(weight, {c + 1})"),
            off_by_one=(order, f"range(weight + 1, {c + 1})" if unbounded else f"range({c}, weight, -1)"),
            wrong_constant=(f"return best[{c}]", f"return best[{c - 1}]"),
        ),
    )  # fmt: skip


def _edit_distance(insert: int, delete: int, substitute: int) -> Entry:
    code = fill(
        """
        def edit_cost(source: str, target: str) -> int:
            row = [<i> * j for j in range(len(target) + 1)]
            for a in source:
                above, row = row, [row[0] + <d>]
                for j, b in enumerate(target):
                    change = above[j] + (0 if a == b else <s>)
                    row.append(min(change, above[j + 1] + <d>, row[j] + <i>))
            return row[-1]
        """,
        i=insert,
        d=delete,
        s=substitute,
    )
    alternative = fill(
        """
        from functools import lru_cache

        def edit_cost(source: str, target: str) -> int:
            @lru_cache(maxsize=None)
            def cost(i: int, j: int) -> int:
                if i == 0 or j == 0:
                    return <d> * i + <i> * j
                same = cost(i - 1, j - 1) + <s> * (source[i - 1] != target[j - 1])
                return min(same, cost(i - 1, j) + <d>, cost(i, j - 1) + <i>)
            return cost(len(source), len(target))
        """,
        i=insert,
        d=delete,
        s=substitute,
    )
    return Entry(
        title=f"Edit distance with costs {insert} to insert, {delete} to delete, {substitute} to substitute",
        statement=f"edit_cost(source, target) returns the least total cost of turning the string source into target, where inserting "
        f"a character costs {insert}, deleting one costs {delete} and substituting one costs {substitute}. Equal characters cost nothing.",
        signature="def edit_cost(source: str, target: str) -> int",
        properties=("assert edit_cost(source, source) == 0", f"assert edit_cost(source, '') == {delete} * len(source)"),
        explanations=(
            (f"A table row holds the cost of turning the prefix of source read so far into each prefix of target. The last step is one of three: "
            f"a substitution for {substitute} (free if the characters agree), a deletion for {delete}, or an insertion for {insert}; the cheapest wins."),
            (f"This is Wagner and Fischer's dynamic programme with weights. An optimal edit script ends in match, change, drop or add, "
            f"so its cost is the minimum over three smaller prefixes plus {substitute}, {delete} or {insert}. Two rows are all the memory it needs."),
            (f"Line the strings up on a grid: right moves insert ({insert}), down moves delete ({delete}), diagonal moves substitute ({substitute}) or match for free. "
            f"The cheapest path from corner to corner is the distance. Unequal prices make it unsymmetric in general."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("A string costs nothing to turn into itself.", "edit_cost('kitten', 'kitten') == 0"),
            (f"Building a word of three letters from nothing costs {3 * insert}.", f"edit_cost('', 'abc') == {3 * insert}"),
            (f"Replacing one letter costs {min(substitute, insert + delete)}.", f"edit_cost('cat', 'cut') == {min(substitute, insert + delete)}"),
        ),
        false_claims=(("Only the difference of the lengths matters.", "edit_cost('abc', 'xyz') == 0"),),
        exercises=tuple((f"What does it cost to turn {a!r} into {b!r}?", f"{a!r}, {b!r}") for a, b in (("kitten", "sitting"), ("flaw", "lawn"), ("sunday", "saturday"))),
        exam=tuple(f"{a!r}, {b!r}" for a, b in (("", ""), ("a", ""), ("", "a"), ("a", "a"), ("a", "b"), ("ab", "ba"), ("abc", "abcd"), ("abcd", "bcd"), ("kitten", "sitting"), ("intention", "execution"), ("aaaa", "aabaa"), ("xyz", "abcxyz"), ("gattaca", "tacgac"))),
        wrong=spoiled(
            code,
            wrong_formula=(f"0 if a == b else {substitute}", f"{substitute} if a == b else 0"),
            off_by_one=("above[j] + (0", "above[j + 1] + (0"),
            wrong_constant=(f"above[j + 1] + {delete}", f"above[j + 1] + {delete + 1}") if substitute + 1 > delete + insert else (f"row[0] + {delete}", f"row[0] + {delete + 1}"),
        ),
    )  # fmt: skip


def _coin_change(coins: tuple[int, ...], ways: bool) -> Entry:
    name = "count_ways" if ways else "fewest_coins"
    listed = ", ".join(map(str, coins))
    if ways:
        code = fill(
            """
            def count_ways(amount: int) -> int:
                ways = [1] + [0] * amount
                for coin in <coins>:
                    for total in range(coin, amount + 1):
                        ways[total] += ways[total - coin]
                return ways[amount]
            """,
            coins=coins,
        )
        alternative = fill(
            """
            from functools import lru_cache

            def count_ways(amount: int) -> int:
                coins = <coins>
                @lru_cache(maxsize=None)
                def count(rest: int, kinds: int) -> int:
                    if rest == 0:
                        return 1
                    if rest < 0 or kinds == 0:
                        return 0
                    return count(rest, kinds - 1) + count(rest - coins[kinds - 1], kinds)
                return count(amount, len(coins))
            """,
            coins=coins,
        )
        what = "in how many ways coins can add up to amount, where the order of the coins does not matter"
        wrong = spoiled(
            code,
            wrong_formula=("+= ways[total - coin]", "= max(ways[total], ways[total - coin])"),
            off_by_one=("range(coin, amount + 1)", "range(coin, amount)"),
            wrong_constant=("[1] + [0]", "[2] + [0]"),
        )
    else:
        code = fill(
            """
            def fewest_coins(amount: int) -> int:
                fewest = [0]
                for total in range(1, amount + 1):
                    fewest.append(1 + min(fewest[total - coin] for coin in <coins> if coin <= total))
                return fewest[amount]
            """,
            coins=coins,
        )
        alternative = fill(
            """
            def fewest_coins(amount: int) -> int:
                reached, count = {0}, 0
                while amount not in reached:
                    reached = {total + coin for total in reached for coin in <coins> if total + coin <= amount}
                    count += 1
                return count
            """,
            coins=coins,
        )
        what = "the least number of coins that add up to amount"
        wrong = spoiled(
            code,
            wrong_formula=("min(", "max("),
            off_by_one=("if coin <= total", "if coin < total or coin == 1"),
            wrong_constant=("1 + min", "2 + min"),
        )
    largest = coins[-1]
    amounts = dict.fromkeys(
        (
            0,
            1,
            2,
            3,
            coins[1] - 1,
            coins[1],
            largest - 1,
            largest,
            largest + 1,
            coins[1] + largest,
            2 * largest,
            3 * largest - 1,
            17,
            41,
            60,
        )
    )
    return Entry(
        title=f"{'Ways to pay' if ways else 'Fewest coins'} with {listed}",
        statement=f"{name}(amount) returns {what}; coins of the values {listed} are available without limit. amount is an integer >= 0"
        + (" and 0 can be paid in one way." if ways else " and 0 needs no coin."),
        signature=f"def {name}(amount: int) -> int",
        explanations=(
            f"Work upwards from 0. The result for a total follows from the results for total minus a coin, with the coins {listed}, "
            + ("and taking one kind of coin after the other counts each selection once." if ways else "by adding one coin to the best of them. Every total can be paid, because 1 is a coin."),
            "Dynamic programming fills a table over all amounts up to the one that is asked for. "
            + (f"The outer loop runs over the kinds {listed}, so a multiset of coins is built in one order only." if ways else f"The last coin is one of {listed}; trying each and keeping the minimum cannot miss the optimum."),
            ("Counting is additive: payments that use a coin of the largest kind and payments that do not are separate. " if ways else "Always grabbing the largest coin can be wrong, so smaller optima are combined instead. ")
            + f"The table for {listed} needs one pass per amount and coin.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"An amount of 0 gives {int(ways)}.", f"{name}(0) == {int(ways)}"),
            ("There is exactly one way to pay 1." if ways else "One coin pays any coin's own value.", f"{name}(1) == 1" if ways else f"all({name}(coin) == 1 for coin in {coins})"),
            ("A larger amount never has fewer ways, because a 1 can be added." if ways else "One more unit costs at most one more coin.", f"all({name}(n + 1) >= {name}(n) for n in range(50))" if ways else f"all({name}(n + 1) <= {name}(n) + 1 for n in range(50))"),
        ),
        false_claims=(("The number of ways equals the amount.", "all(count_ways(n) == n for n in range(1, 30))") if ways else ("Only coins of 1 are ever needed.", f"fewest_coins({largest}) == {largest}"),),
        exercises=tuple((f"What is {name}({n}) for the coins {listed}?", str(n)) for n in (10, largest + 3, 50)),
        exam=tuple(map(str, amounts)),
        wrong=wrong,
    )  # fmt: skip


def _spaced_subsequence(gap: int, mode: str) -> Entry:
    condition = {"at least": f"x - y >= {gap}", "at most": f"0 < x - y <= {gap}", "exactly": f"x - y == {gap}"}[mode]
    code = fill(
        """
        def longest_chain(numbers: list[int]) -> int:
            best = []
            for i, x in enumerate(numbers):
                lengths = [best[j] for j, y in enumerate(numbers[:i]) if <condition>]
                best.append(1 + max(lengths, default=0))
            return max(best, default=0)
        """,
        condition=condition,
    )
    alternative = fill(
        """
        def longest_chain(numbers: list[int]) -> int:
            longest = {}
            for x in numbers:
                here = 1
                for y, length in longest.items():
                    if <condition>:
                        here = max(here, length + 1)
                longest[x] = max(here, longest.get(x, 0))
            return max(longest.values(), default=0)
        """,
        condition=condition,
    )
    ladder = [gap * k for k in range(6)]
    dense = [(gap + 1) * k // 2 for k in range(9)]
    rows: tuple[list[int], ...] = (
        [], [5], ladder, ladder[::-1], [x + k for k, x in enumerate(ladder)], [x - k for k, x in enumerate(ladder)], dense,
        [0, gap, gap - 1, 2 * gap, 2 * gap - 1, 2 * gap + 1, 3 * gap + 1, 3 * gap], [3, 3, 3], [0, -gap, gap, 0, 2 * gap + 1, -1],
        [gap * 2, 0, gap, gap * 3, gap + gap // 2, gap * 2, gap * 4 + 1], [7, 7 + gap, 1, 1 + gap, 1 + 2 * gap, 2 + 3 * gap, 1 + 3 * gap],
    )  # fmt: skip
    return Entry(
        title=f"Longest subsequence with steps of {mode} {gap}",
        statement=f"longest_chain(numbers) returns the length of the longest subsequence of a list of integers (elements in their order, not "
        f"necessarily adjacent) in which each element exceeds the one before by {mode} {gap}"
        + (" and by more than 0" if mode == "at most" else "")
        + ". An empty list gives 0.",
        signature="def longest_chain(numbers: list[int]) -> int",
        explanations=(
            (f"For each position, the best chain that ends there extends the best chain ending at some earlier, suitable element. Suitable means that the "
            f"step is {mode} {gap}. The maximum over all ends is the answer."),
            (f"This is the longest increasing subsequence with a rule for the rise: {mode} {gap} per step. Since a chain's future depends on its last element "
            f"alone, remembering one length for each end is enough, and pairs of positions are compared."),
            (f"Draw an arrow from y to a later x whenever x - y is {mode} {gap}. All arrows point forward, so the graph has no cycle and its longest path "
            f"can be found from left to right. Every element alone is a chain of length 1."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"The multiples of {gap} form one chain.", f"longest_chain({ladder}) == 6"),
            ("A falling list has only chains of one element.", "longest_chain([9, 7, 4, 1]) == 1"),
            ("Equal elements never follow each other.", "longest_chain([4, 4, 4]) == 1"),
        ),
        false_claims=(("The elements of the chain have to be neighbours in the list.", f"longest_chain([0, -{gap + 5}, {gap}]) == 1"),),
        exercises=tuple((f"How long is the longest subsequence of {row} whose steps are {mode} {gap}?", str(row)) for row in (rows[7], rows[10], dense)),
        exam=tuple(map(str, rows)),
        wrong=spoiled(
            code,
            wrong_formula=("x - y", "y - x"),
            off_by_one=("1 + max(lengths", "max(lengths"),
            wrong_constant=(condition, condition.replace(str(gap), str(gap + 1))),
        ),
    )  # fmt: skip


FAMILIES: tuple[Family, ...] = (
    Family(
        "knapsacks", _SLUG, "Knapsack problems", ("coin-change",),
        [(c, unbounded) for c in range(8, 168) for unbounded in (False, True)], _knapsack,
    ),
    Family(
        "weighted-edit-distances", _SLUG, "Weighted edit distance", (),
        [(i, d, s) for i in range(1, 9) for d in range(1, 9) for s in range(1, i + d)][:330], _edit_distance,
    ),
    Family(
        "coin-change", _SLUG, "Coin change", (),
        [((1, a, b), ways) for b in range(4, 21) for a in range(2, b) for ways in (True, False)], _coin_change,
    ),
    Family(
        "spaced-subsequences", _SLUG, "Longest subsequences with a step rule", (),
        [(g, mode) for g in range(2, 82) for mode in ("at least", "at most", "exactly")], _spaced_subsequence,
    ),
    *SEQUENCES,
    *GREEDY,
)  # fmt: skip
