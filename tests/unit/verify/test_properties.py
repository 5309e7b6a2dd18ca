"""Laws become loops over argument lists; what is no law becomes nothing."""

import pytest

from ghostd.core.concept import Concept
from ghostd.verify.properties import law_snippet, parameters

GCD = Concept(
    "d", "Greatest common divisor", "It returns the greatest common divisor.", "def gcd(a: int, b: int) -> int"
)
INPUTS = ("4, 6", "9, 3", "7, 5", "3", "n", "1, 2, 3")


def asked(snippet: str, gcd) -> None:
    exec(compile(snippet, "<law>", "exec"), {"gcd": gcd})


def test_a_law_is_asserted_for_every_argument_list_that_fits() -> None:
    calls = []

    def gcd(a, b):
        calls.append((a, b))
        return 1

    asked(law_snippet("assert gcd(a, b) == gcd(b, a)", GCD, INPUTS), gcd)
    assert calls == [(4, 6), (6, 4), (9, 3), (3, 9), (7, 5), (5, 7)]


def test_a_broken_law_is_an_assertion() -> None:
    snippet = law_snippet("import math\nbest = gcd(a, b)\nassert best == math.gcd(a, b)", GCD, INPUTS)
    asked(snippet, lambda a, b: __import__("math").gcd(a, b))
    with pytest.raises(AssertionError):
        asked(snippet, lambda a, b: a)


def test_outside_the_domain_a_law_says_nothing() -> None:
    snippet = law_snippet("assert gcd(a, b) > 0", GCD, INPUTS)

    def refusing(a, b):
        raise ValueError(f"not {a}, {b}")

    asked(snippet, refusing)


@pytest.mark.parametrize(
    "law",
    [
        "assert a == b",  # not about the function
        "gcd(a, b)",  # asserts nothing
        "assert gcd(a, b",
        "import os\nassert gcd(a, b)",
        "gcd = max\nassert gcd(a, b)",
        "for x in (): assert gcd(a, b)",
        "try:\n    assert gcd(a, b)\nexcept AssertionError: pass",
        "assert (gcd := max)(a, b)",
        "",
    ],
)
def test_what_is_no_law_is_not_asked(law: str) -> None:
    assert law_snippet(law, GCD, INPUTS) == ""


def test_without_fitting_arguments_there_is_nothing_to_ask() -> None:
    assert law_snippet("assert gcd(a, b) == gcd(b, a)", GCD, ("1", "n")) == ""


@pytest.mark.parametrize(
    ("signature", "names"),
    [
        ("def f(a, b=2, /, c: int = 3, *, d=4) -> int", ["a", "b", "c"]),
        ("def f()", []),
        ("class F", []),
        ("def f(", []),
    ],
)
def test_parameters_are_those_that_can_be_given_by_position(signature: str, names: list[str]) -> None:
    assert parameters(signature) == names
