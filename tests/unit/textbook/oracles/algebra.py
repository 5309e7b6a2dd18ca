"""What algebra's functions must return, by other means than the catalogue's: exact integers, pairs, counting."""

import math


def _quadratic_roots(prime, linear):
    def roots(c):
        """By Vieta: the pairs whose monic polynomial (t - x)(t - y) has the coefficients asked for."""
        pairs = ((x, y) for x in range(prime) for y in range(x, prime))
        found = [{x, y} for x, y in pairs if (x + y + linear) % prime == 0 and (x * y - c) % prime == 0]
        return sorted(set().union(*found))

    return roots


def _synthetic_division(root, prime):
    def divide(coefficients):
        """Long division of polynomials with their terms in a dictionary, over the integers, reduced at the end."""
        degree = len(coefficients) - 1
        left = {degree - place: coefficient for place, coefficient in enumerate(coefficients)}
        row = []
        for power in range(degree, 0, -1):
            lead = left.pop(power)
            row.append(lead % prime)
            left[power - 1] -= lead * -root
        return [*row, *(value % prime for value in left.values())]

    return divide


def _geometric_sum(ratio, modulus):
    return lambda terms: sum(ratio**power for power in range(terms)) % modulus


def _lucas_u(p, q):
    return lambda n: sum(math.comb(n - 1 - k, k) * p ** (n - 1 - 2 * k) * (-q) ** k for k in range((n + 1) // 2))


def _series_sum(first, difference):
    def add(terms):
        total, term = 0, first
        while terms > 0:
            total, term, terms = total + term, term + difference, terms - 1
        return total

    return add


def _permutation_power(exponent):
    def power(permutation):
        """Follow each element alone until it is back, which tells the length of its cycle, then pick the stop."""
        images = []
        for element in range(len(permutation)):
            stops = [element]
            while (after := permutation[stops[-1]]) != element:
                stops.append(after)
            images.append(stops[exponent % len(stops)])
        return images

    return power


def _surd_power(radicand, modulus):
    def power(a, b, n):
        terms = [(k, math.comb(n, k) * a ** (n - k) * b**k * radicand ** (k // 2)) for k in range(n + 1)]
        return [sum(value for k, value in terms if k % 2 == parity) % modulus for parity in (0, 1)]

    return power


def _field_multiply(poly):
    degree = poly.bit_length() - 1
    modulus = [poly >> place & 1 for place in range(degree + 1)]

    def multiply(a, b):
        """Lists of coefficients over the integers, divided by the monic modulus, taken modulo 2 only at the end."""
        product = [0] * (2 * degree + 1)
        for i in range(degree):
            for j in range(degree):
                product[i + j] += (a >> i & 1) * (b >> j & 1)
        for place in range(2 * degree, degree - 1, -1):
            lead = product[place]
            for offset in range(degree + 1):
                product[place - degree + offset] -= lead * modulus[offset]
        return sum(coefficient % 2 << place for place, coefficient in enumerate(product[:degree]))

    return multiply


def _filtered_sum(order, residue):
    return lambda coefficients: sum(coefficients[residue::order])


ORACLES = {
    "arithmetic-series": _series_sum,
    "geometric-series-modulo": _geometric_sum,
    "synthetic-division": _synthetic_division,
    "quadratic-congruences": _quadratic_roots,
    "lucas-sequences": _lucas_u,
    "permutation-powers": _permutation_power,
    "quadratic-ring-powers": _surd_power,
    "binary-field-multiplication": _field_multiply,
    "roots-of-unity-filter": _filtered_sum,
}
