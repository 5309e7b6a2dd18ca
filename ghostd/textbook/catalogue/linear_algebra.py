"""Linear algebra: systems, determinants, rank and powers of matrices (this file), and the geometry of vectors."""

from ghostd.core.concept import Domain
from ghostd.textbook.catalogue._examples import illustrated
from ghostd.textbook.catalogue._linear_algebra_geometry import FAMILIES as _GEOMETRY
from ghostd.textbook.catalogue._linear_algebra_matrices import FAMILIES as _MATRICES
from ghostd.textbook.catalogue._linear_algebra_matrices import small_matrices
from ghostd.textbook.catalogue._linear_algebra_orthogonality import FAMILIES as _ORTHOGONALITY
from ghostd.textbook.catalogue._numerals import signed, spoken
from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family

DOMAIN = Domain(
    "linear-algebra",
    "Linear algebra",
    "Systems of equations, determinants, rank, powers of matrices, projections, reflections, rotations and least squares, in exact arithmetic.",
)

_PRIMES = tuple(n for n in range(5, 240) if all(n % d for d in range(2, n)))
_OFF_DIAGONALS = (
    (1, 1),
    (1, 2),
    (1, 3),
    (1, -1),
    (1, -2),
    (2, 2),
    (1, 5),
    (2, 3),
    (1, 7),
    (2, 4),
    (3, 3),
    (2, 5),
    (1, -3),
    (2, -2),
    (1, -5),
)


def _tridiagonal(diagonal: int, above: int, below: int) -> Entry:
    product = above * below
    code = source(
        """
        def tridiagonal_determinant(n: int) -> int:
            before, current = 0, 1
            for _ in range(n):
                before, current = current, DIAGONAL * current - (PRODUCT) * before
            return current
        """,
        DIAGONAL=diagonal,
        PRODUCT=product,
    )
    alternative = source(
        """
        from fractions import Fraction

        def tridiagonal_determinant(n: int) -> int:
            rows = [[Fraction({0: DIAGONAL, 1: ABOVE, -1: BELOW}.get(j - i, 0)) for j in range(n)] for i in range(n)]
            determinant = Fraction(1)
            for k in range(n):
                pivot = next((i for i in range(k, n) if rows[i][k]), None)
                if pivot is None:
                    return 0
                if pivot != k:
                    rows[k], rows[pivot] = rows[pivot], rows[k]
                    determinant = -determinant
                determinant *= rows[k][k]
                for i in range(k + 1, n):
                    factor = rows[i][k] / rows[k][k]
                    rows[i] = [x - factor * y for x, y in zip(rows[i], rows[k])]
            return int(determinant)
        """,
        DIAGONAL=diagonal,
        ABOVE=above,
        BELOW=below,
    )
    two, three = diagonal**2 - product, diagonal**3 - 2 * diagonal * product
    return Entry(
        title=f"Tridiagonal determinant with diagonal {spoken(diagonal)}, above {spoken(above)} and below {spoken(below)}",
        statement=f"The n×n matrix T has {diagonal} everywhere on its diagonal, {above} directly above it, {below} directly below it, and zeros elsewhere. Return its determinant, an exact integer, "
        "for an integer n >= 0. The determinant of the empty matrix is 1.",
        signature=signature(code),
        explanations=(
            f"Expand along the last row. The corner entry {diagonal} multiplies the determinant of the next smaller matrix of the same kind, and the two entries beside the diagonal meet in the product {above} · ({below}) = {product}, "
            f"which is subtracted times the determinant two sizes down.",
            f"The determinants follow a recurrence of second order, D(n) = {diagonal}·D(n-1) {signed(-product)}·D(n-2), with D(0) = 1 and D(1) = {diagonal}. "
            "So no elimination is needed, two numbers suffice, and the cost grows only linearly with n.",
            f"Only the product of the entries {above} and {below} matters, not each by itself, since in every term of Leibniz' formula a step above the diagonal is paired with a step below it. "
            f"Each such pair contributes the factor -({product}) in place of two diagonal entries.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                f"For n = 2 the determinant is {diagonal}² - ({product}) = {two}.",
                f"tridiagonal_determinant(2) == {two}",
            ),
            (f"For n = 3 it is {three}.", f"tridiagonal_determinant(3) == {three}"),
            (
                "The empty matrix has determinant 1 and the 1×1 matrix its only entry.",
                f"[tridiagonal_determinant(0), tridiagonal_determinant(1)] == [1, {diagonal}]",
            ),
        ),
        false_claims=(
            (
                f"Being a band, it has the determinant of its diagonal, {diagonal}ⁿ.",
                f"tridiagonal_determinant(2) == {diagonal**2}",
            ),
        ),
        exercises=(
            ("What is the determinant for n = 4?", "4"),
            ("What is it for n = 6?", "6"),
            ("What is it for n = 12?", "12"),
        ),
        exam=calls(0, 1, 2, 3, 4, 5, 6, 7, 8, 13, 20),
        wrong=slips(
            code,
            wrong_formula=(f"- ({product})", f"+ ({product})"),
            off_by_one=("range(n)", "range(n + 1)"),
            wrong_constant=(f"({product})", f"({product + 1})"),
        ),
    )


def _cramer(a: int, b: int, c: int, d: int) -> Entry:
    determinant = a * d - b * c
    code = source(
        """
        from fractions import Fraction

        def solve(e: int, f: int) -> list[list[int]]:
            x = Fraction(e * (D_) - (B_) * f, DETERMINANT)
            y = Fraction(A_ * f - e * (C_), DETERMINANT)
            return [[x.numerator, x.denominator], [y.numerator, y.denominator]]
        """,
        A_=a,
        B_=b,
        C_=c,
        D_=d,
        DETERMINANT=determinant,
    )
    alternative = source(
        """
        from fractions import Fraction

        def solve(e: int, f: int) -> list[list[int]]:
            factor = Fraction(C_, A_)
            y = (f - factor * e) / (D_ - factor * (B_))
            x = (e - (B_) * y) / A_
            return [list(value.as_integer_ratio()) for value in (x, y)]
        """,
        A_=a,
        B_=b,
        C_=c,
        D_=d,
    )
    first, second = f"{a}x {signed(b)}y = e", f"{c}x {signed(d)}y = f"
    return Entry(
        title=f"Linear system with rows {spoken(a)}, {spoken(b)} and {spoken(c)}, {spoken(d)}",
        statement=f"Solve the system {first} and {second} for integers e and f. Return [[p, q], [r, s]] with x = p/q and y = r/s, both reduced with a positive denominator; zero is [0, 1].",
        signature=signature(code),
        explanations=(
            f"Cramer's rule: each unknown is a quotient of determinants. The denominator is {a}·({d}) - ({b})·({c}) = {determinant}, and the numerator replaces the unknown's column by the right-hand side. "
            f"Because {determinant} is not zero, exactly one solution exists.",
            f"Subtract {c}/{a} times the first equation from the second: x disappears and y can be read off, then x follows from the first equation. "
            f"Common factors with {determinant} cancel, which is why the fractions must be reduced at the end.",
            f"The matrix [[{a}, {b}], [{c}, {d}]] stretches areas by {determinant}, so it can be undone. Its inverse swaps the diagonal, flips the signs of the other two entries and divides by {determinant}; "
            "applied to (e, f) it gives the solution.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"e = {a + b}, f = {c + d} comes from x = y = 1.", f"solve({a + b}, {c + d}) == [[1, 1], [1, 1]]"),
            ("A zero right-hand side has only the zero solution.", "solve(0, 0) == [[0, 1], [0, 1]]"),
            (
                f"e = {2 * a - b}, f = {2 * c - d} comes from x = 2 and y = -1.",
                f"solve({2 * a - b}, {2 * c - d}) == [[2, 1], [-1, 1]]",
            ),
        ),
        false_claims=(
            (
                f"Each row may be solved alone: e = {a}, f = {d} gives x = 1 and y = 1.",
                f"solve({a}, {d}) == [[1, 1], [1, 1]]",
            ),
        ),
        exercises=(
            ("What is the solution for e = 1 and f = 0?", "1, 0"),
            ("What is it for e = 5 and f = 7?", "5, 7"),
            ("What is it for e = -2 and f = 3?", "-2, 3"),
        ),
        exam=calls((0, 0), (1, 0), (0, 1), (1, 1), (a + b, c + d), (a, c), (b, d), (5, 7), (-2, 3), (100, -41)),
        wrong=slips(
            code,
            wrong_formula=(f"- e * ({c})", f"+ e * ({c})"),
            off_by_one=(f"{determinant})\n    y", f"{determinant + (1 if determinant > 0 else -1)})\n    y"),
            wrong_constant=(f"e * ({d})", f"e * ({d + 1})"),
        ),
    )


def _rank(prime: int) -> Entry:
    code = source(
        """
        def rank(matrix: list[list[int]]) -> int:
            rows, found = [list(row) for row in matrix], 0
            for column in range(len(matrix[0])):
                pivot = next((row for row in rows if row[column] % PRIME), None)
                if pivot is None:
                    continue
                found += 1
                rows.remove(pivot)
                inverse = pow(pivot[column], -1, PRIME)
                for row in rows:
                    factor = row[column] * inverse
                    row[:] = [(x - factor * y) % PRIME for x, y in zip(row, pivot)]
            return found
        """,
        PRIME=prime,
    )
    alternative = source(
        """
        def rank(matrix: list[list[int]]) -> int:
            basis = {}
            for row in matrix:
                rest = [entry % PRIME for entry in row]
                while any(rest):
                    lead = next(place for place, entry in enumerate(rest) if entry)
                    if lead not in basis:
                        scale = pow(rest[lead], -1, PRIME)
                        basis[lead] = [entry * scale % PRIME for entry in rest]
                        break
                    factor = rest[lead]
                    rest = [(x - factor * y) % PRIME for x, y in zip(rest, basis[lead])]
            return len(basis)
        """,
        PRIME=prime,
    )
    return Entry(
        title=f"Rank of a matrix modulo {prime}",
        statement=f"Return the rank of the given matrix over the field of integers modulo the prime {prime}: the largest number of rows that are linearly independent modulo {prime}. "
        "The matrix is a non-empty list of non-empty rows of equal length with integer entries of any sign and size.",
        signature=signature(code),
        properties=("assert rank(matrix) == rank([list(column) for column in zip(*matrix)])",),
        explanations=(
            f"Gaussian elimination needs only a field, and the integers modulo {prime} are one. Find a row with a non-zero entry in the column, use its inverse to clear the column in the other rows, "
            "and count how many pivots turn up.",
            f"Rows that are independent over the rationals may become dependent modulo {prime}, because a determinant that is a multiple of {prime} counts as zero. "
            f"That is why the rank modulo {prime} never exceeds the ordinary rank but may be smaller.",
            f"A matrix of rank r maps vectors onto a space with {prime}^r elements. Row operations do not change that number, so after clearing columns one simply counts the rows that still carry a pivot; "
            "what remains of the columns is the dimension of the null space.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                f"[[{prime}]] has rank 0 although the entry is not zero.",
                f"[rank([[{prime}]]), rank([[{prime + 1}]])] == [0, 1]",
            ),
            (
                f"[[1, 1], [1, {prime + 1}]] has determinant {prime} and so only rank 1.",
                f"rank([[1, 1], [1, {prime + 1}]]) == 1",
            ),
            (
                "A matrix and its transpose have equal rank.",
                "rank([[1, 0, 1], [0, 1, 1]]) == rank([[1, 0], [0, 1], [1, 1]]) == 2",
            ),
        ),
        false_claims=(
            (f"The rank modulo {prime} is the same as over the rationals.", f"rank([[{prime}, 0], [0, 1]]) == 2"),
        ),
        exercises=(
            ("What is the rank of [[1, 2], [3, 4]]?", "[[1, 2], [3, 4]]"),
            ("What is the rank of [[1, 2, 3], [2, 4, 6]]?", "[[1, 2, 3], [2, 4, 6]]"),
            (f"What is the rank of [[{prime}, 1], [1, 0]]?", f"[[{prime}, 1], [1, 0]]"),
        ),
        exam=calls(
            [[0]],
            [[1]],
            [[prime]],
            [[prime + 1]],
            [[0, 1], [1, 0]],
            [[1, 1], [1, prime + 1]],
            [[1, 2], [2, 4 + prime]],
            [[1, 2], [3, 5]],
            [[2, 4], [3, 6]],
            [[0, 0, 1], [0, 0, 2]],
            [[1, 1, 0], [0, 1, 1], [1, 2, 1], [1, 0, -1]],
            [[1, 0, 2], [0, 1, 1], [1, 1, 3 + prime]],
            [[2 * prime, 1, 5], [1, prime, 1], [-1, 0, prime * prime]],
            [[prime - 1, 1, 1, 1], [1, prime - 1, 1, 1], [1, 1, prime - 1, 1], [1, 1, 1, prime - 1]],
        ),
        wrong=slips(
            code,
            wrong_formula=(f"(x - factor * y) % {prime}", "x - row[column] * y"),
            off_by_one=("range(len(matrix[0]))", "range(1, len(matrix[0]))"),
            wrong_constant=(
                f"if row[column] % {prime})",
                f"if row[column] % {prime + 1})",
            ),
        ),
    )


FAMILIES: tuple[Family, ...] = illustrated(
    (
        Family(
            "linear-systems",
            "linear-algebra",
            "Linear systems of two equations",
            (),
            small_matrices(range(-3, 5), 8),
            _cramer,
        ),
        Family(
            "tridiagonal-determinants",
            "linear-algebra",
            "Tridiagonal determinants",
            ("linear-systems",),
            [(a, b, c) for a in range(-8, 9) if a for b, c in _OFF_DIAGONALS],
            _tridiagonal,
        ),
        Family(
            "rank-modulo-prime",
            "linear-algebra",
            "Rank modulo a prime",
            ("linear-systems",),
            [(p,) for p in _PRIMES],
            _rank,
        ),
        *_GEOMETRY,
        *_ORTHOGONALITY,
        *_MATRICES,
    )
)
