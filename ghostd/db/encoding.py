"""Text and JSON that hold any Python string: what Postgres cannot store is escaped going in, restored coming out.

Postgres refuses NUL, and UTF-8 has no lone surrogates, but a teacher's answer or a program's output may hold both.
"""

import json
import re
from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator

_MARK = "\ue000"  # a private-use character; itself escaped, so that the mapping is one to one
_UNSAFE = re.compile(f"[\x00\ud800-\udfff{_MARK}]")
_ESCAPED = re.compile(f"{_MARK}([0-9a-f]{{4}})")


def escape(text: str) -> str:
    """`text` with NUL, lone surrogates and the mark itself written as mark + four hex digits."""
    return _UNSAFE.sub(lambda found: f"{_MARK}{ord(found.group()):04x}", text) if _UNSAFE.search(text) else text


def restore(text: str) -> str:
    """The inverse of `escape`."""
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), text) if _MARK in text else text


def dumps(value: Any) -> str:
    """JSON that Postgres accepts as jsonb; NaN and infinities are refused with ValueError."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if "\\u0000" in text or _UNSAFE.search(text):
        return json.dumps(_walk(value, escape), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text


def loads(text: str | bytes) -> Any:
    """The inverse of `dumps`, tuples having become lists."""
    if isinstance(text, bytes):
        text = text.decode()
    value = json.loads(text)
    return _walk(value, restore) if _MARK in text else value


class AnyText(TypeDecorator[str]):
    """A text column for strings that ghostd did not write itself."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's hook
        """Escape on the way in."""
        return None if value is None else escape(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's hook
        """Restore on the way out."""
        return None if value is None else restore(value)


def _walk(value: Any, change: Any) -> Any:
    match value:
        case str():
            return change(value)
        case dict():
            return {change(key): _walk(item, change) for key, item in value.items()}
        case list() | tuple():
            return [_walk(item, change) for item in value]
        case _:
            return value
