"""Independent answers for algorithms: exhaustive search, other recurrences and direct simulation."""

import functools
import itertools
from collections import Counter, OrderedDict


def _knapsack(capacity, unbounded):
    def truth(weights, values):
        """Best-first over reachable (weight, value) states, without a table of capacities."""
        states = {0: 0}
        for weight, value in zip(weights, values, strict=True):
            copies = capacity // weight if unbounded else 1
            grown = dict(states)
            for used, worth in states.items():
                for k in range(1, copies + 1):
                    if used + k * weight <= capacity:
                        grown[used + k * weight] = max(grown.get(used + k * weight, 0), worth + k * value)
            states = grown
        return max(states.values())

    return truth


def _edit_distance(insert, delete, substitute):
    def truth(source, target):
        """Bellman-Ford over the edit graph."""
        nodes = list(itertools.product(range(len(source) + 1), range(len(target) + 1)))
        edges = [((i, j), (i + 1, j), delete) for i, j in nodes if i < len(source)]
        edges += [((i, j), (i, j + 1), insert) for i, j in nodes if j < len(target)]
        edges += [
            ((i, j), (i + 1, j + 1), 0 if source[i] == target[j] else substitute)
            for i, j in nodes
            if i < len(source) and j < len(target)
        ]
        cost = dict.fromkeys(nodes, float("inf"))
        cost[0, 0] = 0
        for _ in nodes:
            before = dict(cost)
            for tail, head, price in edges:
                cost[head] = min(cost[head], cost[tail] + price)
            if cost == before:
                break
        return cost[len(source), len(target)]

    return truth


def _coin_change(coins, ways):
    def truth(amount):
        _, a, b = coins
        payments = [
            (amount - i * a - j * b) + i + j for j in range(amount // b + 1) for i in range((amount - j * b) // a + 1)
        ]
        return len(payments) if ways else min(payments)

    return truth


def _spaced_subsequence(gap, mode):
    allowed = {
        "at least": lambda step: step >= gap,
        "at most": lambda step: 0 < step <= gap,
        "exactly": lambda step: step == gap,
    }

    def truth(numbers):
        def longest(index):
            later = (j for j in range(index + 1, len(numbers)) if allowed[mode](numbers[j] - numbers[index]))
            return 1 + max(map(longest, later), default=0)

        return max(map(longest, range(len(numbers))), default=0)

    return truth


def _window(kind, k):
    def statistic(frame):
        counted = Counter(frame)
        return {
            "max": max(counted),
            "min": min(counted),
            "sum": sum(value * times for value, times in counted.items()),
            "range": max(counted) - min(counted),
            "distinct": len(counted),
        }[kind]

    return lambda numbers: [statistic(frame) for frame in zip(*(numbers[i:] for i in range(k)), strict=False)]


def _pairs(kind, d):
    fits = {
        "exactly": lambda x, y: abs(x - y) == d,
        "at most": lambda x, y: abs(x - y) <= d,
        "sum": lambda x, y: x + y <= d,
    }[kind]
    return lambda numbers: sum(fits(x, y) for x, y in itertools.combinations(numbers, 2))


def _josephus(k):
    def truth(n):
        people, at = list(range(1, n + 1)), 0
        while len(people) > 1:
            at = (at + k - 1) % len(people)
            del people[at]
        return people[0]

    return truth


def _intervals(gap):
    def compatible(chosen):
        ordered = sorted(chosen)
        return all(before[1] + gap <= after[0] for before, after in itertools.pairwise(ordered))

    def truth(meetings):
        return max(
            size
            for size in range(len(meetings) + 1)
            if any(compatible(chosen) for chosen in itertools.combinations(meetings, size))
        )

    return truth


def _cache(policy, size):
    def truth(requests):
        pages, hits = OrderedDict(), 0
        for page in requests:
            hits += page in pages
            if page in pages and policy == "LRU":
                pages.move_to_end(page)
            pages.setdefault(page)
            if len(pages) > size:
                pages.popitem(last=False)
        return hits

    return truth


def _leaper(a, b, size):
    @functools.cache
    def distances():
        """Value iteration: a square's distance is one more than its nearest neighbour's."""
        squares = list(itertools.product(range(size), repeat=2))
        distance = {(0, 0): 0}
        while True:
            better = dict(distance)
            for i, j in squares:
                around = [distance[p, q] for p, q in distance if sorted((abs(i - p), abs(j - q))) == [a, b]]
                if around and (i, j) not in distance:
                    better[i, j] = min(around) + 1
            if better == distance:
                return distance
            distance = better

    return lambda x, y: distances().get((x, y), -1)


def _shipping(days):
    def fits(loads, capacity):
        used, today = 1, 0
        for load in loads:
            if load > capacity:
                return False
            if today + load > capacity:
                used, today = used + 1, 0
            today += load
        return used <= days

    return lambda loads: next(capacity for capacity in itertools.count(1) if fits(loads, capacity))


ORACLES = {
    "knapsacks": _knapsack,
    "weighted-edit-distances": _edit_distance,
    "coin-change": _coin_change,
    "spaced-subsequences": _spaced_subsequence,
    "sliding-windows": _window,
    "counted-pairs": _pairs,
    "josephus": _josephus,
    "interval-scheduling": _intervals,
    "page-caches": _cache,
    "leapers": _leaper,
    "shipping-capacity": _shipping,
}
