"""Text and encodings: classical ciphers, number systems and layout, each with its parameters."""

import math

from ghostd.core.concept import Domain
from ghostd.textbook.catalogue._text_encodings_checks import CHECKS
from ghostd.textbook.catalogue._text_encodings_codes import CODES
from ghostd.textbook.catalogue._writing import fill, quoted, spoiled
from ghostd.textbook.catalogue.family import Entry, Family

_SLUG = "text-encodings"

DOMAIN = Domain(
    _SLUG,
    "Text encodings",
    "Text and its encodings: classical ciphers, check digits, checksums and hashes, number systems, bit codes and layout.",
)

_WORDS = (  # noqa: SIM905 - a list of words reads best as words
    "AMBER ARROW AUTUMN BADGER BASIL BEACON BRIDGE CANDLE CARBON CASTLE CEDAR CIPHER CLOVER COBALT COMET COPPER CORAL CRANE CRYSTAL CYPRESS "
    "DESERT DRAGON EAGLE EMBER FALCON FERN FLINT FOREST FOSSIL GALAXY GARNET GINGER GLACIER GRANITE HARBOR HAZEL HERON HONEY INDIGO IRON ISLAND "
    "IVORY JASPER JUNGLE KEY LANTERN LAUREL LEMON LIBRARY LILAC LINDEN MAGNET MAPLE MARBLE MEADOW METEOR MIRROR MOON NECTAR NICKEL OCEAN ORCHID "
    "OTTER PEARL PEPPER PLANET POPPY PRISM QUARTZ RAVEN RIVER ROBIN RUBY SAFFRON SAGE SALMON SECRET SHADOW SILVER SPARROW SPRUCE STORM SUMMIT "
    "TANGO THISTLE THUNDER TIGER TOPAZ TULIP TURTLE VALLEY VELVET VIOLET WALNUT WILLOW WINTER WOLF YARROW ZEPHYR ZINC"
).split()


def _caesar(letters: int, digits: int) -> Entry:
    code = fill(
        """
        def encrypt(text: str) -> str:
            result = []
            for character in text:
                if "A" <= character <= "Z":
                    result.append(chr((ord(character) - 65 + <s>) % 26 + 65))
                elif "0" <= character <= "9":
                    result.append(chr((ord(character) - 48 + <t>) % 10 + 48))
                else:
                    result.append(character)
            return "".join(result)
        """,
        s=letters,
        t=digits,
    )
    alternative = fill(
        """
        def encrypt(text: str) -> str:
            letters, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
            moved = letters[<s>:] + letters[:<s>] + digits[<t>:] + digits[:<t>]
            return text.translate(str.maketrans(letters + digits, moved))
        """,
        s=letters,
        t=digits,
    )
    z = chr((25 + letters) % 26 + 65)
    return Entry(
        title=f"Caesar cipher with letters shifted by {letters} and digits by {digits}",
        statement=f"encrypt(text) returns the text with every capital letter A-Z moved {letters} places on in the alphabet, cyclically, and every digit 0-9 moved "
        f"{digits} places on, cyclically. All other characters, small letters included, stay as they are.",
        signature="def encrypt(text: str) -> str",
        properties=(
            f"assert all((ord(after) - ord(before) - {letters}) % 26 == 0 for before, after in zip(text, encrypt(text)) if 'A' <= before <= 'Z')",
            f"assert all((ord(after) - ord(before) - {digits}) % 10 == 0 for before, after in zip(text, encrypt(text)) if '0' <= before <= '9')",
        ),
        explanations=(
            f"Number the letters from 0 to 25, add {letters} and take the remainder modulo 26; the wrap-around sends Z to {z}. Digits do the same modulo 10 with {digits}, and nothing else is touched.",
            f"A shift cipher is addition on a ring. For A-Z the ring has 26 places and the key is {letters}, for 0-9 it has 10 places and the key is {digits}. Subtracting the same keys deciphers the text.",
            (f"Each character is judged by its range: capitals turn by {letters}, figures turn by {digits}, the rest passes through. "
            f"Because only 26 times 10 keys exist, the cipher is broken by trying them all."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"Z becomes {z}.", f"encrypt('Z') == '{z}'"),
            (f"9 becomes {(9 + digits) % 10}.", f"encrypt('9') == '{(9 + digits) % 10}'"),
            ("Spaces and small letters are kept.", "encrypt('to be, or') == 'to be, or'"),
        ),
        false_claims=(("Encrypting twice restores the text.", "encrypt(encrypt('HELLO 1')) == 'HELLO 1'" if letters != 13 or digits not in (0, 5) else "encrypt('HELLO 1') == 'HELLO 1'"),),
        exercises=tuple((f"How is {text!r} encrypted?", repr(text)) for text in ("VENI VIDI VICI", "ROOM 2048", "Meet at 9")),
        exam=quoted("", "A", "Z", "AZ", "0", "9", "a z", "HELLO WORLD", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "@[/:`", "Mixed CASE 42!", "ÄÖ 7Z"),
        wrong=spoiled(
            code,
            wrong_formula=(f"- 65 + {letters}", f"- 65 - {letters}") if letters != 13 else (f"- 65 + {letters}", f"- 64 + {letters}"),
            off_by_one=("% 26 + 65", "% 25 + 65"),
            wrong_constant=(f"- 48 + {digits}", f"- 48 + {digits + 1}"),
        ),
    )  # fmt: skip


def _affine(a: int, b: int) -> Entry:
    inverse = pow(a, -1, 26)
    code = fill(
        """
        def encrypt(text: str) -> str:
            result = []
            for character in text:
                if "a" <= character <= "z":
                    place = ord(character) - 97
                    character = chr((<a> * place + <b>) % 26 + 97)
                result.append(character)
            return "".join(result)
        """,
        a=a,
        b=b,
    )
    alternative = fill(
        """
        def encrypt(text: str) -> str:
            alphabet = "abcdefghijklmnopqrstuvwxyz"
            table, place = {}, <b>
            for letter in alphabet:
                table[letter] = alphabet[place]
                place = (place + <a>) % 26
            return "".join(table.get(character, character) for character in text)
        """,
        a=a,
        b=b,
    )
    first = chr(b + 97)
    return Entry(
        title=f"Affine cipher {a}x + {b}",
        statement=f"encrypt(text) replaces every letter a-z, numbered x = 0 to 25, by the letter numbered ({a}*x + {b}) modulo 26, and leaves all other characters unchanged.",
        signature="def encrypt(text: str) -> str",
        properties=(
            f"assert all((ord(after) - 97 - {a} * (ord(before) - 97) - {b}) % 26 == 0 for before, after in zip(text, encrypt(text)) if 'a' <= before <= 'z')",
        ),
        explanations=(
            f"Multiplying by {a} stirs the alphabet and adding {b} shifts it. The map x -> {a}x + {b} is reversible modulo 26 because {a} has no factor in common with 26; its inverse is {inverse}.",
            (f"An affine cipher is a straight line on a clock with 26 hours: slope {a}, intercept {b}. The letter a, number 0, therefore becomes {first!r}. "
            f"To decipher, subtract {b} and multiply by {inverse}."),
            (f"Each letter is turned into a number, put through {a}x + {b}, reduced modulo 26 and turned back. Any slope that is even or a multiple of 13 would send "
            f"two letters to the same place, which {a} does not."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"The letter a becomes {first}.", f"encrypt('a') == '{first}'"),
            ("No two letters become the same.", "len(set(encrypt('abcdefghijklmnopqrstuvwxyz'))) == 26"),
            ("Capitals and signs are unchanged.", "encrypt('A-Z!') == 'A-Z!'"),
        ),
        false_claims=(("Neighbouring letters stay neighbours, one place apart.", "all(ord(encrypt(y)) - ord(encrypt(x)) == 1 for x, y in zip('abcdefghijklmnopqrstuvwxy', 'bcdefghijklmnopqrstuvwxyz'))"),),
        exercises=tuple((f"How is {text!r} encrypted?", repr(text)) for text in ("affine", "modular line", "q.e.d.")),
        exam=quoted("", "a", "z", "m", "az", "hello, world", "abcdefghijklmnopqrstuvwxyz", "Zebra", "`{", "42 bees", "the quick brown fox", "naïve"),
        wrong=spoiled(
            code,
            wrong_formula=(f"{a} * place + {b}", f"{a} * (place + {b + 1})"),
            off_by_one=("- 97", "- 96"),
            wrong_constant=(f"{a} * place", f"{a + 2} * place"),
        ),
    )  # fmt: skip


def _vigenere(key: str, decrypt: bool) -> Entry:
    name = "decipher" if decrypt else "encipher"
    sign, verb = ("-", "subtracted from") if decrypt else ("+", "added to")
    code = fill(
        """
        def <name>(text: str) -> str:
            shifts = [ord(letter) - 65 for letter in "<key>"]
            result, used = [], 0
            for character in text:
                if "A" <= character <= "Z":
                    shift = shifts[used % <length>]
                    character = chr((ord(character) - 65 <sign> shift) % 26 + 65)
                    used += 1
                result.append(character)
            return "".join(result)
        """,
        name=name,
        key=key,
        length=len(key),
        sign=sign,
    )
    alternative = fill(
        """
        from itertools import cycle

        def <name>(text: str) -> str:
            alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
            letters = cycle("<key>")
            def turn(character: str) -> str:
                return alphabet[(alphabet.index(character) <sign> alphabet.index(next(letters))) % 26]
            return "".join(turn(character) if character in alphabet else character for character in text)
        """,
        name=name,
        key=key,
        sign=sign,
    )
    return Entry(
        title=f"Vigenère {'decryption' if decrypt else 'encryption'} with the key {key}",
        statement=f"{name}(text) {'undoes' if decrypt else 'applies'} the Vigenère cipher with the key {key}: the letters of the key, A = 0 to Z = 25, are {verb} the capital letters of the text, "
        f"modulo 26, one after the other and again from the start when the key is used up. Other characters stay and use up no key letter.",
        signature=f"def {name}(text: str) -> str",
        explanations=(
            f"The key {key} is written repeatedly under the capitals of the text. Each pair of letters is combined as numbers modulo 26: the key letter is {verb} the text letter.",
            (f"Vigenère's cipher is {len(key)} Caesar ciphers in rotation, one for each letter of {key}. A counter of the letters seen so far, taken modulo {len(key)}, says whose turn it is; "
            f"spaces do not move it on."),
            (f"A fixed shift leaves letter frequencies intact, so here the shift changes from letter to letter, following {key}. Since the pattern comes back after {len(key)} letters, "
            f"Kasiski could still find the period."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            (f"{'The key itself deciphers to As' if decrypt else 'Only As give the key itself'}.", f"{name}('{key}') == '{'A' * len(key)}'" if decrypt else f"{name}('{'A' * len(key)}') == '{key}'"),
            ("Spaces use up no key letter.", f"{name}('AT TACK').replace(' ', '') == {name}('ATTACK')"),
            ("The length of the text is kept.", f"len({name}('ATTACK AT DAWN')) == 14"),
        ),
        false_claims=(("Equal letters are always replaced by equal letters.", f"len(set({name}('{'E' * len(key)}'))) == 1"),),
        exercises=tuple((f"What is {name}({text!r}) with the key {key}?", repr(text)) for text in ("ATTACK AT DAWN", "HELLO", "SEE PAGE 7")),
        exam=quoted("", "A", "Z", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "ATTACK AT DAWN", "A A A A A A A A A", "hello", "ZZZZZZZZZZZZ", "X-RAY 99", "@[", "THE RAIN IN SPAIN", "Mixed Case", "QQ"),
        wrong=spoiled(
            code,
            wrong_formula=(f"- 65 {sign} shift", f"- 65 {'+' if decrypt else '-'} shift"),
            off_by_one=("result, used = [], 0", "result, used = [], 1"),
            wrong_constant=("% 26", "% 25"),
        ),
    )  # fmt: skip


def _wrap(width: int, align: str) -> Entry:
    pad = {"left": "line", "right": "line.rjust({w})", "between bars": '"|" + line.ljust({w}) + "|"'}[align].format(
        w=width
    )
    shown = {
        "left": "as they are",
        "right": f"padded with spaces on the left to {width} characters",
        "between bars": f"padded with spaces on the right to {width} characters and put between two '|'",
    }[align]
    code = fill(
        """
        def wrap(text: str) -> list[str]:
            lines = []
            line = ""
            for word in text.split():
                if line and len(line) + 1 + len(word) > <width>:
                    lines.append(line)
                    line = word
                else:
                    line = (line + " " + word).strip()
            if line:
                lines.append(line)
            return [<pad> for line in lines]
        """,
        width=width,
        pad=pad,
    )
    alternative = fill(
        """
        def wrap(text: str) -> list[str]:
            words, lines = text.split(), []
            while words:
                count = max([1] + [k for k in range(1, len(words) + 1) if len(" ".join(words[:k])) <= <width>])
                lines.append(" ".join(words[:count]))
                words = words[count:]
            return [<pad> for line in lines]
        """,
        width=width,
        pad=pad,
    )
    w = width
    verse = "a bb ccc dd e ffff gg h iiiii jj kkk l mmmmmm n oo pppp q rrr ss t uuuuuuu vv w x yyyy zz " * 3
    rows = (
        "",
        "   ",
        "a",
        "x" * w,
        "x" * (w + 1),
        "x" * (w - 1) + " y",
        "x" * (w - 2) + " y",
        "x" * (w - 2) + " y z",
        "a " + "b" * (w + 3) + " c",
        "one  two\nthree",
        verse[:150].strip(),
        " ".join("ab" for _ in range(w)),
        "x" * (w - 3) + " yy zz",
    )
    return Entry(
        title=f"Wrapping text at {width} characters, {align}",
        statement=f"wrap(text) splits the text at white space into words and fills lines greedily: a word goes on the current line, after one space, while the line stays within {width} "
        f"characters, and otherwise begins a new line. A longer word stands alone and is not broken. The list of lines is returned, the lines {shown}; a text without words gives an empty list.",
        signature="def wrap(text: str) -> list[str]",
        explanations=(
            f"One line is kept open. If the next word and the space before it would make it longer than {width}, the line is closed; else the word is appended. The last open line must not be forgotten.",
            f"Greedy filling puts as many words as possible on each line of {width}. It uses the fewest lines possible, since delaying a break never makes room earlier. Lines come out {shown}.",
            f"The test is len(line) + 1 + len(word) > {width}, where the 1 stands for the space. An empty line skips it, for which reason a word of more than {width} characters still finds a place.",
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("An empty text has no lines.", "wrap('') == []"),
            (f"A word of {w} characters next to another takes a line of its own.", f"len(wrap('{'x' * w} y')) == 2"),
            (f"Words that fill {w} characters exactly, space included, share a line.", f"len(wrap('{'x' * (w - 2)} y')) == 1"),
        ),
        false_claims=(("Words that are too long are broken up.", f"len(wrap('{'x' * (2 * w)}')) == 2"),),
        exercises=tuple((f"Which lines does {row!r} give at width {w}?", repr(row)) for row in (rows[6], rows[8], verse[:40].strip())),
        exam=quoted(*rows),
        wrong=spoiled(
            code,
            wrong_formula=("len(line) + 1 + len(word)", "len(line) + len(word)"),
            off_by_one=(f"> {w}:", f">= {w}:"),
            wrong_constant=(f"> {w}:", f"> {w + 2}:"),
        ),
    )  # fmt: skip


def _numeral(base: int, kind: str) -> Entry:
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:base]
    if kind == "negative":
        body, zero = f"n, digit = -(n // {base}), n % {base}", "0"
        rule = f"in base -{base}, with digits from 0 to {base - 1}"
        domain, words = (
            "any integer n",
            f"the place values are the powers of -{base}: 1, -{base}, {base * base} and so on",
        )
    elif kind == "bijective":
        body, zero = f"n, digit = (n - 1) // {base}, (n - 1) % {base} + 1", ""
        rule = f"in bijective base {base}, with digits from 1 to {base} and no zero"
        domain, words = "n >= 0", f"each digit lies between 1 and {base}, as in the column names of a spreadsheet"
    else:
        body, zero = f"n, digit = n // {base}, n % {base}", "0"
        rule = f"in base {base}, with digits from 0 to {base - 1}"
        domain, words = "n >= 0", f"the place values are the powers of {base}"
    code = fill(
        """
        def numeral(n: int) -> list[int]:
            if n == 0:
                return [<zero>]
            digits = []
            while n != 0:
                <body>
                digits.append(digit)
            return digits[::-1]
        """,
        zero=zero,
        body=body,
    )
    least = 1 if kind == "bijective" else 0
    signed = -base if kind == "negative" else base
    alternative = fill(
        """
        def numeral(n: int) -> list[int]:
            if n == 0:
                return [<zero>]
            digit = next(d for d in range(<least>, <above>) if (n - d) % <base> == 0)
            rest = (n - digit) // <signed>
            return (numeral(rest) if rest else []) + [digit]
        """,
        zero=zero,
        least=least,
        above=least + base,
        base=base,
        signed=signed,
    )
    del digits
    values = [0, 1, 2, base - 1, base, base + 1, base * base, base * base + base, base**3 - 1, 100, 2025, 10**9 + 7] + (
        [-1, -2, -base, -base - 1, -1000] if kind == "negative" else []
    )
    return Entry(
        title=f"Numerals in {'' if kind == 'positional' else kind + ' '}base {base}",
        statement=f"numeral(n) returns the digits of the integer n {rule}, as a list with the most significant digit first, for {domain}. "
        + ("Zero is written as the empty list." if kind == "bijective" else "Zero is written [0]; otherwise there are no leading zeros."),
        signature="def numeral(n: int) -> list[int]",
        explanations=(
            f"The last digit is the remainder that n leaves, and what remains is the number without its last digit. Repeating this until 0 is left yields the digits from right to left; here {words}.",
            f"To write a number {rule}, divide again and again and collect remainders. They appear in reverse, so the list is turned round at the end.",
            (f"Every digit list stands for the sum of digit times place value, and {words}. Division peels the sum from its lowest term. "
            f"That the representation is unique follows because each remainder class modulo {base} has exactly one digit."),
        ),
        code=code,
        alternative=alternative,
        claims=(
            ("Evaluating the digits gives the number back.", f"all(sum(d * ({signed})**i for i, d in enumerate(reversed(numeral(n)))) == n for n in range(200))"),
            (f"All digits lie between {least} and {least + base - 1}.", f"all({least} <= d <= {least + base - 1} for n in range(1, 200) for d in numeral(n))"),
            ("1 is a single digit.", "numeral(1) == [1]"),
        ),
        false_claims=((f"{base} is written with a single digit.", f"numeral({base}) == [{base}]") if kind != "bijective" else (f"{base} is written 1 0.", f"numeral({base}) == [1, 0]"),),
        exercises=tuple((f"How is {n} written {rule}?", str(n)) for n in (base + 3, 365, base**3)),
        exam=tuple(dict.fromkeys(map(str, values))),
        wrong=spoiled(
            code,
            wrong_formula=("digits[::-1]", "digits"),
            off_by_one=("while n != 0", "while abs(n) > 1"),
            wrong_constant=(f"% {base}", f"% {base + 1}"),
        ),
    )  # fmt: skip


FAMILIES: tuple[Family, ...] = (
    Family("caesar-ciphers", _SLUG, "Caesar ciphers", (), [(s, t) for s in range(1, 26) for t in range(10)], _caesar),
    Family(
        "affine-ciphers", _SLUG, "Affine ciphers", ("caesar-ciphers", "modular-powers"),
        [(a, b) for a in range(3, 26) if math.gcd(a, 26) == 1 for b in range(26)], _affine,
    ),
    Family(
        "vigenere-ciphers", _SLUG, "Vigenère ciphers", ("caesar-ciphers",),
        [(key, decrypt) for key in _WORDS for decrypt in (False, True)], _vigenere,
    ),
    Family(
        "text-wrapping", _SLUG, "Greedy text wrapping", (),
        [(width, align) for width in range(6, 86) for align in ("left", "right", "between bars")], _wrap,
    ),
    Family(
        "numerals", _SLUG, "Numeral systems", (),
        [(base, kind) for base in range(3, 63) for kind in ("positional", "negative", "bijective")], _numeral,
    ),
    *CHECKS,
    *CODES,
)  # fmt: skip
