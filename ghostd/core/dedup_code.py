"""Python code as what it does: the same text for two programs that differ in names, comments and layout alone.

Constants are kept. In 1.87 million pairs of the textbook's functions, equality of these texts joined one pair, which is
the same function under two concepts; Jaccard over the same tokens joined 228 pairs, whose functions differ, and
12,028 were equal once constants were abstracted. So equality decides, and likeness does not.
"""

import ast
import builtins
import re
import textwrap
import warnings
from collections.abc import Callable

from ghostd.core import syntax

_BUILT_IN = frozenset(dir(builtins))
_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\d[\w.]*|\w+|[^\w\s]")
_ANY_NAME = "NAME"


def parse(source: str) -> ast.Module | None:
    """The syntax tree, None for what is not Python; the indented body of a function is read as if it were a module."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in somebody else's text
            return syntax.parse(textwrap.dedent(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # ValueError: NUL bytes; MemoryError: the parser's word for nesting that is too deep


def same_function_text(source: str) -> str:
    """The code with names numbered as they appear, without docstrings, annotations and comments.

    Names of built-ins, imported names, attributes and constants stay. What is not Python is returned as its words.
    """
    tree = parse(source)
    if tree is None:
        return " ".join(source.split())
    names: dict[str, str] = {}
    return _text(tree, lambda name: names.setdefault(name, f"v{len(names)}"))


def tokens(tree: ast.AST) -> list[str]:
    """The tokens of the code with every name of its own alike, so that a fragment reads the same wherever it stands.

    Source: the normalisation for winnowing in Schleimer, Wilkerson and Aiken, SIGMOD 2003, section 3.
    """
    return split_tokens(_text(tree, lambda _: _ANY_NAME))


def split_tokens(text: str) -> list[str]:
    """Names, numbers, strings and single symbols, in order."""
    return _TOKEN.findall(text)


def functions(source: str) -> list[str]:
    """The text of each function of the module, wherever it is defined, for `same_function_text`."""
    tree = parse(source)
    if tree is None:
        return []
    return [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def strings_of(tree: ast.AST) -> list[str]:
    """The string constants of the code, docstrings among them."""
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def only_expressions(tree: ast.Module) -> bool:
    """Whether the module does nothing but evaluate expressions, as a sentence that happens to parse does."""
    return all(isinstance(statement, ast.Expr) for statement in tree.body)


def _text(tree: ast.AST, rename: Callable[[str], str]) -> str:
    copy = syntax.parse(ast.unparse(tree))
    for node in ast.walk(copy):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            node.body = body[1:] or [ast.Pass()]  # type: ignore[attr-defined]  # every node with a list body
    return ast.unparse(ast.fix_missing_locations(_Renamed(_kept(copy), rename).visit(copy)))


def _kept(tree: ast.AST) -> frozenset[str]:
    """Names that mean the same everywhere: built-ins, and what is imported."""
    imported = {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    return _BUILT_IN | imported


def _is_docstring(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


class _Renamed(ast.NodeTransformer):
    """Renames what the code itself names, in the order of its text, and drops annotations."""

    def __init__(self, kept: frozenset[str], rename: Callable[[str], str]) -> None:
        self._kept = kept
        self._rename = rename

    def _name(self, name: str) -> str:
        return name if name in self._kept else self._rename(name)

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.name, node.returns = self._name(node.name), None
        return self.generic_visit(node)

    visit_FunctionDef = visit_AsyncFunctionDef = _visit_function  # noqa: N815 - the visitor's protocol

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.name = self._name(node.name)
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg, node.annotation = self._name(node.arg), None
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        return self.generic_visit(node)  # its name belongs to the function that is called

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._name(node.id)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        return ast.Assign([node.target], node.value) if node.value else ast.Pass()
