"""A quick sampler of AST mutants for the catalogue's own code; it judges exams, it is not the product's verifier."""

import ast
import copy
import gc
import itertools
import random
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ghostd.textbook.catalogue.family import Entry

CALL_SECONDS = 0.25  # CPU time that one call may take before it counts as endless
AGAIN_SECONDS = 0.25  # an alarm that strikes in a destructor is swallowed there: it strikes again
MUTANT_SECONDS = 0.02
MUTANTS = 30
WIDE_INPUTS = 48

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}


class TooSlow(BaseException):
    """A call passed its CPU time; a BaseException so that code under test cannot catch it by accident."""


@dataclass(frozen=True, slots=True)
class Score:
    """What an exam did to the mutants that really differ from the original."""

    killed: int
    total: int
    survivors: tuple[str, ...]  # source of each mutant that passed the exam although it differs

    @property
    def share(self) -> float:
        return self.killed / self.total if self.total else 1.0


def entry_name(entry: Entry) -> str:
    return entry.signature.removeprefix("def ").split("(", 1)[0].strip()


def define(code: str, name: str) -> Callable[..., Any]:
    """The function `name` of a module; a fresh namespace each time."""
    namespace: dict[str, Any] = {"__name__": "textbook"}
    exec(compile(code, "<textbook>", "exec"), namespace)
    return namespace[name]


@contextmanager
def _cpu_limit(seconds: float) -> Iterator[None]:
    """Raise TooSlow after `seconds` of CPU time; the wall-clock alarm stays free for pytest-timeout.

    No garbage is collected meanwhile: an exception in a callback of the collector would be lost.
    """

    def stop(signum: int, frame: object) -> None:
        raise TooSlow

    previous = signal.signal(signal.SIGVTALRM, stop)
    gc.disable()
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        gc.enable()
        signal.signal(signal.SIGVTALRM, previous)


def call(function: Callable[..., Any], arguments: str, seconds: float = CALL_SECONDS) -> tuple[str, Any]:
    """('value', result), ('raised', exception name) or ('slow', None)."""
    try:
        with _cpu_limit(seconds):
            return "value", eval(f"entry_({arguments})", {"entry_": function})
    except TooSlow:
        return "slow", None
    except Exception as error:  # noqa: BLE001 - mutants raise whatever they like
        return "raised", type(error).__name__


def mutants(code: str, cap: int, seed: str) -> list[str]:
    """A sample of the single-change mutants of the code, as source, without duplicates."""
    tree = ast.parse(code)
    sites = [(position, change) for position, node in enumerate(ast.walk(tree)) for change in _changes(node)]
    random.Random(seed).shuffle(sites)
    found: dict[str, None] = {}
    for position, change in sites[:cap]:
        mutant = copy.deepcopy(tree)
        change(next(itertools.islice(ast.walk(mutant), position, None)))
        found[ast.unparse(ast.fix_missing_locations(mutant))] = None
    found.pop(ast.unparse(tree), None)
    return list(found)


def _changes(node: ast.AST) -> Iterator[Callable[[Any], None]]:  # noqa: C901 - one case for each kind of node
    match node:
        case ast.Compare(ops=[operator]):
            for other in _COMPARISONS.get(type(operator), ()):
                yield lambda twin, other=other: setattr(twin, "ops", [other()])
        case ast.BinOp(op=operator) | ast.AugAssign(op=operator) if type(operator) in _OPERATORS:
            yield lambda twin: setattr(twin, "op", _OPERATORS[type(twin.op)]())
        case ast.BoolOp(op=operator):
            yield lambda twin: setattr(twin, "op", ast.Or() if isinstance(twin.op, ast.And) else ast.And())
        case ast.Constant(value=bool()):
            yield lambda twin: setattr(twin, "value", not twin.value)
        case ast.Constant(value=int()):
            yield lambda twin: setattr(twin, "value", twin.value + 1)
            yield lambda twin: setattr(twin, "value", twin.value - 1)
        case ast.Constant(value=float()):
            yield lambda twin: setattr(twin, "value", twin.value + 1)
        case ast.If() | ast.While() | ast.IfExp():
            yield lambda twin: setattr(twin, "test", ast.UnaryOp(ast.Not(), twin.test))
        case ast.Return(value=value) if value is not None:
            yield lambda twin: setattr(twin, "value", ast.Constant(None))
    if isinstance(node, ast.FunctionDef | ast.For | ast.While | ast.If):
        for index, statement in enumerate(node.body):
            if isinstance(statement, ast.Assign | ast.AugAssign | ast.Expr) and not _is_docstring(statement):
                yield lambda twin, index=index: twin.body.__setitem__(index, ast.Pass())


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def vary(value: Any, chance: random.Random) -> Any:  # noqa: PLR0911 - one case for each type
    """A neighbour of a plain value, of the same type."""
    match value:
        case bool():
            return not value
        case int():
            return value + chance.choice([-1, 1, -2, 2, value, 3])
        case float():
            return chance.choice([value + 1.0, value * 1.5, value / 2, -value])
        case str():
            cut = chance.randrange(len(value) + 1)
            return chance.choice([value[:cut], value[cut:], value[::-1], value + value[:1], value[cut:] + value[:cut]])
        case list() | tuple():
            items = list(value)
            cut = chance.randrange(len(items) + 1)
            kind = chance.randrange(4)
            if items and kind == 0:
                at = chance.randrange(len(items))
                items[at] = vary(items[at], chance)
            elif kind == 1:
                items = items[cut:] + items[:cut]
            elif kind == 2:
                items = items[:cut]
            else:
                items = items[::-1] + items[:1]
            return type(value)(items)
        case dict():
            return {key: vary(item, chance) for key, item in value.items()}
    return value


def wide_inputs(exam: Sequence[str], count: int = WIDE_INPUTS, seed: int = 0) -> list[str]:
    """Argument lists near those of the exam; each changes one argument, or all of them."""
    chance = random.Random(seed)
    found: dict[str, None] = {}
    rows = [eval(f"({arguments},)" if arguments.strip() else "()") for arguments in exam]
    for _ in range(count * 3):
        row = list(chance.choice(rows))
        if not row:
            break
        for at in [chance.randrange(len(row))] if chance.random() < 0.7 else range(len(row)):
            row[at] = vary(row[at], chance)
        found[", ".join(map(repr, row))] = None
        if len(found) >= count:
            break
    return list(found)


def mutation_score(entry: Entry, agrees: Callable[[Any, Any], bool], cap: int = MUTANTS) -> Score:
    """How many of a sample of really different mutants the entry's exam tells from the original."""
    name = entry_name(entry)
    original = define(entry.code, name)
    expected = {arguments: call(original, arguments) for arguments in entry.exam}
    wide = {arguments: call(original, arguments, MUTANT_SECONDS) for arguments in wide_inputs(entry.exam)}
    wide = {arguments: outcome for arguments, outcome in wide.items() if outcome[0] == "value"}
    killed, survivors = 0, []
    for source in mutants(entry.code, cap, entry.title):
        try:
            mutant = define(source, name)
        except Exception:  # noqa: BLE001 - a mutant that does not load is killed by any exam
            killed += 1
            continue
        if _differs(mutant, expected, agrees):
            killed += 1
        elif _differs(mutant, wide, agrees):
            survivors.append(source)
    return Score(killed, killed + len(survivors), tuple(survivors))


def _differs(
    mutant: Callable[..., Any], expected: dict[str, tuple[str, Any]], agrees: Callable[[Any, Any], bool]
) -> bool:
    for arguments, (_, value) in expected.items():
        kind, seen = call(mutant, arguments, MUTANT_SECONDS)
        if kind != "value" or not agrees(seen, value):
            return True
    return False
