"""What code reaches for: imports, names and attributes that a lesson or exam may not use.

It reads syntax trees and runs nothing. It saves sandbox time and gives the teacher a clear reason; it is not
a security boundary, since Python can hide any name. The sandbox is the boundary.
"""

import ast
from collections.abc import Iterator

from ghostd.core import syntax

_MODULES = """
    abc array base64 binascii bisect calendar cmath collections copy dataclasses datetime decimal enum fractions
    functools hashlib heapq itertools json math numbers operator random re statistics string struct textwrap typing
    unicodedata zlib __future__
"""
_NAMES = "open exec eval compile globals locals vars input breakpoint exit quit memoryview delattr setattr getattr"
_ATTRIBUTES = "f_back f_builtins f_globals f_locals f_code gi_frame gi_code cr_frame ag_frame tb_frame tb_next modules"
_DUNDERS = """
    init new post_init name doc len iter next contains getitem setitem add sub mul eq ne lt le gt ge hash repr str bool
    call abs neg int float setattr all version future
"""
ALLOWED_MODULES = frozenset(_MODULES.split())
MAXIMUM_CHARACTERS = 32_768  # of one module or snippet
MAXIMUM_DEPTH = 80  # of a syntax tree: far above any lesson, far below the recursion limit
_NONDETERMINISTIC_MODULES = {"time": "clock", "secrets": "random", "uuid": "random"}
_NONDETERMINISTIC_NAMES = {"id": "address", "hash": "hash-order"}
_CLOCK_READERS = frozenset({"now", "today", "utcnow"})
_FORBIDDEN_NAMES = frozenset(_NAMES.split())
_FORBIDDEN_ATTRIBUTES = frozenset(_ATTRIBUTES.split())
_ALLOWED_DUNDERS = frozenset(f"__{name}__" for name in _DUNDERS.split())


class Unreadable(ValueError):
    """The source is no Python module of a reasonable size."""


def parse(source: str) -> ast.Module:
    """The syntax tree of `source`. Raises Unreadable when it has none, is too long or nested too deep."""
    if len(source) > MAXIMUM_CHARACTERS:
        raise Unreadable(f"longer than {MAXIMUM_CHARACTERS} characters")
    try:
        tree = syntax.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}") from error
    level: list[ast.AST] = [tree]
    for _ in range(MAXIMUM_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return tree
    raise Unreadable(f"nested deeper than {MAXIMUM_DEPTH} levels")


def find_hazard(tree: ast.Module) -> str:
    """The first thing that may not be used, as "import:os", "forbidden:open" or "nondeterminism:clock"; '' if none."""
    nodes = list(ast.walk(tree))
    aliases = {
        name.asname or name.name: name.name for node in nodes if isinstance(node, ast.Import) for name in node.names
    }
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    bound |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    for node in nodes:
        for hazard in _hazards_of(node, aliases, bound):
            return hazard
    return ""


def _hazards_of(  # noqa: C901, PLR0912 - one case per kind of node
    node: ast.AST, aliases: dict[str, str], bound: set[str]
) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (_module_hazard(name.name) for name in names if _module_hazard(name.name))
        case ast.ImportFrom(module=module, names=names, level=level):
            hazard = _module_hazard(module or "") if level == 0 else "import:relative"
            if hazard:
                yield hazard
            elif module == "random" and any(name.name != "Random" for name in names):
                yield "nondeterminism:random"
        case ast.Name(id=name) if name not in bound:
            if name in _FORBIDDEN_NAMES or (name.startswith("__") and name not in _ALLOWED_DUNDERS):
                yield f"forbidden:{name}"
            elif name in _NONDETERMINISTIC_NAMES:
                yield f"nondeterminism:{_NONDETERMINISTIC_NAMES[name]}"
        case ast.Attribute(value=ast.Name(id=owner), attr=attribute) if aliases.get(owner) == "random":
            if attribute != "Random":
                yield "nondeterminism:random"
        case ast.Attribute(attr=attribute) if attribute in _CLOCK_READERS:
            yield "nondeterminism:clock"
        case ast.Attribute(attr=attribute):
            hidden = attribute.startswith("__") and attribute not in _ALLOWED_DUNDERS
            if hidden or attribute in _FORBIDDEN_ATTRIBUTES:
                yield f"forbidden:{attribute}"
        case ast.Call(func=ast.Name(id="Random") | ast.Attribute(attr="Random"), args=[], keywords=[]):
            yield "nondeterminism:random"


def _module_hazard(name: str) -> str:
    root = name.split(".", 1)[0]
    if root in _NONDETERMINISTIC_MODULES:
        return f"nondeterminism:{_NONDETERMINISTIC_MODULES[root]}"
    return "" if root in ALLOWED_MODULES else f"import:{root}"
