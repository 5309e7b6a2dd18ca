"""Python source as syntax trees and values: what `ast` does, and again where the interpreter fails without cause.

Before 3.11.8 and 3.12.2 a parse ends in SystemError when another one comes between: the garbage collector runs in the
midst of it, and what it frees has a traceback formatted, which is a parse (https://github.com/python/cpython/issues/106905).
"""

import ast
from collections.abc import Callable
from typing import Any, TypeVar

_ATTEMPTS = 4
_Found = TypeVar("_Found")


def parse(source: str) -> ast.Module:
    """The syntax tree of a module. Raises SyntaxError, ValueError, RecursionError, MemoryError as `ast.parse` does."""
    return _undisturbed(lambda: ast.parse(source))


def expression(source: str) -> ast.expr:
    """The syntax tree of an expression. Raises what `parse` raises."""
    return _undisturbed(lambda: ast.parse(source, mode="eval")).body


def literal(source: str) -> Any:
    """The value of a literal. Raises what `parse` raises, and TypeError."""
    return _undisturbed(lambda: ast.literal_eval(source))


def _undisturbed(read: Callable[[], _Found]) -> _Found:
    for _ in range(_ATTEMPTS - 1):
        try:
            return read()
        except SystemError:
            continue
    return read()
