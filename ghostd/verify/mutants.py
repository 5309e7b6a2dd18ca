"""Damaged versions of a lesson's code, one small change each; it writes them, it runs none.

The operators are the classical sufficient set (Offutt et al., "An experimental determination of sufficient
mutant operators", TOSEM 1996) plus what Python adds: slices, range bounds, return values. A change is spliced
into the source text, so that the rest of the code, and its line numbers, stay as the teacher wrote them.
"""

import ast
import hashlib
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from ghostd.verify.hazards import parse

_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitOr,
}
_COMPARISON: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_RISKY_IN_SAMPLE = 2  # mutants of a while loop's progress: most of them run into their time limit

_BOUNDARIES = ({ast.Lt, ast.LtE}, {ast.Gt, ast.GtE})  # such a change costs a loop one pass, never its end
_WHILE, _PROGRESS = "while", "while's progress"  # among the names of a loop; no variable can be called so


@dataclass(frozen=True, slots=True)
class Mutant:
    """One damaged version."""

    code: str
    description: str  # "line 3: `n < 2` became `n <= 2`"


@dataclass(frozen=True, slots=True)
class _Edit:
    """The text of `node` replaced by `text`."""

    kind: str
    node: ast.expr | ast.stmt
    text: str
    risky: bool


def sample_mutants(code: str, cap: int) -> list[Mutant]:
    """Up to `cap` distinct mutants, the same ones for the same code; kinds take turns, so none crowds out another.

    Raises Unreadable when the code does not parse.
    """
    by_kind: defaultdict[str, list[_Edit]] = defaultdict(list)
    for edit in _edits(parse(code)):
        by_kind[edit.kind].append(edit)
    source = _Source(code)
    shuffler = random.Random(hashlib.sha256(code.encode()).digest())  # noqa: S311 - a sample, not a secret
    queues = [by_kind[kind] for kind in sorted(by_kind)]
    for queue in queues:
        shuffler.shuffle(queue)
    mutants: dict[str, Mutant] = {}
    risky = 0
    while queues and len(mutants) < cap:
        for queue in queues:
            edit = queue.pop()
            if edit.risky and risky == _RISKY_IN_SAMPLE:
                continue
            mutant = source.mutant(edit)
            if mutant.code != code and mutant.code not in mutants and len(mutants) < cap:
                risky += edit.risky
                mutants[mutant.code] = mutant
        queues = [queue for queue in queues if queue]
    return list(mutants.values())


class _Source:
    """Text addressed by a tree's positions, which count bytes within lines."""

    def __init__(self, code: str) -> None:
        self._bytes = code.encode()
        self._starts = [0]
        for line in code.encode().splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def mutant(self, edit: _Edit) -> Mutant:
        node = edit.node
        start = self._starts[node.lineno - 1] + node.col_offset
        end = self._starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        before = self._bytes[start:end].decode()
        changed = self._bytes[:start] + edit.text.encode() + self._bytes[end:]
        return Mutant(changed.decode(), f"line {node.lineno}: `{before}` became `{edit.text}`")


def _edits(tree: ast.Module) -> Iterator[_Edit]:
    """All changes. Iterative; leaves out annotations, f-strings (their positions are wrong before
    Python 3.12), docstrings and the texts of exceptions, which say nothing about the function's values.
    """
    stack: list[tuple[ast.AST, frozenset[str]]] = [(tree, frozenset())]
    while stack:
        node, loop_names = stack.pop()
        if isinstance(node, ast.JoinedStr | ast.arguments | ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.While):
            stack.append((node.test, loop_names | {_PROGRESS}))
            loop_names = (
                loop_names | {child.id for child in ast.walk(node.test) if isinstance(child, ast.Name)} | {_WHILE}
            )
        if isinstance(node, ast.stmt):
            yield from _statement_edits(node, loop_names)
        elif isinstance(node, ast.expr):
            yield from _expression_edits(node, risky=_PROGRESS in loop_names)
        inside = loop_names
        if isinstance(node, ast.stmt) and _WHILE in loop_names and _moves_loop(node, loop_names):
            inside = loop_names | {_PROGRESS}
        stack.extend((child, inside) for child in _children(node))


def _children(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.FunctionDef(body=body) | ast.ClassDef(body=body):
            yield from body
        case ast.AnnAssign(value=value):
            if value is not None:
                yield value
        case ast.Raise():
            return
        case ast.Expr(value=ast.Constant()):
            return
        case ast.While(body=body, orelse=orelse):
            yield from (*body, *orelse)
        case ast.Match(cases=cases):
            yield from (statement for case in cases for statement in case.body)
        case _:
            yield from ast.iter_child_nodes(node)


def _moves_loop(statement: ast.stmt, loop_names: frozenset[str]) -> bool:
    """Whether a simple statement inside a while loop changes what decides on its end."""
    if isinstance(statement, ast.While | ast.For | ast.If | ast.Try | ast.With):
        return False
    stored = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return bool(stored & loop_names)


def _statement_edits(node: ast.stmt, loop_names: frozenset[str]) -> Iterator[_Edit]:
    in_while = _WHILE in loop_names
    risky = in_while and _moves_loop(node, loop_names)
    match node:
        case ast.Return(value=value) if value is not None:
            if not (isinstance(value, ast.Constant) and value.value is None):
                yield _Edit("return", node, "return None", risky=False)
        case ast.AugAssign(target=target, op=operator, value=value):
            other = _ARITHMETIC.get(type(operator))
            if other is not None:
                yield _Edit("arithmetic", node, ast.unparse(ast.AugAssign(target, other(), value)), risky)
            yield _Edit("deletion", node, "pass", risky)
        case ast.Expr(value=ast.Call()) | ast.Raise():
            yield _Edit("deletion", node, "pass", in_while)
        case ast.Assign(targets=[ast.Subscript() | ast.Attribute()]):
            yield _Edit("deletion", node, "pass", risky)
        case ast.Break():
            yield _Edit("jump", node, "continue", in_while)
        case ast.Continue():
            yield _Edit("jump", node, "break", risky=False)
        case ast.If(test=test) if not isinstance(test, ast.Compare):  # a comparison is negated as such
            yield _Edit("condition", test, f"(not ({ast.unparse(test)}))", in_while)


def _expression_edits(  # noqa: C901, PLR0912 - one case per operator of mutation
    node: ast.expr, *, risky: bool
) -> Iterator[_Edit]:
    match node:
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _ARITHMETIC:
            yield _edit("arithmetic", node, ast.BinOp(left, _ARITHMETIC[type(operator)](), right), risky)
        case ast.Compare(left=left, ops=[operator, *rest], comparators=comparators):
            for other in _COMPARISON[type(operator)]:
                endless = risky and {type(operator), other} not in _BOUNDARIES
                yield _edit("comparison", node, ast.Compare(left, [other(), *rest], comparators), endless)
        case ast.BoolOp(op=operator, values=values):
            swapped = ast.And() if isinstance(operator, ast.Or) else ast.Or()
            yield _edit("boolean", node, ast.BoolOp(swapped, values), risky)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand) if not isinstance(operand, ast.Constant):
            yield _edit("boolean", node, operand, risky)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield _edit("condition", node, ast.IfExp(test, orelse, body), risky)
        case ast.Constant(value=value):
            yield from (_edit("constant", node, ast.Constant(other), risky) for other in _other_constants(value))
        case ast.Call(func=function, args=[first, second, *rest], keywords=keywords) if not _starred(node):
            yield _edit("arguments", node, ast.Call(function, [second, first, *rest], keywords), risky)
            if isinstance(function, ast.Name) and function.id == "range":
                yield _edit("range", second, ast.BinOp(second, ast.Add(), ast.Constant(1)), risky)
        case ast.Call(func=ast.Name(id="range"), args=[only]) if not isinstance(only, ast.Starred):
            yield _edit("range", only, ast.BinOp(only, ast.Sub(), ast.Constant(1)), risky)
        case ast.Subscript(slice=ast.Slice(lower=lower, upper=upper)):
            for bound in (lower, upper):
                if bound is not None and not isinstance(bound, ast.Constant):
                    yield _edit("slice", bound, ast.BinOp(bound, ast.Add(), ast.Constant(1)), risky)


def _edit(kind: str, node: ast.expr, replacement: ast.expr, risky: bool) -> _Edit:
    return _Edit(kind, node, f"({ast.unparse(replacement)})", risky)


def _starred(call: ast.Call) -> bool:
    return any(isinstance(one, ast.Starred) for one in call.args)


def _other_constants(value: object) -> Iterator[bool | int | float | str]:
    match value:
        case bool():
            yield not value
        case int() if abs(value) < 10**4000:  # longer ones cannot be printed in decimal
            yield value + 1
            yield value - 1
        case float():
            yield value + 1.0
            yield value * 0.99
        case str():
            yield "" if value else "?"
