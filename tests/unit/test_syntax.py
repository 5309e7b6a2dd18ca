"""Source is read although another parse comes in the midst of it."""

import ast
import gc
from collections.abc import Iterator
from typing import Any

import pytest

from ghostd.core.syntax import literal, parse

LONG = "def f(n):\n" + "".join(f"    n = [n + {number}, (n, {{n: n}})]\n" for number in range(200)) + "    return n\n"


@pytest.fixture
def disturbed() -> Iterator[list[str]]:
    """Twice, when the collector runs in the midst of something, something else is parsed."""
    read: list[str] = []

    def callback(phase: str, _found: dict[str, int]) -> None:
        if phase == "start" and len(read) < 2:
            read.append(phase)
            ast.parse("(1, [2])")

    thresholds = gc.get_threshold()
    gc.callbacks.append(callback)
    gc.set_threshold(50)
    yield read
    gc.set_threshold(*thresholds)
    gc.callbacks.remove(callback)


def test_a_parse_in_the_midst_of_a_parse_does_no_harm(disturbed: list[str]) -> None:
    tree = parse(LONG)
    assert disturbed, "nothing came between"
    assert ast.unparse(tree).count("n = ") == 200


@pytest.mark.parametrize(("source", "value"), [("[1, (2.5, 'a'), {3: None}]", [1, (2.5, "a"), {3: None}]), ("-3", -3)])
def test_literals_are_read_and_nothing_else(source: str, value: Any) -> None:
    assert literal(source) == value
    with pytest.raises(ValueError, match="malformed"):
        literal("open('x')")
    with pytest.raises(SyntaxError):
        parse("def")
