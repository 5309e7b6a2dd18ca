"""What an exam asks: its real asserts and the argument lists in them; it neither runs them nor trusts them.

An assert is real when it judges a value that the entry function returned: `assert f(6) == 2`. It is not when
it holds whatever the function does (`assert f(6) == f(6)`, `assert (f(6), 2)`, `assert f(6) or True`) or when
it only looks at the type. Simple assignments and loops over literals are followed, so that
`for n, v in [(1, 1), (6, 2)]: assert f(n) == v` counts as the two questions that it is.
"""

import ast
import builtins
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ghostd.core import syntax
from ghostd.core.lesson import Exam
from ghostd.verify.hazards import Unreadable, find_hazard, parse

_BROAD = frozenset({"Exception", "BaseException", "AssertionError"})
_UNROLLED = 200  # passes of a loop over literals that are followed
_BUILTIN_NAMES = frozenset(name for name in dir(builtins) if not name.startswith("_"))
_Environment = Mapping[str, ast.expr]


class UnfitExam(ValueError):
    """The exam cannot judge anything. The first argument is the reason's word, the second the snippet."""


@dataclass(frozen=True, slots=True)
class Question:
    """One argument list that the exam puts to the function."""

    arguments: str  # source, as written between the call's parentheses
    expected: str = ""  # source of the literal it is compared with; '' when there is none


@dataclass(frozen=True, slots=True)
class ExamReading:
    """What the exam amounts to."""

    asserts: int  # real ones
    questions: tuple[Question, ...]  # distinct by arguments, in order of appearance
    tautologies: int  # asserts that hold whatever the function does


def read_exam(exam: Exam, entry: str) -> ExamReading:
    """Read every check. Raises UnfitExam for checks that do not parse, reach for what they may not use,
    swallow their asserts, guard them, leave early, or redefine the function under test.
    """
    reader = _Reader(entry)
    for source in exam.checks:
        try:
            tree = parse(source)
        except Unreadable as error:
            raise UnfitExam("exam_parse", f"{source}\n{error}") from error
        hazard = find_hazard(tree)
        if hazard:
            raise UnfitExam(f"exam_{hazard}", source)
        try:
            reader.read(tree.body, {})
        except UnfitExam as problem:
            raise UnfitExam(problem.args[0], source) from problem
    return ExamReading(reader.asserts, tuple(reader.questions.values()), reader.tautologies)


class _Reader:
    """Walks statements with what is known of their variables."""

    def __init__(self, entry: str) -> None:
        self._entry = entry
        self.asserts = 0
        self.tautologies = 0
        self.questions: dict[str, Question] = {}

    def read(self, body: Sequence[ast.stmt], environment: _Environment) -> None:
        known = dict(environment)
        for statement in body:
            match statement:
                case ast.Assert(test=test):
                    self._judge(_resolve(test, known))
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self._refuse_rebinding([name])
                    known[name] = _resolve(value, known)
                case ast.For():
                    self._read_loop(statement, known)
                case ast.Try():
                    self._read_try(statement, known)
                case ast.Expr() | ast.Import() | ast.ImportFrom() | ast.Pass():
                    pass
                case ast.Raise():
                    if "SystemExit" in _names(statement):
                        raise UnfitExam("exam_exits")
                case _:
                    self._pass_over(statement, known)

    def _pass_over(self, statement: ast.stmt, known: dict[str, ast.expr]) -> None:
        """A statement that may prepare something but may not decide whether an assert is reached."""
        nodes = list(ast.walk(statement))
        if any(isinstance(node, ast.Assert | ast.Raise) for node in nodes):
            raise UnfitExam("exam_guarded")
        stored = [node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        stored += [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        self._refuse_rebinding(stored)
        for name in stored:
            known.pop(name, None)

    def _refuse_rebinding(self, names: Sequence[str]) -> None:
        if self._entry in names:
            raise UnfitExam("exam_redefines")

    def _read_loop(self, loop: ast.For, known: _Environment) -> None:
        if any(isinstance(node, ast.Break | ast.Continue) for node in ast.walk(loop)):
            raise UnfitExam("exam_guarded")
        items = _literal_items(_resolve(loop.iter, known))
        if items is None or not items:
            if any(isinstance(node, ast.Assert) for node in ast.walk(loop)):
                raise UnfitExam("exam_guarded")  # it may loop over nothing
            return
        self._refuse_rebinding([node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)])
        for item in items[:_UNROLLED]:
            self.read(loop.body, {**known, **_bind(loop.target, item)})

    def _read_try(self, block: ast.Try, known: _Environment) -> None:
        judged = any(isinstance(node, ast.Assert | ast.Raise) for one in block.body for node in ast.walk(one))
        if judged and any(_is_broad(handler) for handler in block.handlers):
            raise UnfitExam("exam_swallows")
        calls = [call for one in block.body for call in _calls(one, self._entry)]
        demanded = [one for one in (*block.body, *block.orelse) if _is_unconditional_failure(one)]
        if calls and demanded and block.handlers:
            self.asserts += 1  # the function has to raise what the handler names
        else:
            self.read([*block.body, *block.orelse, *block.finalbody], known)

    def _judge(self, test: ast.expr) -> None:
        if not self._asks(test) or not self._is_real(test):
            self.tautologies += 1
            return
        self.asserts += 1
        for call in _calls(test, self._entry):
            arguments = _arguments(call)
            if arguments and arguments not in self.questions:
                self.questions[arguments] = Question(arguments, _expected(test, call))

    def _asks(self, node: ast.AST) -> bool:
        return any(True for _ in _calls(node, self._entry))

    def _is_real(self, test: ast.expr) -> bool:  # noqa: PLR0911 - one return per form of test
        match test:
            case ast.BoolOp(op=ast.And(), values=values):
                return any(self._is_real(value) for value in values)
            case ast.BoolOp(values=values):
                return all(self._is_real(value) for value in values)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self._is_real(operand)
            case ast.Compare(left=left, comparators=comparators):
                sides = [left, *comparators]
                if any(isinstance(side, ast.Constant) and side.value is None for side in sides):
                    return isinstance(test.ops[0], ast.Is | ast.Eq)
                return any(map(self._asks, sides)) and len({_dump(side) for side in sides}) == len(sides)
            case ast.Call(func=ast.Name(id=name)) if name == self._entry:
                return True
            case ast.Call(func=ast.Name(id="isclose") | ast.Attribute(attr="isclose"), args=[one, other, *_]):
                return _dump(one) != _dump(other)
            case ast.Call(func=ast.Name(id="all"), args=[ast.GeneratorExp(elt=element)]):
                return self._is_real(element)
            case _:
                return False


def _calls(node: ast.AST, entry: str) -> Iterator[ast.Call]:
    for child in ast.walk(node):
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Name) and child.func.id == entry:
            yield child


def _arguments(call: ast.Call) -> str:
    """The call's argument list as source; '' when it depends on anything but literals and builtins."""
    if not (call.args or call.keywords) or not _names(call) <= _BUILTIN_NAMES | _names(call.func):
        return ""
    try:
        return ast.unparse(ast.Call(ast.Name("f", ast.Load()), call.args, call.keywords))[2:-1]
    except ValueError:  # an integer literal that is too long to print in decimal
        return ""


def _expected(test: ast.expr, call: ast.Call) -> str:
    sides: list[ast.expr] = []
    match test:
        case ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[right]):
            sides = [left, right]
        case ast.Call(args=[left, right, *_]):
            sides = [left, right]
        case ast.Call():
            return "True"
        case ast.UnaryOp(op=ast.Not()):
            return "False"
    if call not in sides:
        return ""
    other = sides[1] if sides[0] is call else sides[0]
    try:
        return repr(ast.literal_eval(other))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ""


def _literal_items(iterable: ast.expr) -> list[ast.expr] | None:
    match iterable:
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return None if any(isinstance(item, ast.Starred) for item in items) else items
        case ast.Call(func=ast.Name(id="range"), args=arguments, keywords=[]) if all(
            isinstance(one, ast.Constant) and isinstance(one.value, int) for one in arguments
        ):
            bounds = [one.value for one in arguments if isinstance(one, ast.Constant) and isinstance(one.value, int)]
            try:
                return [ast.Constant(value) for value in range(*bounds)[:_UNROLLED]]
            except (TypeError, ValueError):
                return None
        case ast.Call(func=ast.Attribute(value=ast.Dict(keys=keys, values=values), attr="items"), args=[]):
            return [ast.Tuple([key, value], ast.Load()) for key, value in zip(keys, values, strict=True) if key]
    return None


def _bind(target: ast.expr, item: ast.expr) -> dict[str, ast.expr]:
    match target, item:
        case ast.Name(id=name), _:
            return {name: item}
        case ast.Tuple(elts=names), ast.Tuple(elts=values) | ast.List(elts=values) if len(names) == len(values):
            return {
                name: value for one, two in zip(names, values, strict=True) for name, value in _bind(one, two).items()
            }
    return {}


def _resolve(expression: ast.expr, known: _Environment) -> ast.expr:
    """The expression with known variables replaced by what they stand for."""
    if not known or not _names(expression) & known.keys():
        return expression
    resolved: ast.expr = _Substitution(known).visit(syntax.expression(ast.unparse(expression)))
    return resolved


class _Substitution(ast.NodeTransformer):
    def __init__(self, known: _Environment) -> None:
        self._known = known

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._known.get(node.id, node)


def _names(node: ast.AST) -> set[str]:
    return {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}


def _is_broad(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or bool(_names(handler.type) & _BROAD)


def _is_unconditional_failure(statement: ast.stmt) -> bool:
    match statement:
        case ast.Assert(test=ast.Constant(value=value)):
            return not value
        case ast.Raise():
            return True
    return False


def _dump(node: ast.expr) -> str:
    try:
        return ast.dump(node)
    except ValueError as error:  # an integer literal that is too long to print in decimal
        raise UnfitExam("exam_parse") from error
