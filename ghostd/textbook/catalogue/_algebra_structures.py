"""The part of algebra about structures: permutations, quadratic rings, finite fields and roots of unity."""

import math

from ghostd.textbook.catalogue._numerals import spoken
from ghostd.textbook.catalogue._source import calls, signature, slips, source
from ghostd.textbook.catalogue.family import Entry, Family

_RING_MODULI = (19, 23, 25, 27, 29, 31, 32, 35, 37, 41, 43, 47, 49, 50, 53, 64, 100)


def _irreducible(degree: int) -> list[int]:
    """Every irreducible polynomial of that degree over GF(2), as the integer whose bits are its coefficients."""
    return [
        poly for poly in range(1 << degree, 2 << degree) if all(_remainder(poly, d) for d in range(2, 2 << degree // 2))
    ]


def _remainder(dividend: int, divisor: int) -> int:
    while dividend.bit_length() >= divisor.bit_length():
        dividend ^= divisor << dividend.bit_length() - divisor.bit_length()
    return dividend


def _in_powers(poly: int) -> str:
    """The polynomial over GF(2) as people write it: 0b1011 is x^3 + x + 1."""
    names = {0: "1", 1: "x"}
    return " + ".join(
        names.get(power, f"x^{power}") for power in reversed(range(poly.bit_length())) if poly >> power & 1
    )


def _permutation_power(exponent: int) -> Entry:
    forward = exponent > 0
    base = "permutation" if forward else "inverse"
    code = source(
        f"""
        def permutation_power(permutation: list[int]) -> list[int]:
            {"" if forward else "inverse = sorted(range(len(permutation)), key=permutation.__getitem__)"}
            result = list(range(len(permutation)))
            for _ in range(COUNT):
                result = [{base}[image] for image in result]
            return result
        """,
        COUNT=abs(exponent),
    ).replace("    \n", "")
    alternative = source(
        """
        def permutation_power(permutation: list[int]) -> list[int]:
            result = [-1] * len(permutation)
            for start in range(len(permutation)):
                cycle = []
                while result[start] == -1 and start not in cycle:
                    cycle.append(start)
                    start = permutation[start]
                for place, element in enumerate(cycle):
                    result[element] = cycle[(place + EXPONENT) % len(cycle)]
            return result
        """,
        EXPONENT=exponent,
    )
    cycle = [1, 2, 3, 4, 5, 6, 0]
    rotated = [(place + exponent) % 7 for place in range(7)]
    swap = [0, 1] if exponent % 2 == 0 else [1, 0]
    direction = "applied" if forward else "undone"
    return Entry(
        title=f"Permutation raised to the power {spoken(exponent)}",
        statement=f"A permutation of 0..n-1 is given as the list of its images: element i goes to permutation[i]. Return the list of images of its power with exponent "
        f"{exponent}, that is, the permutation {direction} {abs(exponent)} times in a row. The empty list is the permutation of no elements.",
        signature=signature(code),
        explanations=(
            f"Raising a permutation to the power {exponent} means following every element {abs(exponent)} arrows {'forwards' if forward else 'backwards'}. "
            "Elements of one cycle only ever visit that cycle, so powers never mix cycles.",
            f"Inside a cycle of length L the power acts like a rotation by {exponent} places, and only {exponent} modulo L matters. "
            f"A cycle whose length divides {abs(exponent)} is therefore frozen: each of its elements returns to itself.",
            f"Permutations form a group under composition, so exponents add and a negative exponent means the inverse. Composing the {base} with "
            f"itself {abs(exponent)} times is slow but plain; cutting the permutation into cycles first gives the same images at once.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("The identity stays the identity.", "permutation_power([0, 1, 2, 3]) == [0, 1, 2, 3]"),
            (
                f"A swap becomes {'the identity' if swap == [0, 1] else 'itself'}, since {exponent} is {'even' if swap == [0, 1] else 'odd'}.",
                f"permutation_power([1, 0]) == {swap}",
            ),
            (f"A cycle of seven elements is rotated by {exponent} places.", f"permutation_power({cycle}) == {rotated}"),
        ),
        false_claims=(
            (
                "Powers are taken image by image: i goes to permutation[i] times the exponent, modulo n.",
                f"all(permutation_power(p) == [image * {exponent} % len(p) for image in p] for p in ([1, 2, 0, 3], {cycle}, [1, 0, 3, 4, 2]))",
            ),
        ),
        exercises=(
            ("Where does each element of the five-cycle 0 → 1 → 2 → 3 → 4 → 0 end up?", "[1, 2, 3, 4, 0]"),
            ("What is the power of a permutation with a 2-cycle and a 3-cycle?", "[1, 0, 3, 4, 2]"),
            ("What is the power of the reversal of four elements?", "[3, 2, 1, 0]"),
        ),
        exam=calls(
            [],
            [0],
            [1, 0],
            [1, 2, 0],
            [3, 2, 1, 0],
            [1, 2, 3, 4, 0],
            [1, 0, 3, 4, 2],
            cycle,
            [2, 0, 1, 4, 5, 3, 6],
            [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0],
            [12, *range(12)],
        ),
        wrong={
            **slips(
                code,
                off_by_one=(f"range({abs(exponent)})", f"range({abs(exponent) - 1})"),
                wrong_constant=(f"range({abs(exponent)})", f"range({abs(exponent) + 2})"),
            ),
            "wrong_formula": source(
                "def permutation_power(permutation: list[int]) -> list[int]:\n    return [image * EXPONENT % len(permutation) for image in permutation]",
                EXPONENT=exponent,
            ),
        },
    )


def _quadratic_ring(radicand: int, modulus: int) -> Entry:
    code = source(
        """
        def surd_power(a: int, b: int, n: int) -> list[int]:
            x, y = 1, 0
            for _ in range(n):
                x, y = (x * a + (RADICAND) * y * b) % MODULUS, (x * b + y * a) % MODULUS
            return [x, y]
        """,
        RADICAND=radicand,
        MODULUS=modulus,
    )
    alternative = source(
        """
        def surd_power(a: int, b: int, n: int) -> list[int]:
            if n == 0:
                return [1, 0]
            x, y = surd_power(a, b, n // 2)
            x, y = (x * x + (RADICAND) * y * y) % MODULUS, 2 * x * y % MODULUS
            if n % 2:
                x, y = (x * a + (RADICAND) * y * b) % MODULUS, (x * b + y * a) % MODULUS
            return [x, y]
        """,
        RADICAND=radicand,
        MODULUS=modulus,
    )
    name = "i, the square root of -1" if radicand == -1 else f"w, a square root of {radicand}"
    return Entry(
        title=f"Powers of a + bw with w² = {spoken(radicand)} modulo {modulus}",
        statement=f"Adjoin to the integers an element w with w² = {radicand} and compute modulo {modulus}. For integers a and b and an exponent n >= 0 return "
        f"[x, y] with (a + bw)ⁿ = x + yw, where x and y are reduced to 0..{modulus - 1}. The power with n = 0 is [1, 0].",
        signature=signature(code),
        explanations=(
            f"Numbers of the form a + bw, with {name}, multiply like polynomials in w, after which w² is replaced by {radicand}. Hence "
            f"(x + yw)(a + bw) = (xa + {radicand}·yb) + (xb + ya)w, and n such products give the power. Reducing modulo {modulus} after each keeps them small.",
            f"The ring of pairs modulo {modulus} has {modulus**2} elements, so the powers of a + bw must repeat. A power is computed by multiplying step by step "
            f"or by squaring; both use only the rule w·w = {radicand}.",
            f"Expand (a + bw)ⁿ by the binomial theorem: even powers of w are ordinary numbers, {radicand} to the half exponent, and odd ones keep one w. "
            "The first group is x, the second is y, which is why w never has to be a number modulo m at all.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"w squared is {radicand} modulo {modulus}.", f"surd_power(0, 1, 2) == [{radicand % modulus}, 0]"),
            (
                "Exponents add.",
                f"(lambda u, v: [(u[0] * v[0] + ({radicand}) * u[1] * v[1]) % {modulus}, (u[0] * v[1] + u[1] * v[0]) % {modulus}])(surd_power(3, 2, 4), surd_power(3, 2, 5)) == surd_power(3, 2, 9)",
            ),
            (
                f"(1 + w)² is {1 + radicand} + 2w, reduced modulo {modulus}.",
                f"surd_power(1, 1, 2) == [{(1 + radicand) % modulus}, 2]",
            ),
        ),
        false_claims=(
            (
                "A power is taken part by part: (a + bw)ⁿ = aⁿ + bⁿw.",
                f"all(surd_power(2, 3, n) == [2**n % {modulus}, 3**n % {modulus}] for n in range(6))",
            ),
        ),
        exercises=(
            ("What is (2 + 3w)³?", "2, 3, 3"),
            ("What is (1 - w)⁵?", "1, -1, 5"),
            ("What is (4 + w)¹²?", "4, 1, 12"),
        ),
        exam=calls(
            (1, 1, 0),
            (5, 7, 1),
            (0, 1, 2),
            (0, 1, 3),
            (1, 1, 2),
            (2, 3, 3),
            (-1, 4, 5),
            (modulus, 2, 4),
            (modulus + 1, modulus + 1, 6),
            (3, -2, 17),
            (6, 5, 60),
        ),
        wrong=slips(
            code,
            wrong_formula=("(x * b + y * a)", "(x * b - y * a)"),
            off_by_one=("range(n)", "range(1, n)"),
            wrong_constant=(f"({radicand}) *", f"({radicand + 1}) *"),
        ),
    )


def _binary_field(poly: int) -> Entry:
    degree = poly.bit_length() - 1
    top, shown = 1 << degree, _in_powers(poly)
    code = source(
        """
        def field_multiply(a: int, b: int) -> int:
            product = 0
            while b:
                if b & 1:
                    product ^= a
                a <<= 1
                if a >= TOP:
                    a ^= POLY
                b >>= 1
            return product
        """,
        TOP=top,
        POLY=poly,
    )
    alternative = source(
        """
        def field_multiply(a: int, b: int) -> int:
            product = 0
            for place in range(b.bit_length()):
                product ^= (b >> place & 1) * (a << place)
            for place in reversed(range(DEGREE, product.bit_length())):
                if product >> place & 1:
                    product ^= POLY << (place - DEGREE)
            return product
        """,
        DEGREE=degree,
        POLY=poly,
    )
    rest = poly ^ top
    return Entry(
        title=f"Multiplication in GF(2^{degree}) with {shown}",
        statement=f"The field GF(2^{degree}) is built from polynomials over GF(2) modulo the irreducible polynomial {shown}. An element is an integer 0..{top - 1}: "
        "bit i is the coefficient of x^i. Return the product of the elements a and b as such an integer.",
        signature=signature(code),
        properties=("assert field_multiply(a, b) == field_multiply(b, a)", "assert field_multiply(a, 1) == a"),
        explanations=(
            f"Shift and add as in long multiplication, except that adding is XOR because 1 + 1 = 0. Whenever the shifted factor reaches degree {degree}, "
            f"replace x^{degree} by the lower terms of {shown}, which is what XOR with {poly} does.",
            f"Two polynomials of degree below {degree} are multiplied and the result is divided by {shown}; the remainder is the product. "
            f"Since that polynomial has no factors, every non-zero element has an inverse and the {top} remainders form a field.",
            f"Doubling an element means multiplying by x. That moves all bits up by one, and a bit that falls out at position {degree} comes back as {rest}, "
            f"since x^{degree} equals {_in_powers(rest)} in this field. Each product is a XOR of such doublings.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                "One is neutral.",
                f"all(field_multiply(a, 1) == a == field_multiply(1, a) for a in range({min(top, 64)}))",
            ),
            (
                f"x^{degree - 1} times x is {rest}, because x^{degree} wraps around.",
                f"field_multiply({top >> 1}, 2) == {rest}",
            ),
            (
                f"Multiplying by {top - 1} permutes all {top} elements: there are no zero divisors.",
                f"sorted(field_multiply({top - 1}, a) for a in range({top})) == list(range({top}))",
            ),
        ),
        false_claims=(
            (
                f"It is ordinary multiplication modulo {top}.",
                f"all(field_multiply({top - 1}, a) == {top - 1} * a % {top} for a in range({top}))",
            ),
        ),
        exercises=(
            ("What is x times x?", "2, 2"),
            (f"What is {top - 1} squared?", f"{top - 1}, {top - 1}"),
            ("What is x + 1 times itself?", "3, 3"),
        ),
        exam=calls(
            (0, 0),
            (0, 3),
            (3, 0),
            (1, 1),
            (2, 2),
            (3, 3),
            (2, 3),
            (top >> 1, 2),
            (2, top >> 1),
            (top - 1, top - 1),
            (top - 1, 2),
            (top - 2, top - 1),
            (top >> 1, top >> 1),
        ),
        wrong={
            **slips(
                code, off_by_one=(f"a >= {top}", f"a > {top}"), wrong_constant=(f"a ^= {poly}", f"a ^= {poly ^ 2}")
            ),
            "wrong_formula": source("def field_multiply(a: int, b: int) -> int:\n    return a * b % TOP", TOP=top),
        },
    )


def _unity_filter(order: int, residue: int) -> Entry:
    code = source(
        """
        def filtered_sum(coefficients: list[int]) -> int:
            total = 0
            for power, coefficient in enumerate(coefficients):
                if power % ORDER == RESIDUE:
                    total += coefficient
            return total
        """,
        ORDER=order,
        RESIDUE=residue,
    )
    alternative = source(
        """
        from cmath import exp, pi

        def filtered_sum(coefficients: list[int]) -> int:
            total = 0j
            for turn in range(ORDER):
                root = exp(2j * pi * turn / ORDER)
                value = sum(coefficient * root**power for power, coefficient in enumerate(coefficients))
                total += value * root**-RESIDUE
            return round(total.real / ORDER)
        """,
        ORDER=order,
        RESIDUE=residue,
    )
    reached = math.comb(order, residue) + (residue == 0)
    length = 3 * order + 1
    return Entry(
        title=f"Roots of unity filter: powers {residue} modulo {order}",
        statement="The integer coefficients of a polynomial are given, constant term first. Return the sum of those that belong to a power whose remainder on division "
        f"by {order} is {residue}. No such power, or an empty list, gives 0.",
        signature=signature(code),
        explanations=(
            f"Evaluate the polynomial at the {order} complex {order}-th roots of unity, turn each value back by the root to the power {residue}, and average. "
            f"For every power other than {residue} modulo {order} the turned roots cancel, so exactly the wanted coefficients survive.",
            f"The sum of all {order}-th roots of unity is zero, unless each is raised to a multiple of {order}, when it is {order}. This orthogonality is a comb: "
            f"it picks every {order}-th coefficient, starting at the one of x^{residue}. Reading the list with that stride gives the same number without complex arithmetic.",
            f"Generating functions often need only the terms whose index leaves remainder {residue}. Stepping through the coefficients with stride {order} "
            f"from position {residue} adds those terms directly; the formula with roots of unity proves that the result can also be found from {order} values of the polynomial.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (
                f"In (1 + x)^{order} the chosen binomial coefficients add up to {reached}.",
                f"filtered_sum({[math.comb(order, k) for k in range(order + 1)]}) == {reached}",
            ),
            (f"The single power x^{residue} is kept.", f"filtered_sum({[0] * residue + [7]}) == 7"),
            (
                f"The next power, x^{residue + 1}, is dropped.",
                f"filtered_sum({[0] * (residue + 1) + [7]}) == 0 and filtered_sum({[0] * (residue + order) + [5]}) == 5",
            ),
        ),
        false_claims=(
            (
                f"Each remainder gets an equal share of the coefficients, one in {order}.",
                f"filtered_sum({[0] * residue + [order]}) == 1",
            ),
        ),
        exercises=(
            ("What remains of 1 + 2x + 3x² + 4x³ + 5x⁴ + 6x⁵?", "[1, 2, 3, 4, 5, 6]"),
            (f"How many powers below x^{length} have the right remainder?", f"{[1] * length}"),
            ("What is left of the constant 9?", "[9]"),
        ),
        exam=calls(
            [],
            [4],
            [2, 3],
            [1, 10, 100],
            [0] * residue + [7, 1],
            [3] * (residue + order) + [2],
            [1] * length,
            list(range(5, 5 + length)),
            [(-2) ** (k % 11) for k in range(length)],
            [k * k - 40 for k in range(2 * order)],
        ),
        wrong=slips(
            code,
            wrong_formula=(f"power % {order} ==", f"power // {order} =="),
            off_by_one=("enumerate(coefficients)", "enumerate(coefficients, 1)"),
            wrong_constant=(f"% {order}", f"% {order + 1}"),
        ),
    )


FAMILIES: tuple[Family, ...] = (
    Family(
        "permutation-powers",
        "algebra",
        "Powers of permutations",
        (),
        [(k * sign,) for k in range(2, 61) for sign in (1, -1)],
        _permutation_power,
    ),
    Family(
        "quadratic-ring-powers",
        "algebra",
        "Powers in quadratic rings",
        ("quadratic-congruences",),
        [(d, m) for d in (-7, -6, -5, -3, -2, -1, 2, 3, 5, 6, 7, 8, 10, 11) for m in _RING_MODULI],
        _quadratic_ring,
    ),
    Family(
        "binary-field-multiplication",
        "algebra",
        "Multiplication in GF(2^k)",
        ("synthetic-division",),
        [(poly,) for k in range(2, 11) for poly in _irreducible(k)],
        _binary_field,
    ),
    Family(
        "roots-of-unity-filter",
        "algebra",
        "Roots of unity filter",
        ("geometric-series-modulo",),
        [(n, r) for n in range(2, 22) for r in range(n)],
        _unity_filter,
    ),
)
