"""Text and encodings: bit codes, byte limits and key streams."""

from ghostd.textbook.catalogue._writing import fill, quoted, spoiled
from ghostd.textbook.catalogue.family import Entry, Family

_SLUG = "text-encodings"


def _golomb(m: int) -> Entry:
    bits = (m - 1).bit_length()
    short = (1 << bits) - m
    code = fill(
        """
        def golomb(n: int) -> str:
            quotient, rest = divmod(n, <m>)
            width = <bits>
            if rest < <short>:
                width -= 1
            else:
                rest += <short>
            return "1" * quotient + "0" + (format(rest, "b").zfill(width) if width else "")
        """,
        m=m,
        bits=bits,
        short=short,
    )
    alternative = fill(
        """
        def golomb(n: int) -> str:
            prefix = "0"
            while n >= <m>:
                prefix, n = "1" + prefix, n - <m>
            codes = [[i, <less>] for i in range(<short>)] + [[i + <short>, <bits>] for i in range(<short>, <m>)]
            value, width = codes[n]
            return prefix + "".join(str(value >> i & 1) for i in reversed(range(width)))
        """,
        m=m,
        bits=bits,
        short=short,
        less=bits - 1,
    )
    values = dict.fromkeys(
        (0, 1, 2, short - 1, short, short + 1, m - 1, m, m + 1, 2 * m, 3 * m + short, 3 * m + m // 2, 5 * m - 1, 60)
    )
    return Entry(
        title=f"Golomb code with parameter {m}",
        statement=f"golomb(n) returns the Golomb code of the integer n >= 0 with parameter {m} as a string of 0 and 1: the quotient n // {m} in unary (ones closed by a zero), then the remainder in truncated binary, "
        f"where the first {short} remainders take {bits - 1} bits and the others, increased by {short}, take {bits} bits.",
        signature="def golomb(n: int) -> str",
        explanations=(
            f"Divide n by {m}. Small quotients are frequent, so they are written as ones with a closing zero; the remainder has {m} possible values, and truncated binary spends {bits - 1} bits on {short} of them and {bits} on the rest.",
            (f"Golomb codes are optimal for geometric distributions, where each value is less likely by a constant factor. The parameter {m} fits a source in which the probability halves about every {m} values. "
            f"A unary part and a nearly fixed-length part follow each other."),
            (f"A remainder below {short} needs one bit less because {1 << bits} code words of {bits} bits are more than {m}. Adding {short} to the larger remainders keeps the code free of prefixes, "
            f"hence a reader always knows where a number ends."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"The number {m} begins with one 1.", f"golomb({m}).startswith('10')"),
            ("No code word is the beginning of another.", f"not any(golomb(i) != golomb(j) and golomb(j).startswith(golomb(i)) for i in range({2 * m}) for j in range({2 * m}))" if m < 24 else "not any(golomb(j).startswith(golomb(i)) for i in range(40) for j in range(40) if i != j)"),
            (f"Adding {m} puts one more 1 in front.", f"all(golomb(n + {m}) == '1' + golomb(n) for n in range(40))"),
        ),
        false_claims=(("All numbers have codes of equal length.", f"len(golomb(0)) == len(golomb({3 * m}))"),),
        exercises=tuple((f"What is the Golomb code of {n} with parameter {m}?", str(n)) for n in (short, m + 1, 2 * m + 3)),
        exam=tuple(str(n) for n in values if n >= 0),
        wrong=spoiled(
            code,
            wrong_formula=('"1" * quotient + "0"', '"0" * quotient + "1"'),
            off_by_one=(f"rest < {short}", f"rest <= {short}"),
            wrong_constant=(f"divmod(n, {m})", f"divmod(n, {m + 1})"),
        ),
    )  # fmt: skip


def _byte_limit(limit: int) -> Entry:
    code = fill(
        """
        def truncate(text: str) -> str:
            used = 0
            for i, character in enumerate(text):
                point = ord(character)
                used += 1 + (point >= 0x80) + (point >= 0x800) + (point >= 0x10000)
                if used > <k>:
                    return text[:i]
            return text
        """,
        k=limit,
    )
    alternative = fill(
        """
        def truncate(text: str) -> str:
            return text.encode("utf-8")[:<k>].decode("utf-8", errors="ignore")
        """,
        k=limit,
    )
    k = limit
    rows = (
        "", "a", "a" * k, "a" * (k + 1), "é" * (k // 2 + 1), "a" + "é" * k, "€" * (k // 3 + 1), "ab" + "€" * k, "😀" * (k // 4 + 1), "a" * (k - 1) + "é", "a" * (k - 2) + "€x", "a" * (k - 3) + "😀",
        "\x7f" * (k - 1) + "\x80", "\u07ff" * (k // 2) + "a\u0800", "\uffff" * (k // 3) + "bb", "aé€😀" * (k // 4), "\u0900" * (k // 2), "\U00010000" * (k // 4) + "abcd", "a" * (k - 2) + "ü",
    )  # fmt: skip
    return Entry(
        title=f"Truncation to {limit} bytes of UTF-8",
        statement=f"truncate(text) returns the longest prefix of the text whose UTF-8 encoding has at most {limit} bytes. No character is cut in half; the text contains no surrogates.",
        signature="def truncate(text: str) -> str",
        explanations=(
            f"UTF-8 spends one byte on ASCII, two up to U+07FF, three up to U+FFFF and four beyond. Adding these lengths along the text shows the first character that would pass {limit} bytes, and the prefix ends before it.",
            f"Cutting the bytes at {limit} may split a character, and slicing by characters may keep too many bytes. So the sizes are summed instead: the thresholds 0x80, 0x800 and 0x10000 each add one byte.",
            (f"A database column of {limit} bytes does not hold {limit} characters in general. Walk over the text, keep the running size in bytes, and stop as soon as it exceeds the limit. "
            f"Whole characters only are kept because the decision is made per character."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"{k} ASCII letters are kept whole.", f"truncate('x' * {k}) == 'x' * {k}"),
            ("The result never takes more bytes than allowed.", f"all(len(truncate(c * {k}).encode()) <= {k} for c in 'aé€😀')"),
            ("A prefix of the text is returned.", "'naïve €5 😀 text'.startswith(truncate('naïve €5 😀 text'))"),
        ),
        false_claims=((f"{k} characters always fit into {k} bytes.", f"truncate('é' * {k}) == 'é' * {k}"),),
        exercises=tuple((f"What is left of {row!r} in {k} bytes?", repr(row)) for row in (rows[5], rows[7], rows[15])),
        exam=quoted(*rows),
        wrong=spoiled(
            code,
            wrong_formula=("used += 1 + (point >= 0x80)", "used += 1 + (point > 0xFF)"),
            off_by_one=(f"used > {k}", f"used >= {k}"),
            wrong_constant=("0x800)", "0x1000)"),
        ),
    )  # fmt: skip


def _keystream(key: int, step: int) -> Entry:
    code = fill(
        """
        def encrypt(text: str) -> str:
            key = <key>
            result = []
            for byte in text.encode():
                result.append(format(byte ^ key, "02x"))
                key = (key + <step>) % 256
            return "".join(result)
        """,
        key=key,
        step=step,
    )
    alternative = fill(
        """
        def encrypt(text: str) -> str:
            return bytes(byte ^ (<key> + <step> * i) & 255 for i, byte in enumerate(text.encode())).hex()
        """,
        key=key,
        step=step,
    )
    return Entry(
        title=f"XOR cipher with key {key} growing by {step}",
        statement=f"encrypt(text) returns lower-case hexadecimal, two digits per byte, of the text's UTF-8 bytes after XOR with a running key: byte number i = 0, 1, ... is combined with ({key} + {step}*i) modulo 256.",
        signature="def encrypt(text: str) -> str",
        explanations=(
            f"XOR with a key byte flips exactly the bits that are set in the key, and doing it twice restores the byte. Here the key starts at {key} and grows by {step} after each byte, wrapping at 256.",
            f"Each byte meets its own key: {key}, {(key + step) % 256}, {(key + 2 * step) % 256} and so on modulo 256. Because XOR is its own inverse, the same stream deciphers. Hexadecimal makes the result printable.",
            f"The stream {key} + {step}i modulo 256 hides equal letters at different places, which a constant key does not. It is no real protection: two known letters reveal both numbers.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"The first byte of a text is combined with {key}.", f"encrypt('A') == '{65 ^ key:02x}'"),
            ("There are two digits per byte.", "len(encrypt('secret')) == 12"),
            ("An ASCII text and a longer one agree on their common beginning.", "encrypt('attack').startswith(encrypt('att'))"),
        ),
        false_claims=(("Equal letters are encrypted equally.", "encrypt('aa')[:2] == encrypt('aa')[2:]"),),
        exercises=tuple((f"How is {text!r} encrypted?", repr(text)) for text in ("secret", "Hi!", "naïve")),
        exam=quoted("", "A", "aa", "abc", "secret message", "\x00\x00\x00\x00", "é", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "ÿ€", "0123456789", "\x01", "The End."),
        wrong=spoiled(
            code,
            wrong_formula=("byte ^ key", "byte | key"),
            off_by_one=("% 256", "% 255") if step > 9 else (f"key = {key}\n", f"key = {key + 1}\n"),
            wrong_constant=(f"key + {step}", f"key + {step + 1}"),
        ),
    )  # fmt: skip


CODES: tuple[Family, ...] = (
    Family("golomb-codes", _SLUG, "Golomb codes", ("numerals",), [(m,) for m in range(5, 165)], _golomb),
    Family("byte-limits", _SLUG, "Truncation of UTF-8", (), [(k,) for k in range(4, 104)], _byte_limit),
    Family(
        "xor-ciphers", _SLUG, "XOR ciphers", (),
        [(key, step) for key in range(7, 250, 11) for step in range(3, 36, 3)], _keystream,
    ),
)  # fmt: skip
