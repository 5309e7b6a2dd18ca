"""Which function of a program its tests are about; it runs and judges nothing."""

import ast
from collections.abc import Sequence

from ghostd.verify.hazards import Unreadable, parse


def entry_of(code: str, tests: Sequence[str]) -> str:
    """The last function at the code's top level that a test calls by name; '' when there is none to be read."""
    try:
        defined = [node.name for node in parse(code).body if isinstance(node, ast.FunctionDef)]
        called = {
            node.func.id
            for test in tests
            for node in ast.walk(parse(test))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
    except Unreadable:
        return ""
    return next((name for name in reversed(defined) if name in called), "")
