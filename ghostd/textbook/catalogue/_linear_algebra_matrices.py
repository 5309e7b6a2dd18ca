"""The part of linear algebra about one square matrix: its powers and its characteristic polynomial."""

import itertools

from ghostd.textbook.catalogue._numerals import signed, spoken
from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family


def small_matrices(entries: range, step: int) -> list[tuple[int, ...]]:
    """Every `step`-th 2×2 matrix with such entries, none of them zero, and with a determinant beyond ±1."""
    return [
        one for one in itertools.product(entries, repeat=4) if all(one) and abs(one[0] * one[3] - one[1] * one[2]) > 1
    ][::step]


def _matrix_power(a: int, b: int, c: int, d: int) -> Entry:
    trace, determinant = a + d, a * d - b * c
    matrix = [[a, b], [c, d]]
    code = source(
        """
        def matrix_power(n: int) -> list[list[int]]:
            p, q, r, s = 1, 0, 0, 1
            for _ in range(n):
                p, q = p * A_ + q * (C_), p * (B_) + q * (D_)
                r, s = r * A_ + s * (C_), r * (B_) + s * (D_)
            return [[p, q], [r, s]]
        """,
        A_=a,
        B_=b,
        C_=c,
        D_=d,
    )
    alternative = source(
        """
        def matrix_power(n: int) -> list[list[int]]:
            lower, upper = 0, 1
            for _ in range(n):
                lower, upper = upper, TRACE * upper - (DETERMINANT) * lower
            constant = upper - (TRACE) * lower
            return [[lower * A_ + constant, lower * B_], [lower * C_, lower * D_ + constant]]
        """,
        A_=a,
        B_=b,
        C_=c,
        D_=d,
        TRACE=trace,
        DETERMINANT=determinant,
    )
    square = [[a * a + b * c, a * b + b * d], [c * a + d * c, c * b + d * d]]
    return Entry(
        title=f"Powers of the matrix with rows {spoken(a)}, {spoken(b)} and {spoken(c)}, {spoken(d)}",
        statement=f"Return the n-th power of the matrix [[{a}, {b}], [{c}, {d}]] as a nested list of exact integers, for an integer n >= 0. The power with n = 0 is the identity matrix.",
        signature=signature(code),
        explanations=(
            f"Multiply the identity n times by [[{a}, {b}], [{c}, {d}]]. Each new row is a combination of the matrix's rows with the entries of the old row as weights, "
            "so the two rows can be updated one after the other.",
            f"By the Cayley-Hamilton theorem the matrix M satisfies M² = {trace}M {signed(-determinant)}I, since its trace is {trace} and its determinant {determinant}. "
            "Every power is thus a multiple of M plus a multiple of the identity, and the multiples follow the same recurrence.",
            f"Applying the map n times is what the power means: the columns of Mⁿ are the images of the two basis vectors after n rounds. Powers are not taken entry by entry, because each entry of a product "
            f"mixes a whole row with a whole column; already in M² the corner is {a}·{a} + ({b})·({c}).",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                "The power 0 is the identity and the power 1 the matrix itself.",
                f"[matrix_power(0), matrix_power(1)] == [[[1, 0], [0, 1]], {matrix}]",
            ),
            (f"The square is {square}.", f"matrix_power(2) == {square}"),
            (
                f"The determinant of the n-th power is ({determinant})ⁿ.",
                f"all(m[0][0] * m[1][1] - m[0][1] * m[1][0] == ({determinant}) ** n for n, m in ((n, matrix_power(n)) for n in range(9)))",
            ),
        ),
        false_claims=(
            ("The square is taken entry by entry.", f"matrix_power(2) == {[[x * x for x in row] for row in matrix]}"),
        ),
        exercises=(
            ("What is the third power?", "3"),
            ("What is the fifth power?", "5"),
            ("What is the twelfth power?", "12"),
        ),
        exam=calls(0, 1, 2, 3, 4, 5, 6, 9, 16, 25),
        wrong={
            **slips(code, off_by_one=("range(n)", "range(n - 1)"), wrong_constant=(f"s * ({d})", f"s * ({d + 1})")),
            "wrong_formula": source(
                "def matrix_power(n: int) -> list[list[int]]:\n    return [[entry**n for entry in row] for row in MATRIX]",
                MATRIX=matrix,
            ),
        },
    )


def _characteristic_value(at: int) -> Entry:
    code = source(
        """
        def characteristic_value(matrix: list[list[int]]) -> int:
            def determinant(rows: list[list[int]]) -> int:
                if not rows:
                    return 1
                total = 0
                for column, entry in enumerate(rows[0]):
                    minor = [row[:column] + row[column + 1 :] for row in rows[1:]]
                    total += (-1) ** column * entry * determinant(minor)
                return total

            return determinant([[POINT * (i == j) - entry for j, entry in enumerate(row)] for i, row in enumerate(matrix)])
        """,
        POINT=at,
    )
    alternative = source(
        """
        from itertools import permutations
        from math import prod

        def characteristic_value(matrix: list[list[int]]) -> int:
            size = len(matrix)
            total = 0
            for places in permutations(range(size)):
                inversions = sum(places[i] > places[j] for i in range(size) for j in range(i + 1, size))
                total += (-1) ** inversions * prod((POINT if i == j else 0) - matrix[i][j] for i, j in enumerate(places))
            return total
        """,
        POINT=at,
    )
    return Entry(
        title=f"Characteristic polynomial at {spoken(at)}",
        statement=f"Return the value at t = {at} of the characteristic polynomial det(t·I - A) of the square integer matrix A, given as a list of rows with at most 5 rows. "
        "The determinant of the empty matrix is 1.",
        signature=signature(code),
        explanations=(
            f"Put {at} minus the entry on the diagonal and minus the entry elsewhere, then take the determinant, for example by expanding along the first row. "
            f"The result is zero exactly when {at} is an eigenvalue of A.",
            f"The number det(tI - A) at t = {at} is the product of {at} - λ over all eigenvalues λ, complex ones and repetitions included. "
            f"It therefore tells whether A - {spoken(at)} times the identity can be inverted, without knowing a single eigenvalue.",
            f"With the convention det(tI - A) the polynomial starts with +tⁿ, whatever the size n. The other convention, det(A - tI), differs by the factor (-1)ⁿ, "
            f"so for matrices of odd size the two values at {at} have opposite signs.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"{at} is an eigenvalue of [[{at}, 1], [0, 3]].", f"characteristic_value([[{at}, 1], [0, 3]]) == 0"),
            (
                f"For a 2×2 matrix it is t² - trace·t + determinant: for [[1, 2], [3, 4]] that gives {at * at - 5 * at - 2}.",
                f"characteristic_value([[1, 2], [3, 4]]) == {at * at - 5 * at - 2}",
            ),
            (
                f"The zero matrix of size 3 gives {at}³.",
                f"characteristic_value([[0, 0, 0], [0, 0, 0], [0, 0, 0]]) == {at**3}",
            ),
        ),
        false_claims=(("It equals det(A - tI) for every size.", f"characteristic_value([[{at + 1}]]) == 1"),),
        exercises=(
            ("What is it for [[2, 1], [1, 2]]?", "[[2, 1], [1, 2]]"),
            ("What is it for [[0, 1], [-1, 0]]?", "[[0, 1], [-1, 0]]"),
            ("What is it for [[1, 2, 3], [4, 5, 6], [7, 8, 9]]?", "[[1, 2, 3], [4, 5, 6], [7, 8, 9]]"),
        ),
        exam=calls(
            [],
            [[0]],
            [[7]],
            [[at]],
            [[1, 2], [3, 4]],
            [[at, 1], [0, 3]],
            [[0, 1], [-1, 0]],
            [[0, 0, 0], [0, 0, 0], [0, 0, 0]],
            [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
            [[2, -1, 0], [5, 3, 1], [-4, 1, 6]],
            [[1, 0, 2, -1], [3, 0, 0, 5], [2, 1, 4, -3], [1, 0, 5, 0]],
        ),
        wrong=slips(
            code,
            wrong_formula=("(-1) ** column * entry", "entry"),
            off_by_one=("(-1) ** column", "(-1) ** (column + 1)"),
            wrong_constant=(f"[[{at} *", f"[[{at + 1} *"),
        ),
    )


FAMILIES: tuple[Family, ...] = (
    Family("matrix-powers", "linear-algebra", "Powers of matrices", (), small_matrices(range(-2, 5), 4), _matrix_power),
    Family(
        "characteristic-values",
        "linear-algebra",
        "Values of characteristic polynomials",
        ("tridiagonal-determinants",),
        [(t,) for t in range(-50, 51) if t],
        _characteristic_value,
    ),
)
