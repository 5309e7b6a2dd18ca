"""Small tools for writing a family compactly: fill a template, spoil a right solution; no knowledge of any domain."""

import functools
import textwrap


@functools.cache
def _dedented(template: str) -> str:
    return textwrap.dedent(template).strip() + "\n"


def fill(template: str, **values: object) -> str:
    """The dedented template with every `<name>` replaced by its value."""
    text = _dedented(template)
    for name, value in values.items():
        text = text.replace(f"<{name}>", str(value))
    return text


def spoiled(code: str, **mistakes: tuple[str, str]) -> dict[str, str]:
    """Fault kind -> the code with one right fragment replaced by a mistake. Raises ValueError when it is not there."""
    for kind, (right, _) in mistakes.items():
        if right not in code:
            raise ValueError(f"{kind}: {right!r} is not in the code")
    return {kind: code.replace(right, mistake, 1) for kind, (right, mistake) in mistakes.items()}


def quoted(*texts: str) -> tuple[str, ...]:
    """Argument lists of one string each, without repetitions."""
    return tuple(dict.fromkeys(map(repr, texts)))
