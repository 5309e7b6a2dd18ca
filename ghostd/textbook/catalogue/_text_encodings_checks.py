"""Text and encodings: checksums, check digits and hashes."""

from ghostd.textbook.catalogue._writing import fill, quoted, spoiled
from ghostd.textbook.catalogue.family import Entry, Family

_SLUG = "text-encodings"


def _crc(polynomial: int, start: int) -> Entry:
    code = fill(
        """
        def crc8(data: list[int]) -> int:
            crc = <start>
            for byte in data:
                crc ^= byte
                for _ in range(8):
                    crc <<= 1
                    if crc & 256:
                        crc ^= <full>
            return crc
        """,
        start=start,
        full=256 + polynomial,
    )
    alternative = fill(
        """
        def crc8(data: list[int]) -> int:
            bits = [byte >> (7 - i) & 1 for byte in data for i in range(8)] + [0] * 8
            for i in range(8):
                bits[i] ^= <start> >> (7 - i) & 1
            divisor = [<full> >> (8 - i) & 1 for i in range(9)]
            for i in range(len(bits) - 8):
                if bits[i]:
                    for j in range(9):
                        bits[i + j] ^= divisor[j]
            return int("".join(map(str, bits[-8:])), 2)
        """,
        start=start,
        full=256 + polynomial,
    )
    rows: tuple[list[int], ...] = (
        [],
        [0],
        [1],
        [255],
        [128],
        [0, 0],
        [1, 2, 3],
        [255, 255],
        [49, 50, 51, 52, 53, 54, 55, 56, 57],
        [start],
        [170, 85],
        [7, 0, 7],
        [16, 32, 64, 128],
    )
    return Entry(
        title=f"CRC-8 with polynomial {polynomial:#04x} and start {start:#04x}",
        statement=f"crc8(data) returns the 8-bit cyclic redundancy check of a list of bytes (0 to 255), most significant bit first, with the polynomial x^8 + {polynomial:#04x} "
        f"(written without its top bit), the initial register {start:#04x}, no reflection and no final XOR.",
        signature="def crc8(data: list[int]) -> int",
        explanations=(
            (f"Read the message as a polynomial over GF(2) and divide it by x^8 + {polynomial:#04x}; the remainder of eight bits is the check. Subtraction is XOR, so each step shifts left and, when a one "
            f"falls out on the top, XORs the divisor in."),
            (f"The register begins at {start:#04x}. Every byte is mixed in by XOR, then eight shifts follow, and each bit that leaves the register feeds the polynomial {polynomial:#04x} back. "
            f"Any burst of up to eight wrong bits changes the result."),
            f"A CRC is the remainder of a long division without carries. With generator {256 + polynomial:#05x} it takes one conditional XOR per message bit. Starting from {start:#04x} "
            + ("leaves leading zero bytes unnoticed." if start == 0 else "makes leading zero bytes count."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"No data leave the initial register {start}.", f"crc8([]) == {start}"),
            ("Every check value fits into a byte.", "all(0 <= crc8([i, 255 - i]) <= 255 for i in range(256))"),
            ("Appending the check to the message gives zero.", "all(crc8([i, 3, crc8([i, 3])]) == 0 for i in range(256))"),
        ),
        false_claims=(("The check is the sum of the bytes modulo 256.", "all(crc8([i]) == i for i in range(256))"),),
        exercises=tuple((f"What is the CRC-8 of the bytes {row}?", str(row)) for row in (rows[6], rows[8], rows[10])),
        exam=tuple(dict.fromkeys(map(str, rows))),
        wrong=spoiled(
            code,
            wrong_formula=("crc ^= byte", "crc |= byte"),
            off_by_one=("range(8)", "range(7)"),
            wrong_constant=(f"crc ^= {256 + polynomial}", f"crc ^= {256 + (polynomial ^ 2)}"),
        ),
    )  # fmt: skip


def _adler(modulus: int) -> Entry:
    code = fill(
        """
        def checksum(text: str) -> list[int]:
            low, high = 1, 0
            for byte in text.encode():
                low = (low + byte) % <m>
                high = (high + low) % <m>
            return [high, low]
        """,
        m=modulus,
    )
    alternative = fill(
        """
        def checksum(text: str) -> list[int]:
            data = text.encode()
            high = len(data) + sum((len(data) - i) * byte for i, byte in enumerate(data))
            return [high % <m>, (1 + sum(data)) % <m>]
        """,
        m=modulus,
    )
    return Entry(
        title=f"Adler checksum modulo {modulus}",
        statement=f"checksum(text) returns [high, low] for the UTF-8 bytes of the text: low starts at 1 and adds every byte, high starts at 0 and adds low after every byte, both modulo {modulus}.",
        signature="def checksum(text: str) -> list[int]",
        explanations=(
            f"A plain sum does not notice swapped bytes. The second sum adds up the intermediate values of the first, which weights each byte by its distance from the end; both are kept modulo {modulus}.",
            f"Adler's scheme runs two counters over the bytes. The low one is 1 plus their sum, the high one is the sum of all low values so far, reduced modulo {modulus} at each step so that they stay small.",
            f"Order matters here, because a byte enters the high half once for every byte that follows it. Starting low at 1 makes the length count even for zero bytes. The modulus is {modulus} in place of 65521.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("The empty text gives 0 and 1.", "checksum('') == [0, 1]"),
            ("Swapping two letters changes the check.", "checksum('ab') != checksum('ba')"),
            (f"Both halves are below {modulus}.", f"all(0 <= half < {modulus} for half in checksum('the quick brown fox'))"),
        ),
        false_claims=(("The order of the letters does not matter.", "checksum('listen') == checksum('silent')"),),
        exercises=tuple((f"What is the checksum of {text!r} modulo {modulus}?", repr(text)) for text in ("adler", "Wikipedia", "é")),
        exam=("''", "'a'", "'ab'", "'ba'", "'abc'", "'Wikipedia'", "'the quick brown fox jumps'", "'0000000000'", "'é'", "'~~~~~~~~~~~~~~~~'", "'\\x00'", "'\\x00\\x00'"),
        wrong=spoiled(
            code,
            wrong_formula=("high + low", "high + byte"),
            off_by_one=("low, high = 1, 0", "low, high = 0, 0"),
            wrong_constant=(f"% {modulus}", f"% {modulus + 1}"),
        ),
    )  # fmt: skip


def _check_digit(first: int, second: int, modulus: int) -> Entry:
    code = fill(
        """
        def check_digit(number: str) -> int:
            total = 0
            for i, digit in enumerate(number):
                weight = <a> if i % 2 == 0 else <b>
                total += weight * int(digit)
            return -total % <m>
        """,
        a=first,
        b=second,
        m=modulus,
    )
    alternative = fill(
        """
        def check_digit(number: str) -> int:
            digits = [int(digit) for digit in number]
            total = <a> * sum(digits[::2]) + <b> * sum(digits[1::2])
            return next(check for check in range(<m>) if (total + check) % <m> == 0)
        """,
        a=first,
        b=second,
        m=modulus,
    )
    return Entry(
        title=f"Check digit with weights {first} and {second} modulo {modulus}",
        statement=f"check_digit(number) returns the check value c, 0 <= c < {modulus}, which makes the weighted digit sum plus c divisible by {modulus}. number is a string of digits 0-9, "
        f"possibly empty; its digits have the weights {first}, {second}, {first}, {second}, ... from the left.",
        signature="def check_digit(number: str) -> int",
        explanations=(
            f"Weight the digits alternately with {first} and {second} and add up. The check value is whatever is missing to the next multiple of {modulus}, so that a reader can recompute the total and expects zero.",
            (f"The scheme belongs to the family of EAN and ISBN. Different weights, {first} against {second}, make the exchange of two neighbouring digits visible unless their difference times "
            f"{abs(first - second)} is a multiple of {modulus}. The last value closes the sum modulo {modulus}."),
            (f"A single mistyped digit changes the total by its weight times the error. Because the check value is the negative of the total modulo {modulus}, the full code sums to zero. "
            f"Even positions, counted from 0, weigh {first} and odd ones {second}."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("An empty number needs no correction.", "check_digit('') == 0"),
            (f"The digit 1 alone leads to {-first % modulus}.", f"check_digit('1') == {-first % modulus}"),
            (f"Number and check value together give a multiple of {modulus}.", f"all(({first} * x + {second} * y + check_digit(str(x) + str(y))) % {modulus} == 0 for x in range(10) for y in range(10))"),
        ),
        false_claims=(("The check value is the plain digit sum.", f"all(check_digit(str(x) + str(y)) == (x + y) % {modulus} for x in range(10) for y in range(10))"),),
        exercises=tuple((f"What is the check value of {number}?", repr(number)) for number in ("400638133393", "0306406152", "97803")),
        exam=quoted("", "0", "1", "9", "01", "10", "12", "21", "99", "400638133393", "0306406152", "1234567890", "7777777", "5050505"),
        wrong=spoiled(
            code,
            wrong_formula=("-total %", "total %") if (2 * first) % modulus else ("i % 2 == 0", "i % 2 == 1"),
            off_by_one=("i % 2 == 0", "i % 2 == 1"),
            wrong_constant=(f"% {modulus}\n", f"% {modulus + 1}\n"),
        ),
    )  # fmt: skip


def _rolling_hash(base: int, modulus: int) -> Entry:
    code = fill(
        """
        def text_hash(text: str) -> int:
            value = 0
            for character in text:
                value = (value * <b> + ord(character)) % <m>
            return value
        """,
        b=base,
        m=modulus,
    )
    alternative = fill(
        """
        def text_hash(text: str) -> int:
            last = len(text) - 1
            return sum(ord(character) * pow(<b>, last - i, <m>) for i, character in enumerate(text)) % <m>
        """,
        b=base,
        m=modulus,
    )
    return Entry(
        title=f"Polynomial hash with base {base} modulo {modulus}",
        statement=f"text_hash(text) returns the polynomial hash of a string: the sum of ord(c_i) * {base}**(n-1-i) over its n characters c_0 ... c_(n-1), modulo {modulus}. The empty string has the hash 0.",
        signature="def text_hash(text: str) -> int",
        explanations=(
            f"Horner's rule evaluates the polynomial whose coefficients are the character codes at the point {base}: multiply by {base}, add the next code, reduce modulo {modulus}. One multiplication per character is all it costs.",
            f"Reading a string as a number in base {base} and keeping its remainder modulo {modulus} gives a hash that depends on the order of the characters. Reduction after each step keeps the numbers small without changing the result.",
            f"Rabin and Karp use such hashes since they can roll: removing the first character subtracts its code times a power of {base}. Two different strings collide with a chance of roughly one in {modulus}.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("The empty string hashes to 0.", "text_hash('') == 0"),
            (f"A single letter hashes to its code modulo {modulus}.", f"text_hash('a') == {97 % modulus}"),
            ("Appending a character is one step of Horner's rule.", f"text_hash('abc') == (text_hash('ab') * {base} + 99) % {modulus}"),
        ),
        false_claims=(("Anagrams have equal hashes.", "text_hash('ab') == text_hash('ba')"),),
        exercises=tuple((f"What is the hash of {text!r}?", repr(text)) for text in ("hash", "rabin karp", "Ω")),
        exam=quoted("", "a", "b", "ab", "ba", "abc", "hello world", "Ω", "\x00", "\x00a", "a\x00", "zzzzzzzzzzzzzzzz", "The quick brown fox"),
        wrong=spoiled(
            code,
            wrong_formula=(f"value * {base} + ord(character)", f"value + ord(character) * {base}"),
            off_by_one=("value = 0", "value = 1"),
            wrong_constant=(f"% {modulus}", f"% {modulus + 2}"),
        ),
    )  # fmt: skip


CHECKS: tuple[Family, ...] = (
    Family(
        "crc-checks", _SLUG, "Cyclic redundancy checks", (),
        [(polynomial, start) for polynomial in range(3, 256, 2) for start in (0, 255)], _crc,
    ),
    Family("adler-checksums", _SLUG, "Adler checksums", ("polynomial-hashes",), [(m,) for m in range(101, 321)], _adler),
    Family(
        "check-digits", _SLUG, "Check digits", (),
        [(a, b, m) for m in (10, 11, 13) for a in range(1, m) for b in range(1, m) if a != b], _check_digit,
    ),
    Family(
        "polynomial-hashes", _SLUG, "Polynomial hashes", ("modular-powers",),
        [(b, m) for b in (31, 37, 53, 131, 257) for m in range(997, 1077, 2)], _rolling_hash,
    ),
)  # fmt: skip
