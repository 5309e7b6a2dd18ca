"""Combinatorics: selections, partitions and compositions (this file), and words, walks and permutations; exact counts only."""

import itertools
import math

from ghostd.core.concept import Domain
from ghostd.textbook.catalogue._combinatorics_arrangements import FAMILIES as _ARRANGEMENTS
from ghostd.textbook.catalogue._combinatorics_selections import FAMILIES as _SELECTIONS
from ghostd.textbook.catalogue._combinatorics_walks import FAMILIES as _WALKS
from ghostd.textbook.catalogue._examples import illustrated
from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family

DOMAIN = Domain(
    "combinatorics",
    "Combinatorics",
    "Counting without listing: selections, partitions, compositions, words, walks, permutations and necklaces.",
)


def _restricted_partitions(first: int, second: int, third: int) -> Entry:
    parts, shown = (first, second, third), f"{first}, {second} and {third}"
    rests = (
        sum(parts) - third * k - second * j
        for k in range(sum(parts) // third + 1)
        for j in range(sum(parts) // second + 1)
    )
    together = sum(rest >= 0 and rest % first == 0 for rest in rests)
    code = source(
        """
        def partition_count(n: int) -> int:
            ways = [1] + [0] * n
            for part in PARTS:
                for total in range(part, n + 1):
                    ways[total] += ways[total - part]
            return ways[n]
        """,
        PARTS=parts,
    )
    alternative = source(
        """
        def partition_count(n: int) -> int:
            found = 0
            for left in range(n, -1, -THIRD):
                for rest in range(left, -1, -SECOND):
                    found += rest % FIRST == 0
            return found
        """,
        FIRST=first,
        SECOND=second,
        THIRD=third,
    )
    return Entry(
        title=f"Partitions into parts {shown}",
        statement=f"Return in how many ways the integer n >= 0 can be written as a sum of parts {shown}, each used any number of times, where the order of the parts does "
        "not matter. The empty sum is the single way for n = 0.",
        signature=signature(code),
        explanations=(
            f"This is the coin problem with coins {shown}. Admit one coin after the other: the ways to reach a total are those without the new coin plus those "
            "that reach the total minus that coin. Because coins come in a fixed order, no sum is counted twice.",
            f"Multiply the geometric series in x^{first}, x^{second} and x^{third}; the coefficient of x^n counts the choices of three multiplicities. "
            "Multiplying by one such series at a time is exactly the running sum with stride equal to the part.",
            f"A partition is settled by how often {first}, {second} and {third} occur. Choosing the numbers of the two larger parts leaves a remainder, and that "
            f"remainder can be completed in at most one way, namely if {first} divides it.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("Zero has exactly one partition, the empty one.", "partition_count(0) == 1"),
            (
                f"The number {first + second + third}, the sum of all three parts, has {together} {'partition' if together == 1 else 'partitions'}.",
                f"partition_count({first + second + third}) == {together}",
            ),
            (
                f"Removing one part {first} shows that the surplus over n - {first} comes from sums of {second} and {third} alone.",
                f"all(partition_count(n) - partition_count(n - {first}) == sum((n - {third} * k) % {second} == 0 for k in range(n // {third} + 1)) for n in range({first}, 40))",
            ),
        ),
        false_claims=(
            (
                f"Different orders count separately, so {first + second} has at least two sums made of {first} and {second}.",
                f"partition_count({first + second}) >= {2 + sum((first + second - third * k) % first == 0 for k in range(1, (first + second) // third + 1)) + sum((first + second) % part == 0 for part in (first, second))}",
            ),
        ),
        exercises=(
            ("How many partitions does 12 have?", "12"),
            ("How many partitions does 30 have?", "30"),
            ("How many partitions does 100 have?", "100"),
        ),
        exam=calls(0, 1, first, second, third, first + third, second + third, 12, 24, 37, 60, 100, 101, 199),
        wrong={
            **slips(
                code,
                off_by_one=("range(part, n + 1)", "range(part + 1, n + 1)"),
                wrong_constant=(f"{parts}", f"{(first, second, third + 1)}"),
            ),
            "wrong_formula": source(
                "def partition_count(n: int) -> int:\n    ways = [1] + [0] * n\n    for total in range(1, n + 1):\n        ways[total] = sum(ways[total - part] for part in PARTS if part <= total)\n    return ways[n]",
                PARTS=parts,
            ),
        },
    )


def _compositions(first: int, second: int, third: int) -> Entry:
    parts, shown = (first, second, third), f"{first}, {second} or {third}"
    code = source(
        """
        def composition_count(n: int) -> int:
            counts = [1]
            for total in range(1, n + 1):
                counts.append(sum(counts[total - part] for part in PARTS if part <= total))
            return counts[-1]
        """,
        PARTS=parts,
    )
    alternative = source(
        """
        from math import factorial

        def composition_count(n: int) -> int:
            found = 0
            for i in range(n // THIRD + 1):
                for j in range((n - i * THIRD) // SECOND + 1):
                    k, left = divmod(n - i * THIRD - j * SECOND, FIRST)
                    if left == 0:
                        found += factorial(i + j + k) // (factorial(i) * factorial(j) * factorial(k))
            return found
        """,
        FIRST=first,
        SECOND=second,
        THIRD=third,
    )
    return Entry(
        title=f"Compositions with parts {shown}",
        statement=f"Return the number of finite sequences whose members are all {shown} and whose sum is the integer n >= 0. Order matters; for n = 0 there is one "
        "sequence, the empty one.",
        signature=signature(code),
        explanations=(
            f"Look at the last member of the sequence. It is {shown}, and removing it leaves an arbitrary sequence with a smaller sum, so the "
            f"count obeys c(n) = c(n - {first}) + c(n - {second}) + c(n - {third}), with c(0) = 1 and nothing below zero.",
            f"Think of climbing a staircase of n steps with strides of {shown}. The ways to stand on step n are the ways to stand one stride below it, added over the strides. "
            "Each climb is counted once because its final stride is unique.",
            f"A multiset of parts with i, j and k copies of {third}, {second} and {first} can be ordered in (i + j + k)!/(i! j! k!) ways. "
            "Adding these multinomials over all multisets of sum n gives the same number as the recurrence, since the recurrence is the inverse of 1 minus three powers of x.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("There is one empty sequence.", "composition_count(0) == 1"),
            (
                f"The last member decides: c(n) = c(n - {first}) + c(n - {second}) + c(n - {third}).",
                f"all(composition_count(n) == composition_count(n - {first}) + composition_count(n - {second}) + composition_count(n - {third}) for n in range({third}, 30))",
            ),
            (
                f"Below {second} only the part {first} can be used, so the count is 1 for its multiples.",
                f"all(composition_count(n) == (n % {first} == 0) for n in range({second}))",
            ),
        ),
        false_claims=(
            (
                f"The two orders of {first} and {second} are the same composition, so {first + second} has one fewer.",
                f"composition_count({first + second}) == {_ordered(first + second, parts) - 1}",
            ),
        ),
        exercises=(
            ("How many sequences have sum 10?", "10"),
            ("How many sequences have sum 25?", "25"),
            ("How many sequences have sum 60?", "60"),
        ),
        exam=calls(
            0, 1, first, second, third, second + 1, first + second, first + third, second + third, 17, 24, 37, 50, 83
        ),
        wrong={
            **slips(
                code,
                off_by_one=("part <= total", "part < total"),
                wrong_constant=(f"{parts}", f"{(first, second, third + 1)}"),
            ),
            "wrong_formula": source(
                "def composition_count(n: int) -> int:\n    ways = [1] + [0] * n\n    for part in PARTS:\n        for total in range(part, n + 1):\n            ways[total] += ways[total - part]\n    return ways[n]",
                PARTS=parts,
            ),
        },
    )


def _ordered(total: int, parts: tuple[int, ...]) -> int:
    return 1 if total == 0 else sum(_ordered(total - part, parts) for part in parts if part <= total)


def _block_partitions(blocks: int, least: int) -> Entry:
    code = source(
        """
        from math import comb

        def set_partitions(n: int) -> int:
            counts = [1] + [0] * n
            for _ in range(BLOCKS):
                counts = [
                    sum(comb(total - 1, size - 1) * counts[total - size] for size in range(LEAST, total + 1))
                    for total in range(n + 1)
                ]
            return counts[-1]
        """,
        BLOCKS=blocks,
        LEAST=least,
    )
    alternative = source(
        """
        from functools import lru_cache
        from math import comb

        @lru_cache(maxsize=None)
        def spread(n: int, blocks: int) -> int:
            if blocks == 0 or n < blocks * LEAST:
                return int(n == blocks == 0)
            joined = blocks * spread(n - 1, blocks)
            opened = comb(n - 1, LEAST - 1) * spread(n - LEAST, blocks - 1)
            return joined + opened

        def set_partitions(n: int) -> int:
            return spread(n, BLOCKS)
        """,
        BLOCKS=blocks,
        LEAST=least,
    )
    smallest = blocks * least
    size = f"at least {least} {'element' if least == 1 else 'elements'}"
    return Entry(
        title=f"Set partitions into {blocks} blocks of {size}",
        statement=f"Return the number of ways to divide n distinguishable elements into exactly {blocks} blocks, each with {size}. Neither the order of the blocks nor the order "
        f"inside a block matters. The integer n is >= 0; for n < {smallest} the answer is 0.",
        signature=signature(code),
        explanations=(
            f"Consider the block that holds the largest element. If it has s >= {least} members, the other s - 1 are chosen from n - 1 elements and the rest is divided into one block fewer. "
            f"Peeling {blocks} blocks in this way counts each division once, because the largest remaining element always names the next block.",
            f"With no lower limit these are Stirling numbers of the second kind. The limit {least} changes their recurrence to S(n, k) = k·S(n-1, k) + C(n-1, {least - 1})·S(n-{least}, k-1): "
            f"the last element joins one of k blocks that are already large enough, or completes a block of exactly {least}.",
            f"The exponential generating function is (e^x minus its terms below x^{least})^{blocks} / {blocks}!. Every factor stands for one block of {size}, and dividing by {blocks}! forgets "
            "the order of the blocks.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"Fewer than {smallest} elements are too few.", f"set_partitions({smallest - 1}) == 0"),
            (
                f"{smallest} elements divide into equal blocks of {least}.",
                f"set_partitions({smallest}) * {math.factorial(blocks)} * {math.factorial(least)} ** {blocks} == {math.factorial(smallest)}",
            ),
            (f"With no elements there are no {blocks} blocks.", "set_partitions(0) == 0"),
        ),
        false_claims=(
            (
                f"The blocks are labelled, so the count for {smallest} elements is the multinomial coefficient.",
                f"set_partitions({smallest}) * {math.factorial(least)} ** {blocks} == {math.factorial(smallest)}",
            ),
        ),
        exercises=(
            (f"How many divisions are there for {smallest + 1} elements?", f"{smallest + 1}"),
            (f"And for {smallest + 2} elements?", f"{smallest + 2}"),
            (f"And for {smallest - 1} elements?", f"{smallest - 1}"),
        ),
        exam=calls(0, 1, smallest - 1 if smallest > 2 else 3, *range(smallest, smallest + 7)),
        wrong={
            **slips(
                code,
                off_by_one=("comb(total - 1, size - 1)", "comb(total - 1, size)"),
                wrong_constant=(f"range({least}, total + 1)", f"range({least + 1}, total + 1)"),
            ),
            "wrong_formula": code.replace("comb(total - 1, size - 1)", "comb(total, size)"),
        },
    )


_TRIPLES = tuple(itertools.combinations(range(1, 13), 3))

FAMILIES: tuple[Family, ...] = illustrated(
    (
        Family(
            "restricted-partitions",
            "combinatorics",
            "Partitions into given parts",
            (),
            _TRIPLES,
            _restricted_partitions,
        ),
        Family(
            "restricted-compositions",
            "combinatorics",
            "Compositions with given parts",
            ("restricted-partitions",),
            _TRIPLES,
            _compositions,
        ),
        Family(
            "set-partitions-by-block-size",
            "combinatorics",
            "Set partitions with large blocks",
            ("restricted-partitions",),
            [(k, s) for k in range(2, 17) for s in range(1, 16) if k * s <= 48],
            _block_partitions,
        ),
        *_ARRANGEMENTS,
        *_WALKS,
        *_SELECTIONS,
    )
)
