"""Puts a named fault into a right lesson or exam; which fault, and for whom, is `faults`' decision."""

import ast
from dataclasses import replace

from ghostd.core import syntax
from ghostd.core.lesson import Claim, Exam, Exercise, Lesson
from ghostd.textbook.catalogue.family import Entry
from ghostd.textbook.faults import FaultKind, draw
from ghostd.textbook.writing import evaluate, function_name, write_exam, write_lesson

# Each value holds variants of a function body that comes before `return _right(...)`; {spoil} makes the value wrong.
# Some variants are stopped by reading the code, others only by running it.
_BEFORE: dict[FaultKind, tuple[str, ...]] = {
    FaultKind.EARLY_EXIT: ("raise SystemExit(0)", "import os\nos._exit(0)", "import sys\nsys.exit(0)"),
    FaultKind.ENDLESS_LOOP: ("while True:\n    pass", "import itertools\nfor _ in itertools.count():\n    pass"),
    FaultKind.MEMORY_HOG: (
        "ballast = [b'x' * (1 << 28) for _ in range(1 << 8)]",
        "ballast = []\nwhile len(ballast) < 1 << 33:\n    ballast += [0] * (1 << 24)",
    ),
    FaultKind.FORK_BOMB: ("import os\nwhile True:\n    os.fork()",),
    FaultKind.NETWORK_ACCESS: (
        # 192.0.2.1 is reserved for documentation (RFC 5737): nothing answers there.
        "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=1.0)",
        "from urllib.request import urlopen\nurlopen('http://192.0.2.1/', timeout=1.0)",
    ),
    FaultKind.OUTPUT_FLOOD: ("for _ in range(1 << 14):\n    print('x' * (1 << 16))",),
    FaultKind.FLAKY_RANDOM: (
        "import random\nif random.random() < 0.5:\n    {spoil}",
        "from random import Random\nif Random().random() < 0.5:\n    {spoil}",
    ),
    FaultKind.FLAKY_RARE: (
        "import random\nif random.random() < 0.01:\n    {spoil}",
        "from random import Random\nif Random().random() < 0.01:\n    {spoil}",
    ),
    FaultKind.FLAKY_CLOCK: (
        "import time\nif int(time.time() * 1000) % 2:\n    {spoil}",
        "import datetime\nif datetime.datetime.now().microsecond // 1000 % 2:\n    {spoil}",
    ),
    FaultKind.FLAKY_HASH_ORDER: (
        "if next(iter({{'north', 'east', 'south', 'west'}})) in ('north', 'east'):\n    {spoil}",
        "if hash('north') % 2:\n    {spoil}",
    ),
    FaultKind.FLAKY_ADDRESS: (
        # Objects that stay alive take neighbouring addresses, 16 bytes apart, so that calls in one process differ too.
        "_kept.append(object())\nif id(_kept[-1]) >> 4 & 1:\n    {spoil}",
        "_kept.append(object())\nif repr(_kept[-1])[-3] in '13579bdf':\n    {spoil}",
    ),
}

_ALTERED = """
_kept = []


def _altered(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, str):
        return value + '?'
    if isinstance(value, (list, tuple)):
        return value + type(value)([0])
    return 0 if value is None else None
"""

_ALWAYS_EQUAL = """\
class _Agreeable:
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    def __hash__(self):
        return 0

    def __float__(self):
        return 0.0


{signature}:
    return _Agreeable()
"""

_IDLE_CHECKS = (
    "assert len(str({call})) > 0",
    "assert {call} != 'no such answer'",
    "assert repr({call})",
    "assert {call} in [{call}, None]",
)

_WRONG_CODE = {
    FaultKind.WRONG_FORMULA: "wrong_formula",
    FaultKind.OFF_BY_ONE: "off_by_one",
    FaultKind.WRONG_CONSTANT: "wrong_constant",
    FaultKind.UNIT_SLIP: "unit_slip",
    FaultKind.SWALLOWED_ASSERTS: "off_by_one",
    FaultKind.MISCONCEPTION: "wrong_formula",
    FaultKind.DEEP_MISCONCEPTION: "wrong_formula",
}


def wrong_code(entry: Entry, kind: FaultKind) -> str:
    """The entry's code with the error that the fault stands for; without units the constant is wrong instead."""
    return entry.wrong.get(_WRONG_CODE[kind], entry.wrong["wrong_constant"])


def spoil_lesson(entry: Entry, kind: FaultKind, variant: int = 0) -> Lesson:
    """The lesson of a teacher that commits this fault. Faults of the exam or the wire leave the lesson right."""
    lesson = write_lesson(entry, variant)
    match kind:
        case FaultKind.WRONG_CLAIM:
            false = entry.false_claims[variant % len(entry.false_claims)]
            return replace(lesson, claims=(*lesson.claims, Claim(*false)))
        case FaultKind.ALWAYS_EQUAL:
            return replace(lesson, code=_ALWAYS_EQUAL.format(signature=entry.signature.rstrip(":")))
        case FaultKind.MISCONCEPTION | FaultKind.DEEP_MISCONCEPTION:
            return _mistaken(_with_code(lesson, entry, wrong_code(entry, kind)), entry, wrong_code(entry, kind))
        case _ if kind in _WRONG_CODE or kind is FaultKind.STUB:
            return _with_code(lesson, entry, _stub(entry) if kind is FaultKind.STUB else wrong_code(entry, kind))
        case _ if kind in _BEFORE:
            bodies = _BEFORE[kind]
            return replace(lesson, code=_preceded(entry, bodies[int(draw(kind, entry.title) * len(bodies))]))
        case _:
            return lesson


def _with_code(lesson: Lesson, entry: Entry, code: str) -> Lesson:
    """The lesson with other code, and with exercise answers that agree with it: a wrong teacher is consistent."""
    exercises = tuple(
        Exercise(one.question, one.arguments, _said(code, entry, one.arguments, one.answer)) for one in lesson.exercises
    )
    return replace(lesson, code=code, exercises=exercises)


def _said(code: str, entry: Entry, arguments: str, otherwise: str) -> str:
    """The code's answer as a literal; `otherwise` where wrong code has none."""
    try:
        return repr(evaluate(code, entry, arguments))
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError):
        return otherwise


def _mistaken(lesson: Lesson, entry: Entry, code: str) -> Lesson:
    """Claims and explanation that say what the wrong code does."""
    name = function_name(entry)
    calls = {arguments: (f"{name}({arguments})", _said(code, entry, arguments, "")) for arguments in entry.exam}
    told = {arguments: pair for arguments, pair in calls.items() if pair[1]}
    # What it says differently makes the misconception; wrong code that only ever raises has nothing else to say.
    shown = [pair for arguments, pair in told.items() if pair[1] != _said(entry.code, entry, arguments, "")]
    shown = shown or list(told.values())
    claims = tuple(Claim(f"{call} is {value}.", f"{call} == {value}") for call, value in shown[:3])
    call, value = shown[0]
    return replace(lesson, claims=claims, explanation=f"{lesson.explanation} For instance, {call} is {value}.")


def _preceded(entry: Entry, body: str) -> str:
    """The right code, wrapped so that the body runs first in every call."""
    name = function_name(entry)
    declared = syntax.parse(f"{entry.signature.rstrip(':')}: ...").body[0]
    names = ", ".join(one.arg for one in declared.args.args) if isinstance(declared, ast.FunctionDef) else ""
    spoils = "{spoil}" in body
    lines = body.format(spoil=f"return _altered(_right({names}))").splitlines()
    inside = "\n".join(f"    {line}" for line in lines)
    return (
        f"{entry.code.rstrip()}\n\n\n_right = {name}\n{_ALTERED if spoils else ''}\n\n"
        f"{entry.signature.rstrip(':')}:\n{inside}\n    return _right({names})\n"
    )


def spoil_exam(entry: Entry, kind: FaultKind) -> Exam:
    """The exam of a teacher that commits this fault; most faults leave it right."""
    match kind:
        case FaultKind.TAUTOLOGICAL_EXAM:
            name = function_name(entry)
            same = tuple(f"assert {name}({arguments}) == {name}({arguments})" for arguments in entry.exam)
            idle = ("assert True", f"assert {name} is not None")
            variants = ((*same, *idle), idle * 5)
            return Exam(variants[int(draw(kind, entry.title) * len(variants))])
        case FaultKind.TRIVIAL_EXAM:
            check = _IDLE_CHECKS[int(draw(kind, entry.title) * len(_IDLE_CHECKS))]
            return Exam(tuple(check.format(call=f"{function_name(entry)}({one})") for one in entry.exam))
        case FaultKind.SWALLOWED_ASSERTS:
            return Exam(tuple(_swallowed(check) for check in write_exam(entry).checks))
        case FaultKind.DEEP_MISCONCEPTION:
            return _deep_exam(entry)
        case _:
            return write_exam(entry)


def _stub(entry: Entry) -> str:
    """A function that computes nothing and is wrong for some argument list of the exam."""
    head = entry.signature.rstrip(":")
    declared = syntax.parse(f"{head}: ...").body[0]
    first = declared.args.args[:1] if isinstance(declared, ast.FunctionDef) else []
    right = [_said(entry.code, entry, arguments, "None") for arguments in entry.exam]
    bodies = ["return None", f"return {right[0]}", *(f"return {one.arg}" for one in first), "raise ValueError"]
    codes = [f"{head}:\n    {body}\n" for body in bodies]
    wrong = [code for code in codes if [_said(code, entry, one, "") for one in entry.exam] != right]
    return wrong[int(draw(FaultKind.STUB, entry.title) * len(wrong))]


def _swallowed(check: str) -> str:
    inside = "\n".join(f"    {line}" if line else "" for line in check.splitlines())
    return f"try:\n{inside}\nexcept AssertionError:\n    pass"


def _deep_exam(entry: Entry) -> Exam:
    """An exam whose values come from the wrong code, over the arguments for which it has one; it knows no laws."""
    code = wrong_code(entry, FaultKind.DEEP_MISCONCEPTION)
    answered = tuple(arguments for arguments in entry.exam if _said(code, entry, arguments, ""))
    return write_exam(replace(entry, exam=answered, properties=()), code)
