"""Turns indented templates into Python source and plants named mistakes in it; it knows no family."""

import functools
import re
import textwrap

_PLACE = re.compile(r"\b[A-Z][A-Z_]+\b")
_DOUBLE_SIGN = re.compile(r"([+-]) -(?=\d)")


@functools.lru_cache(maxsize=1024)
def _plain(template: str) -> str:
    return textwrap.dedent(template).strip() + "\n"


def _tidy(code: str) -> str:
    """`x - -2` as people write it, `x + 2`; the value is the same, since both signs bind alike."""
    return _DOUBLE_SIGN.sub(lambda found: "+ " if found.group(1) == "-" else "- ", code)


def source(template: str, **values: object) -> str:
    """The dedented template with each whole word that names a value (two or more capitals) replaced by its repr."""

    def fill(found: re.Match[str]) -> str:
        word = found.group()
        return repr(values[word]) if word in values else word

    return _tidy(_PLACE.sub(fill, _plain(template)))


def signature(code: str) -> str:
    """The one-line `def` of the last top-level function in `code`, without its colon."""
    lines = [line for line in code.splitlines() if line.startswith("def ")]
    return lines[-1].removesuffix(":")


def slips(code: str, **mistakes: tuple[str, str]) -> dict[str, str]:
    """For each fault kind, `code` with one fragment replaced by another; ValueError when the fragment is absent."""
    wrong = {}
    for kind, (fragment, replacement) in mistakes.items():
        if _tidy(fragment) not in code:
            raise ValueError(f"{kind}: {fragment!r} is not in the code")
        wrong[kind] = code.replace(_tidy(fragment), _tidy(replacement))
    return wrong


def spoken(text: object) -> str:
    """Text for a title, in which every minus sign is the word, so that the slug keeps it."""
    return re.sub(r"-\s*(?=\w)", "minus ", str(text))


def calls(*rows: object) -> tuple[str, ...]:
    """Argument lists as source: a tuple is several arguments, anything else is one. Repeats are dropped."""
    written = (", ".join(map(repr, row)) if isinstance(row, tuple) else repr(row) for row in rows)
    return tuple(dict.fromkeys(written))
