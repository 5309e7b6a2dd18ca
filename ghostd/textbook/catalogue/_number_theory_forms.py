"""Number theory: figurate numbers, integer roots, quadratic forms and continued fractions."""

import math

from ghostd.textbook.catalogue._writing import fill, spoiled
from ghostd.textbook.catalogue.family import Entry, Family

_SLUG = "number-theory"


def _figurate(s: int) -> Entry:
    code = fill(
        """
        from math import isqrt

        def polygonal_index(n: int) -> int:
            square = <a> * max(n, 0) + <c>
            root = isqrt(square)
            if n < 1 or root * root != square or (root + <d>) % <e> != 0:
                return 0
            return (root + <d>) // <e>
        """,
        a=8 * (s - 2),
        c=(s - 4) ** 2,
        d=s - 4,
        e=2 * (s - 2),
    )
    alternative = fill(
        """
        def polygonal_index(n: int) -> int:
            index, total, side = 1, 1, <first>
            while total < n:
                index, total, side = index + 1, total + side, side + <step>
            return index if total == n else 0
        """,
        first=s - 1,
        step=s - 2,
    )
    value = [k * ((s - 2) * k - (s - 4)) // 2 for k in range(1, 60)]
    return Entry(
        title=f"Index of {s}-gonal numbers",
        statement=f"polygonal_index(n) returns k >= 1 when the integer n is the k-th {s}-gonal number, which is "
        f"k*({s - 2}*k - {s - 4})/2, and 0 when n is no {s}-gonal number (in particular for n < 1).",
        signature="def polygonal_index(n: int) -> int",
        explanations=(
            (f"The k-th {s}-gonal number is k({s - 2}k - {s - 4})/2. Solving this quadratic for k gives a square root of "
            f"{8 * (s - 2)}n + {(s - 4) ** 2}; n belongs to the sequence when that root is whole and k comes out whole as well."),
            (f"Complete the square: ({2 * (s - 2)}k - {s - 4})**2 = {8 * (s - 2)}n + {(s - 4) ** 2}. An integer square root therefore "
            f"decides membership at once, and one exact division recovers the position."),
            (f"Figurate numbers with {s} sides start {value[0]}, {value[1]}, {value[2]}, {value[3]}. Instead of listing them one inverts "
            f"their formula. Two tests are needed, a perfect square and divisibility by {2 * (s - 2)}, or false positives would slip in."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"The second {s}-gonal number is {s} itself.", f"polygonal_index({s}) == 2"),
            ("1 is the first one in every such sequence.", "polygonal_index(1) == 1"),
            (f"The ninth is {value[8]}.", f"polygonal_index({value[8]}) == 9"),
        ),
        false_claims=((f"Multiples of {s} are all in the sequence.", f"polygonal_index({2 * s}) > 0 and polygonal_index({3 * s}) > 0"),),
        exercises=tuple((f"Which {s}-gonal number, if any, is {n}?", str(n)) for n in (value[4], value[11], value[5] + 1)),
        exam=tuple(str(n) for n in dict.fromkeys((0, 1, 2, -1, s, s - 1, s + 1, value[2], value[3], value[4] + 1, value[7], value[8] - 1, value[20], value[58], 1000, *(n for n in _near_squares(s)[:4])))),
        wrong=spoiled(
            code,
            wrong_formula=(f"square = {8 * (s - 2)} *", f"square = {4 * (s - 2)} *"),
            off_by_one=("return (root", "return 1 + (root"),
            wrong_constant=(f"// {2 * (s - 2)}", f"// {2 * (s - 2) + 1}"),
        ),
    )  # fmt: skip


def _near_squares(s: int) -> list[int]:
    """Numbers that pass the test of the square but not the one of divisibility, where there are any."""
    return [n for n in range(2, 1200) if math.isqrt(x := 8 * (s - 2) * n + (s - 4) ** 2) ** 2 == x and (math.isqrt(x) + s - 4) % (2 * (s - 2))]  # fmt: skip


def _integer_root(c: int, k: int) -> Entry:
    code = fill(
        """
        def scaled_root(n: int) -> int:
            low, high = 0, <c> * n + 1
            while high - low > 1:
                middle = (low + high) // 2
                if middle ** <k> <= <c> * n:
                    low = middle
                else:
                    high = middle
            return low
        """,
        c=c,
        k=k,
    )
    alternative = fill(
        """
        def scaled_root(n: int) -> int:
            root = 0
            while (root + 1) ** <k> <= <c> * n:
                root += 1
            return root
        """,
        c=c,
        k=k,
    )
    return Entry(
        title=f"Whole part of root {k} of {c} times n",
        statement=f"scaled_root(n) returns the largest integer x >= 0 with x**{k} <= {c}*n, for an integer n >= 0.",
        signature="def scaled_root(n: int) -> int",
        properties=(f"x = scaled_root(n)\nassert x**{k} <= {c} * n < (x + 1) ** {k}",),
        explanations=(
            (f"Bisection keeps an interval whose left end satisfies x**{k} <= {c}n and whose right end does not. Halving it until the ends are "
            f"neighbours leaves the answer on the left. Only whole numbers occur, so no rounding error can creep in."),
            (f"Floating-point roots fail near perfect powers; integers do not. Because x**{k} increases with x, the question "
            f"whether x is still small enough can be bisected, and about log2({c}n) comparisons settle it."),
            (f"We look for the last x whose power {k} does not exceed {c} times n. The predicate changes from true to false once, "
            f"hence binary search applies: move the lower bound up on true, the upper bound down on false."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("For n = 0 the root is 0.", "scaled_root(0) == 0"),
            ("The result never decreases as n grows.", "all(scaled_root(n) <= scaled_root(n + 1) for n in range(100))"),
            ("The bracket is tight on both sides.", f"all(scaled_root(n)**{k} <= {c} * n < (scaled_root(n) + 1)**{k} for n in range(100))"),
        ),
        false_claims=(("The root of a sum is the sum of the roots.", "all(scaled_root(n + n) == 2 * scaled_root(n) for n in range(1, 300))"),),
        exercises=tuple((f"What is the whole part of the {k}-th root of {c} times {n}?", str(n)) for n in (5, 50, 4000)),
        exam=tuple(str(n) for n in dict.fromkeys((0, 1, 2, 3, 5, 8, c ** (k - 1), c ** (k - 1) - 1, c ** (k - 1) * 2**k, 3**k, 3**k - 1, 1000, 46656, 10**6)) if c * n < 3e5**k),
        wrong=spoiled(
            code,
            wrong_formula=("return low", "return high"),
            off_by_one=("high - low > 1", "high - low > 2"),
            wrong_constant=(f"<= {c} * n", f"<= {c + 1} * n + {2**k}"),
        ),
    )  # fmt: skip


def _representations(a: int, c: int) -> Entry:
    code = fill(
        """
        from math import isqrt

        def representations(n: int) -> int:
            count = 0
            x = 0
            while <a> * x * x <= n:
                rest = n - <a> * x * x
                if rest % <c> == 0 and isqrt(rest // <c>) ** 2 == rest // <c>:
                    count += 1
                x += 1
            return count
        """,
        a=a,
        c=c,
    )
    alternative = fill(
        """
        def representations(n: int) -> int:
            xs, ys = range(n // <a> + 1), range(n // <c> + 1)
            firsts = [<a> * x * x for x in xs if <a> * x * x <= n]
            seconds = {<c> * y * y for y in ys if <c> * y * y <= n}
            return sum(n - first in seconds for first in firsts)
        """,
        a=a,
        c=c,
    )
    hit = a * 9 + c * 4
    return Entry(
        title=f"Representations by the form {a}x² + {c}y²",
        statement=f"representations(n) returns the number of pairs of integers x >= 0, y >= 0 with {a}*x*x + {c}*y*y == n, "
        f"for an integer n >= 0.",
        signature="def representations(n: int) -> int",
        explanations=(
            (f"For each x with {a}x² <= n, at most one y >= 0 completes the sum: what is left must be {c} times a square. "
            f"Integer square roots test that exactly, and every success is one pair."),
            (f"Counting lattice points on the ellipse {a}x² + {c}y² = n in the first quadrant needs one loop only. "
            f"Fix x, subtract {a}x², divide by {c} and ask whether the quotient is a perfect square."),
            (f"The quadratic form with coefficients {a} and {c} takes the value n in finitely many ways, since both terms are non-negative. "
            f"The search is cheap: x runs to the square root of n / {a}, and y is determined by x."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("Zero is represented by x = y = 0 alone.", "representations(0) == 1"),
            (f"{hit} is represented, by x = 3 and y = 2.", f"representations({hit}) >= 1"),
            ("Multiplying n by four never loses a representation.", "all(representations(4 * n) >= representations(n) for n in range(90))"),
        ),
        false_claims=(("Every positive integer is represented.", "all(representations(n) > 0 for n in range(1, 40))"),),
        exercises=tuple((f"In how many ways is {n} of the form {a}x² + {c}y² with x, y >= 0?", str(n)) for n in (a + c, hit, 4 * a + 25 * c)),
        exam=tuple(str(n) for n in dict.fromkeys((0, 1, 2, a, c, a + c, 4 * a, 4 * c, a + 4 * c, hit, hit + 1, 25 * (a + c), (a + c) * (a + 4 * c), a * c, 49 * (a + c) * (1 + a * c), 3 * c, a + 2 * c, a + 3 * c))),
        wrong=spoiled(
            code,
            wrong_formula=(f"rest % {c} == 0 and isqrt(rest // {c}) ** 2 == rest // {c}", f"isqrt(rest) ** 2 == rest and {c} > 0" if c > 1 else "isqrt(rest) % 2 == 0"),
            off_by_one=("x = 0", "x = 1"),
            wrong_constant=(f"rest = n - {a} *", f"rest = n - {a + 1} *"),
        ),
    )  # fmt: skip


def _continued_fraction(d: int) -> Entry:
    root = math.isqrt(d)
    code = fill(
        """
        def root_terms(count: int) -> list[int]:
            terms = []
            m, q, a = 0, 1, <root>
            while len(terms) < count:
                terms.append(a)
                m = q * a - m
                q = (<d> - m * m) // q
                a = (<root> + m) // q
            return terms
        """,
        d=d,
        root=root,
    )
    alternative = fill(
        """
        from fractions import Fraction
        from math import isqrt

        def root_terms(count: int) -> list[int]:
            value = Fraction(isqrt(<d> * 10 ** 240), 10 ** 120)
            terms = []
            for _ in range(count):
                terms.append(value.numerator // value.denominator)
                value = 1 / (value - terms[-1])
            return terms
        """,
        d=d,
    )
    return Entry(
        title=f"Continued fraction of the square root of {d}",
        statement=f"root_terms(count) returns the list of the first `count` terms of the simple continued fraction of sqrt({d}), "
        f"beginning with its whole part {root}, for an integer count >= 0; an empty list for 0.",
        signature="def root_terms(count: int) -> list[int]",
        explanations=(
            (f"Every complete quotient of sqrt({d}) has the form (sqrt({d}) + m) / q with whole m and q. Taking off the whole part and "
            f"inverting gives the next m and q, so the expansion is exact and no decimals are needed."),
            (f"Write sqrt({d}) = {root} + 1/(...), and rationalise the denominator at each level. The integers m, q and a carry the whole "
            f"state; since only finitely many pairs (m, q) exist, the terms become periodic, as Lagrange proved."),
            (f"The recurrence m' = qa - m, q' = ({d} - m'²)/q, a' = ({root} + m') // q produces one term after another. Division by q is "
            f"always exact. The list starts with {root} and repeats a block that ends in {2 * root}."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"The first term is {root}.", f"root_terms(1) == [{root}]"),
            (f"A term {2 * root}, twice the whole part, comes back for ever.", f"{2 * root} in root_terms(40)[1:]"),
            ("All terms are positive.", "min(root_terms(30)) >= 1"),
        ),
        false_claims=(("The expansion ends after finitely many terms.", "len(root_terms(30)) < 30"),),
        exercises=tuple((f"What are the first {n} terms of the continued fraction of sqrt({d})?", str(n)) for n in (3, 6, 10)),
        exam=tuple(map(str, (0, 1, 2, 3, 4, 5, 6, 8, 11, 17, 25))),
        wrong=spoiled(
            code,
            wrong_formula=(f"({d} - m * m) // q", f"({d} + m * m) // q"),
            off_by_one=("len(terms) < count", "len(terms) <= count"),
            wrong_constant=(f"a = ({root} + m)", f"a = ({root + 2} + m)"),
        ),
    )  # fmt: skip


FORMS: tuple[Family, ...] = (
    Family("figurate-numbers", _SLUG, "Figurate numbers", ("integer-roots",), [(s,) for s in range(5, 241)], _figurate),
    Family(
        "integer-roots", _SLUG, "Integer roots", (),
        [(c, k) for c in range(2, 42) for k in range(2, 7)], _integer_root,
    ),
    Family(
        "binary-forms", _SLUG, "Binary quadratic forms", ("figurate-numbers",),
        [(a, c) for a in range(1, 19) for c in range(a + 1, 24) if math.gcd(a, c) == 1], _representations,
    ),
    Family(
        "root-continued-fractions", _SLUG, "Continued fractions of square roots", ("integer-roots",),
        [(d,) for d in range(2, 320) if math.isqrt(d) ** 2 != d], _continued_fraction,
    ),
)  # fmt: skip
