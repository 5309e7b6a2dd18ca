"""Independent answers for text and encodings: tables, bit strings, the standard library and exhaustive search."""

import string
import textwrap
from itertools import count, product


def _caesar(letters, digits):
    def turned(ring, character, places):
        return (ring * 3)[ring.index(character) + places]

    def truth(text):
        upper, figures = string.ascii_uppercase, string.digits
        kinds = ((upper, letters), (figures, digits))
        return "".join(next((turned(ring, c, places) for ring, places in kinds if c in ring), c) for c in text)

    return truth


def _affine(a, b):
    def truth(text):
        lower = string.ascii_lowercase
        place = {lower[x]: next(y for y in range(26) if (y - a * x - b) % 26 == 0) for x in range(26)}
        return "".join(lower[place[c]] if c in place else c for c in text)

    return truth


def _vigenere(key, decrypt):
    upper = string.ascii_uppercase
    square = {(row, column): upper[(i + j) % 26] for i, row in enumerate(upper) for j, column in enumerate(upper)}

    def truth(text):
        positions = [i for i, c in enumerate(text) if c in upper]
        letters = list(text)
        for turn, i in enumerate(positions):
            k = key[turn % len(key)]
            letters[i] = next(c for c in upper if square[k, c] == text[i]) if decrypt else square[k, text[i]]
        return "".join(letters)

    return truth


def _wrap(width, align):
    def truth(text):
        lines = textwrap.wrap(" ".join(text.split()), width, break_long_words=False, break_on_hyphens=False)
        shown = {"left": "{}", "right": f"{{:>{width}}}", "between bars": f"|{{:<{width}}}|"}[align]
        return [shown.format(line) for line in lines]

    return truth


def _numeral(base, kind):
    least = 1 if kind == "bijective" else 0
    signed = -base if kind == "negative" else base

    # The numerals of one length are all the integers of an interval: from the sum of the smallest to that of the
    # largest terms.
    lows, highs = [0], [0]
    for i in range(60):
        terms = [least * signed**i, (least + base - 1) * signed**i]
        lows.append(lows[-1] + min(terms))
        highs.append(highs[-1] + max(terms))

    def in_range(n, length):
        return lows[length] <= n <= highs[length]

    def truth(n):
        if n == 0:
            return [] if kind == "bijective" else [0]
        length = next(size for size in count(1) if in_range(n, size))
        digits = []
        for i in reversed(range(length)):
            digit = next(d for d in range(least, least + base) if (in_range(n - d * signed**i, i) if i else n == d))
            digits.append(digit)
            n -= digit * signed**i
        return digits

    return truth


def _crc(polynomial, start):
    def one(register, byte):
        remainder = (register ^ byte) << 8
        for shift in range(7, -1, -1):
            if remainder >> (shift + 8) & 1:
                remainder ^= (0x100 | polynomial) << shift
        return remainder

    table = [one(0, value) for value in range(256)]

    def truth(data):
        register = start
        for byte in data:
            register = table[register ^ byte]
        return register

    return truth


def _adler(modulus):
    def truth(text):
        data = text.encode()
        lows = [1 + sum(data[: i + 1]) for i in range(len(data))]
        return [sum(lows) % modulus, (lows[-1] if lows else 1) % modulus]

    return truth


def _check_digit(first, second, modulus):
    def truth(number):
        weights = [first, second] * len(number)
        total = sum(w for w, digit in zip(weights, number, strict=False) for _ in range(int(digit)))
        return (-(-total // modulus)) * modulus - total

    return truth


def _golomb(m):
    """The code words of one quotient, built as a canonical code: lengths first, then words in order."""
    width = next(w for w in count() if 2**w >= m)
    spare = 2**width - m
    words = sorted("".join(bits) for bits in product("01", repeat=width - 1))[:spare]
    rest = [bits for bits in map("".join, product("01", repeat=width)) if bits[:-1] not in words]
    remainders = [*words, *rest]
    return lambda n: "1" * (n // m) + "0" + remainders[n % m]


def _byte_limit(limit):
    def truth(text):
        return max((text[:i] for i in range(len(text) + 1) if len(text[:i].encode()) <= limit), key=len)

    return truth


def _keystream(key, step):
    def truth(text):
        stream = [key]
        while len(stream) <= len(text.encode()):
            stream.append((stream[-1] + step) & 0xFF)
        pairs = zip(text.encode(), stream, strict=False)
        return "".join(f"{(a | b) - (a & b):02x}" for a, b in pairs)

    return truth


def _rolling_hash(base, modulus):
    def truth(text):
        whole = 0
        for place, character in enumerate(reversed(text)):
            whole += ord(character) * base**place
        return whole - whole // modulus * modulus

    return truth


ORACLES = {
    "caesar-ciphers": _caesar,
    "affine-ciphers": _affine,
    "vigenere-ciphers": _vigenere,
    "text-wrapping": _wrap,
    "numerals": _numeral,
    "crc-checks": _crc,
    "adler-checksums": _adler,
    "check-digits": _check_digit,
    "golomb-codes": _golomb,
    "byte-limits": _byte_limit,
    "xor-ciphers": _keystream,
    "polynomial-hashes": _rolling_hash,
}
