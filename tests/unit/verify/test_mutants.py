"""Mutants: valid, different, repeatable and of every kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostd.verify.mutants import sample_mutants

TOTIENT = '''\
def totient(n: int) -> int:
    """How many of 1..n are coprime to n."""
    if n < 1:
        raise ValueError("n must be positive")
    result, rest, p = n, n, 2
    while p * p <= rest:
        if rest % p == 0:
            while rest % p == 0:
                rest //= p
            result -= result // p
        p += 1
    if rest > 1:
        result -= result // rest
    return result
'''


@pytest.mark.parametrize(
    ("code", "mutated"),
    [
        ("def f(a, b):\n    return a + b", "(a - b)"),
        ("def f(a, b):\n    return a < b", "(a <= b)"),
        ("def f(a, b):\n    return a < b", "(a >= b)"),
        ("def f(a, b):\n    return a and b", "(a or b)"),
        ("def f(a):\n    return not a", "return (a)"),
        ("def f(a):\n    return a * 3", "(4)"),
        ("def f(a):\n    return a * 3", "(2)"),
        ("def f(a):\n    return a == True", "(False)"),
        ("def f(a):\n    return a + 'x'", "('')"),
        ("def f(a):\n    return [i for i in range(a)]", "range((a - 1))"),
        ("def f(a):\n    return [i for i in range(1, a)]", "(a + 1)"),
        ("def f(a, n):\n    return a[:n]", "a[:(n + 1)]"),
        ("def f(a, b):\n    return pow(a, b)", "(pow(b, a))"),
        ("def f(a):\n    a += 1\n    return a", "a -= 1"),
        ("def f(a):\n    a.sort()\n    return a", "pass"),
        ("def f(a):\n    return 1 if a else 2", "(2 if a else 1)"),
        ("def f(a):\n    for x in a:\n        if x:\n            break\n    return x", "continue"),
        ("def f(a):\n    if a:\n        return 1\n    return 2", "(not (a))"),
        ("def f(a):\n    return a", "return None"),
        ("def f(a):\n    return 'é' * a + 'ö' * 2", "('é' * a - 'ö' * 2)"),
    ],
)
def test_each_operator_makes_its_change(code: str, mutated: str) -> None:
    assert any(mutated in mutant.code for mutant in sample_mutants(code, 100))


def test_mutants_are_distinct_valid_and_never_the_original() -> None:
    mutants = sample_mutants(TOTIENT, 100)
    codes = [mutant.code for mutant in mutants]
    assert len(codes) >= 24
    assert len(set(codes)) == len(codes)
    assert TOTIENT not in codes
    for code in codes:
        compile(code, "<mutant>", "exec")


def test_the_same_code_gives_the_same_mutants_and_the_cap_holds() -> None:
    assert sample_mutants(TOTIENT, 24) == sample_mutants(TOTIENT, 24)
    assert len(sample_mutants(TOTIENT, 24)) == 24


def test_a_large_table_of_constants_does_not_crowd_out_the_logic() -> None:
    table = ", ".join(f"({value}, 'm{value}')" for value in range(60))
    code = f"def f(n):\n  for value, name in [{table}]:\n    if n < value:\n      return name\n  return n % 7\n"
    changed = "\n".join(mutant.description for mutant in sample_mutants(code, 24))
    for kind in ("n <= value", "n // 7", "return None"):
        assert kind in changed


def test_docstrings_annotations_f_strings_and_messages_are_left_alone() -> None:
    code = 'def f(n: "int" = 3) -> "int":\n  "doc 1"\n  if n:\n    raise ValueError("no 1")\n  return f"{n + 1}"\n'
    for mutant in sample_mutants(code, 100):
        assert '"doc 1"' in mutant.code
        assert 'n: "int" = 3' in mutant.code
        assert 'f"{n + 1}"' in mutant.code or "return None" in mutant.code


def test_few_mutants_tamper_with_the_progress_of_a_while_loop() -> None:
    code = (
        "def f(n):\n    i = 0\n    while i < n:\n        i += 1\n        i = i + 1\n        i = i * 1\n    return i\n"
    )
    progress = [one for one in sample_mutants(code, 100) if one.description.startswith(("line 4", "line 5", "line 6"))]
    assert len(progress) == 2


_LEAVES = st.sampled_from(["a", "b", "1", "0", "2.5", "'s'", "True", "a[1:b]", "range(a)", "len(b)"])
_EXPRESSIONS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "//", "%", "<", "<=", "==", "in", "and", "or"]), inner).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        ),
        st.tuples(inner, inner).map(lambda parts: f"max({parts[0]}, {parts[1]})"),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]} if {parts[1]} else {parts[2]})"),
        inner.map(lambda one: f"[x for x in range({one}) if not {one}]"),
    ),
    max_leaves=12,
)


@given(_EXPRESSIONS)
def test_every_mutant_of_any_expression_is_a_valid_module(expression: str) -> None:
    for mutant in sample_mutants(f"def f(a, b):\n    value = {expression}\n    return value\n", 40):
        compile(mutant.code, "<mutant>", "exec")
