"""Right code in unusual styles: rewrites that keep the meaning; whether one may be used is decided by running it."""

import ast
import copy
import functools
from collections.abc import Callable
from enum import StrEnum

from ghostd.core import syntax
from ghostd.textbook.catalogue.family import Entry
from ghostd.textbook.writing import answers

_UNFIT = (ArithmeticError, LookupError, TypeError, ValueError, RecursionError, NameError, SyntaxError)


class Style(StrEnum):
    """How right code can be written."""

    PLAIN = "plain"
    ALTERNATIVE = "alternative"  # by another method
    RECURSION = "recursion"  # every loop that allows it calls itself
    GENERATOR = "generator"  # values are yielded, lists are drained from generators
    CLASS = "class"  # an object is made, and asked
    COMPREHENSION = "comprehension"  # loops and even the call are comprehensions


def restyled(entry: Entry, style: Style) -> str:
    """The entry's code in that style; its plain code where the style changes nothing or would change an answer."""
    return _restyled(entry.code, entry.alternative, entry.signature, entry.exam, style) or entry.code


def suits(entry: Entry, style: Style) -> bool:
    """Whether the entry's code can be written in that style."""
    return style is Style.PLAIN or bool(_restyled(entry.code, entry.alternative, entry.signature, entry.exam, style))


@functools.lru_cache(maxsize=1024)
def _restyled(code: str, alternative: str, signature: str, questions: tuple[str, ...], style: Style) -> str:
    """The rewritten code, '' where there is none that gives the same answers."""
    written = alternative if style is Style.ALTERNATIVE else _STYLES[style](code, signature)
    if not written or written == code:
        return ""
    if style is Style.ALTERNATIVE:  # the catalogue's own tests compare it with the code, floats within a tolerance
        return written
    try:
        same = answers(written, signature, questions) == answers(code, signature, questions)
    except _UNFIT:
        return ""
    return written if same else ""


def _header(signature: str) -> tuple[str, str, str]:
    """The signature's line, the function's name, and its parameters as they are handed on."""
    line = signature.rstrip().rstrip(":")
    (declared,) = syntax.parse(f"{line}: ...").body
    assert isinstance(declared, ast.FunctionDef)  # noqa: S101 - what every signature of the catalogue is
    return line, declared.name, ", ".join(one.arg for one in declared.args.args)


class _Renamed(ast.NodeTransformer):
    """The same code with one function under another name."""

    def __init__(self, old: str, new: str) -> None:
        self._old, self._new = old, new

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self._new if node.name == self._old else node.name
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._new if node.id == self._old else node.id
        return node


class _Drained(ast.NodeTransformer):
    """Every list comprehension as a generator that is drained."""

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        self.generic_visit(node)
        return ast.Call(ast.Name("list", ast.Load()), [ast.GeneratorExp(node.elt, node.generators)], [])


class _Gathered(ast.NodeTransformer):
    """Every loop that only appends as a comprehension."""

    def visit_For(self, node: ast.For) -> ast.AST:
        self.generic_visit(node)
        conditions: list[ast.expr] = []
        body = node.body
        while len(body) == 1 and isinstance(body[0], ast.If) and not body[0].orelse:
            conditions.append(body[0].test)
            body = body[0].body
        match body:
            case [ast.Expr(ast.Call(ast.Attribute(ast.Name() as gathered, "append"), [value], []))] if not node.orelse:
                each = ast.comprehension(node.target, node.iter, conditions, 0)
                extend = ast.Attribute(gathered, "extend", ast.Load())
                return ast.Expr(ast.Call(extend, [ast.ListComp(value, [each])], []))
        return node


class _Recursive(ast.NodeTransformer):
    """Every `while` loop without a way out of its middle as a function that calls itself."""

    def __init__(self) -> None:
        self.loops = 0

    def visit_While(self, node: ast.While) -> ast.AST | list[ast.stmt]:
        ways_out = (ast.Return, ast.Break, ast.Continue, ast.Yield, ast.FunctionDef, ast.Lambda)
        if node.orelse or any(isinstance(inside, ways_out) for inside in ast.walk(node)):
            return node
        stored = {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
        if not stored:
            return node
        self.loops += 1
        name, state = f"again_{self.loops}", ", ".join(sorted(stored))
        (step,) = syntax.parse(f"def {name}({state}):\n    return ({state},)").body
        (resumed,) = syntax.parse(f"({state},) = {name}({state})").body
        (onward,) = syntax.parse(f"def f():\n    return {name}({state})").body
        assert isinstance(step, ast.FunctionDef)  # noqa: S101 - as written above
        assert isinstance(onward, ast.FunctionDef)  # noqa: S101 - as written above
        step.body = [ast.If(node.test, [*node.body, *onward.body], []), *step.body]
        return [step, resumed]


def _rewritten(code: str, *rewrites: ast.NodeTransformer) -> str:
    tree = copy.deepcopy(syntax.parse(code))
    for rewrite in rewrites:
        tree = rewrite.visit(tree)
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def _recursion(code: str, signature: str) -> str:
    del signature
    rewrite = _Recursive()
    written = _rewritten(code, rewrite)
    return written if rewrite.loops else ""


def _generator(code: str, signature: str) -> str:
    line, name, names = _header(signature)
    inner = _rewritten(code, _Renamed(name, f"plain_{name}"), _Drained())
    produce = f"def produced({names}):\n    yield plain_{name}({names})\n"
    return f"{inner}\n\n{produce}\n\n{line}:\n    return next(produced({names}))\n"


def _class(code: str, signature: str) -> str:
    line, name, names = _header(signature)
    inner = _rewritten(code, _Renamed(name, f"plain_{name}"))
    asked = "class Question:\n    def __init__(self, *given):\n        self.given = given\n\n"
    asked += f"    def answer(self):\n        return plain_{name}(*self.given)\n"
    return f"{inner}\n\n{asked}\n\n{line}:\n    return Question({names}).answer()\n"


def _comprehension(code: str, signature: str) -> str:
    line, name, names = _header(signature)
    inner = _rewritten(code, _Renamed(name, f"plain_{name}"), _Gathered())
    return f"{inner}\n\n{line}:\n    return [one for once in [[plain_{name}({names})]] for one in once][0]\n"


_STYLES: dict[Style, Callable[[str, str], str]] = {
    Style.PLAIN: lambda code, _: code,
    Style.RECURSION: _recursion,
    Style.GENERATOR: _generator,
    Style.CLASS: _class,
    Style.COMPREHENSION: _comprehension,
}
