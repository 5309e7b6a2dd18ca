"""Laws: from a property of the exam to a snippet that asserts it over generated argument lists; it runs none.

A law is one or a few statements over the signature's parameters, such as `assert gcd(a, b) == gcd(b, a)`.
"""

import ast
from collections.abc import Sequence

from ghostd.core.concept import Concept
from ghostd.verify.hazards import Unreadable, find_hazard, parse
from ghostd.verify.inputs import literal_arguments

_MOST_INPUTS = 20  # argument lists that one law is tried on
_STATEMENTS = ast.Assert | ast.Assign | ast.Import | ast.ImportFrom
# What a function raises outside its domain. The law says nothing there; an AssertionError is never passed over.
_OUTSIDE = "(ArithmeticError, LookupError, TypeError, ValueError)"


def law_snippet(law: str, concept: Concept, inputs: Sequence[str]) -> str:
    """The loop that asserts the law for each of the argument lists.

    '' when the law asserts nothing about the entry function, does anything but assign, import and assert, reaches for
    what it may not use, or when no argument list fits the signature.
    """
    body = _statements(law, concept.entry)
    names = parameters(concept.signature)
    known = (literal_arguments(one) for one in inputs)
    fitting = [values for values in known if len(values) == len(names)][:_MOST_INPUTS]
    if not body or not names or not fitting:
        return ""
    inside = "\n".join(f"        {line}" for statement in body for line in ast.unparse(statement).splitlines())
    target = f"({', '.join(names)},)"
    return f"for {target} in {fitting!r}:\n    try:\n{inside}\n    except {_OUTSIDE}:\n        pass\n"


def parameters(signature: str) -> list[str]:
    """The names of the positional parameters of a signature line; [] when it cannot be read."""
    try:
        tree = parse(signature.strip().rstrip(":") + ": ...")
    except Unreadable:
        return []
    function = tree.body[0]
    if not isinstance(function, ast.FunctionDef):
        return []
    return [one.arg for one in (*function.args.posonlyargs, *function.args.args)]


def _statements(law: str, entry: str) -> list[ast.stmt]:
    try:
        tree = parse(law)
    except Unreadable:
        return []
    if find_hazard(tree) or not all(isinstance(one, _STATEMENTS) for one in tree.body):
        return []
    nodes = [node for one in tree.body for node in ast.walk(one)]
    called = any(isinstance(node, ast.Name) and node.id == entry for node in nodes)
    rebound = any(isinstance(node, ast.Name) and node.id == entry and isinstance(node.ctx, ast.Store) for node in nodes)
    asserts = any(isinstance(node, ast.Assert) for node in tree.body)
    return tree.body if called and asserts and not rebound else []
