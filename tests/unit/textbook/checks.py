"""The rules that every catalogue family keeps, as assertions; what is right is the oracles' to say."""

import ast
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ghostd.core.concept import slugify
from ghostd.textbook.catalogue.family import Entry, Family, Parameters

from .mutation import Score, call, define, entry_name, mutation_score

ALLOWED_IMPORTS = frozenset(
    {"math", "cmath", "itertools", "functools", "collections", "fractions", "decimal", "statistics"}
    | {"string", "re", "heapq", "bisect", "operator"}
)
REQUIRED_FAULTS = ("wrong_formula", "off_by_one", "wrong_constant")
MINIMUM_KILLED = 0.9

Oracle = Callable[..., Callable[..., Any]]


def agrees(seen: Any, expected: Any) -> bool:
    """Equal plain data; floats within 1e-9, relative or absolute, and lists are not tuples."""
    match expected:
        case bool():
            return seen is expected
        case float():
            number = isinstance(seen, int | float) and not isinstance(seen, bool)
            return number and math.isclose(seen, expected, rel_tol=1e-9, abs_tol=1e-9)
        case list() | tuple():
            same_shape = type(seen) is type(expected) and len(seen) == len(expected)
            return same_shape and all(map(agrees, seen, expected))
        case dict():
            same_keys = isinstance(seen, dict) and seen.keys() == expected.keys()
            return same_keys and all(agrees(seen[key], value) for key, value in expected.items())
    return type(seen) is type(expected) and seen == expected


def spread(parameters: Sequence[Parameters], sample: int) -> list[Parameters]:
    """`sample` parameter tuples: both ends with their neighbours, the rest evenly between."""
    if len(parameters) <= sample:
        return list(parameters)
    last = len(parameters) - 1
    even = {round(index * last / (sample - 1)) for index in range(sample)}
    neighbours = {1, last - 1} if sample > 5 else set()
    return [parameters[index] for index in sorted(even | neighbours)]


def assert_family_is_right(family: Family, oracle: Oracle, sample: int = 12) -> None:
    """Build a spread of the family's entries and hold each against the rules and the independent oracle."""
    assert len(set(family.parameters)) == len(family.parameters), "parameters repeat"
    chosen = spread(family.parameters, sample)
    entries = [family.build(*one) for one in chosen]
    # A concept's identity is the slug of its title, in which signs vanish: "-3x" and "3x" need words.
    titles = Counter(slugify(entry.title) for entry in family.entries())
    assert not (twins := [title for title, count in titles.items() if count > 1]), (
        f"titles repeat as slugs: {twins[:3]}"
    )
    for parameters, entry in zip(chosen, entries, strict=True):
        where = f"{family.slug}{parameters}"
        _assert_prose(entry, where)
        _assert_code(entry, where)
        _assert_values(entry, oracle(*parameters), where)
        _assert_claims(entry, where)
        _assert_wrong_codes(entry, where)
    _assert_different_functions(family, entries)


def assert_exam_kills_mutants(entry: Entry, minimum: float = MINIMUM_KILLED) -> Score:
    """The exam tells at least `minimum` of the really different mutants from the original."""
    score = mutation_score(entry, agrees)
    shown = "\n---\n".join(score.survivors[:4])
    assert score.share >= minimum, f"{entry.title}: killed {score.killed} of {score.total}; survivors:\n{shown}"
    return score


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _assert_prose(entry: Entry, where: str) -> None:
    assert entry.title, where
    assert entry.title == entry.title.strip(), where
    assert len(entry.statement) >= 40, f"{where}: the statement is not self-contained"
    assert "{" not in entry.title, f"{where}: an unfilled template in the title"
    assert len(entry.explanations) >= 3, f"{where}: fewer than three explanations"
    bags = [sorted(_words(text)) for text in entry.explanations]
    for index, bag in enumerate(bags):
        sentences = len(re.findall(r"[.!?](?=\s|$)", entry.explanations[index]))
        assert sentences >= 2, f"{where}: explanation {index} has fewer than two sentences"
        for other in bags[index + 1 :]:
            shared = len(set(bag) & set(other)) / len(set(bag) | set(other))
            assert shared < 0.8, f"{where}: explanation {index} is nearly another one"
    assert len(entry.exercises) >= 3, f"{where}: fewer than three exercises"
    assert len(set(entry.exam)) >= 8, f"{where}: fewer than eight exam argument lists"
    assert len(set(entry.exam)) == len(entry.exam), f"{where}: the exam repeats itself"


def _assert_code(entry: Entry, where: str) -> None:
    name = entry_name(entry)
    for label, code in (("code", entry.code), ("alternative", entry.alternative)):
        tree = ast.parse(code)
        imported = {
            alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        } | {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert imported <= ALLOWED_IMPORTS, f"{where}: {label} imports {sorted(imported - ALLOWED_IMPORTS)}"
        defined = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
        assert len(defined) == 1, f"{where}: {label} does not define {name}"
        declared = ast.parse(f"{entry.signature.rstrip(':')}: ...").body[0]
        assert isinstance(declared, ast.FunctionDef)
        assert len(defined[0].args.args) == len(declared.args.args), f"{where}: {label} has another arity"
    assert 2 <= len(entry.code.strip().splitlines()) <= 30, f"{where}: the code is too short or too long"
    assert ast.unparse(ast.parse(entry.code)) != ast.unparse(ast.parse(entry.alternative)), (
        f"{where}: alternative is code"
    )


def _is_plain(value: Any) -> bool:
    match value:
        case None | bool() | int() | str() | bytes():
            return True
        case float():
            return math.isfinite(value)
        case list() | tuple():
            return all(map(_is_plain, value))
        case dict():
            return all(_is_plain(key) and _is_plain(item) for key, item in value.items())
    return False


def _value(function: Callable[..., Any], arguments: str, where: str) -> Any:
    kind, value = call(function, arguments)
    assert kind == "value", f"{where}({arguments}): {kind} {value}"
    return value


def _assert_values(entry: Entry, truth: Callable[..., Any], where: str) -> None:
    name = entry_name(entry)
    function, again = define(entry.code, name), define(entry.code, name)
    alternative = define(entry.alternative, name)
    asked = [*entry.exam, *(arguments for _, arguments in entry.exercises)]
    values = []
    for arguments in asked:
        value = _value(function, arguments, where)
        assert _is_plain(value), f"{where}({arguments}): {value!r} is not plain data"
        assert _value(again, arguments, where) == value, f"{where}({arguments}): two runs differ"
        other = _value(alternative, arguments, f"{where} alternative")
        assert agrees(other, value), f"{where}({arguments}): alternative says {other!r}, code says {value!r}"
        expected = eval(f"truth({arguments})", {"truth": truth})
        assert agrees(value, expected), f"{where}({arguments}): code says {value!r}, the oracle says {expected!r}"
        values.append(repr(value))
    assert len(set(values[: len(entry.exam)])) >= 3, f"{where}: the exam expects fewer than three distinct values"


def _assert_claims(entry: Entry, where: str) -> None:
    name = entry_name(entry)
    function = define(entry.code, name)
    assert len(entry.claims) >= 3, f"{where}: fewer than three claims"
    assert entry.false_claims, f"{where}: no false claim"
    for claims, wanted in ((entry.claims, True), (entry.false_claims, False)):
        for text, check in claims:
            assert name in check, f"{where}: the check of {text!r} does not call {name}"
            assert eval(check, {name: function}) is wanted, f"{where}: {text!r}: {check} is not {wanted}"


def _assert_wrong_codes(entry: Entry, where: str) -> None:
    name = entry_name(entry)
    function = define(entry.code, name)
    missing = set(REQUIRED_FAULTS) - set(entry.wrong)
    assert not missing, f"{where}: no {sorted(missing)}"
    expected = {arguments: _value(function, arguments, where) for arguments in entry.exam}
    for kind, code in entry.wrong.items():
        wrong = define(code, name)
        outcomes = {arguments: call(wrong, arguments) for arguments in entry.exam}
        assert any(
            outcome[0] != "value" or not agrees(outcome[1], expected[arguments])
            for arguments, outcome in outcomes.items()
        ), f"{where}: the exam does not notice {kind}"
        asked = [*entry.exam, *(arguments for _, arguments in entry.exercises)]
        slow = [arguments for arguments in asked if call(wrong, arguments)[0] == "slow"]
        assert not slow, f"{where}: {kind} is slow on {slow}"
        assert any(outcome[0] == "value" for outcome in outcomes.values()), f"{where}: {kind} is broken, not wrong"


def _assert_different_functions(family: Family, entries: list[Entry]) -> None:
    inputs = list(dict.fromkeys(arguments for entry in entries for arguments in entry.exam[:12]))[:200]
    seen: dict[str, str] = {}
    for entry in entries:
        function = define(entry.code, entry_name(entry))
        fingerprint = repr([call(function, arguments) for arguments in inputs])
        twin = seen.setdefault(fingerprint, entry.title)
        assert twin == entry.title, f"{family.slug}: {twin!r} and {entry.title!r} are the same function"
