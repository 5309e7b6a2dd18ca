"""The canonical form: exact, reversible, and equal only for what is equal."""

import math
from array import array
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostd.core.canonical import NotCanonical, decode, digest, display, encode, tolerant

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**50, max_value=2**80)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
    | st.fractions()
    | st.decimals(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
)
HASHABLE = st.recursive(SCALARS, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=6)
VALUES = st.recursive(
    SCALARS | st.sets(HASHABLE, max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(HASHABLE, inner, max_size=4) | st.tuples(inner),
    max_leaves=12,
)


@given(VALUES)
def test_a_value_survives_the_way_there_and_back_with_its_text(value):
    text = encode(value)
    assert decode(text) == value
    assert encode(decode(text)) == text


@given(VALUES, VALUES)
def test_equal_texts_mean_equal_values(one, other):
    if encode(one) == encode(other):
        assert one == other


@given(st.sets(st.text(max_size=3), min_size=2))
def test_the_order_in_which_a_set_was_built_does_not_show(items):
    assert encode({*sorted(items, reverse=True)}) == encode({*sorted(items)})


def test_types_that_python_calls_equal_stay_apart():
    texts = [encode(value) for value in (1, 1.0, True, Fraction(1), Decimal(1), 1 + 0j, "1", b"1", (1,), [1], {1})]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.0, '{"float":"-0x0.0p+0"}'),
        (math.inf, '{"float":"inf"}'),
        (math.nan, '{"float":"nan"}'),
        (2**53, "9007199254740992"),
        (2**53 + 1, '{"int":"0x20000000000001"}'),
        ({"b": 1, "a": 2}, '{"dict":[["a",2],["b",1]],"sorted":false}'),
        ({"a": 2, "b": 1}, '{"dict":[["a",2],["b",1]],"sorted":true}'),
        (array("d", [1.5]), '{"array":"d","items":[{"float":"0x1.8000000000000p+0"}],"shape":[1]}'),
        ("é\ud800", '{"surrogates":"w6ntoIA="}'),
    ],
)
def test_the_corner_cases_have_one_spelling(value, text):
    assert encode(value) == text


def test_an_integer_beyond_the_digit_limit_is_no_problem():
    assert decode(encode(10**10_000)) == 10**10_000
    assert display(encode(10**10_000)).startswith("0x")


@pytest.mark.parametrize(
    "value", [object(), range(3), iter([]), type("L", (list,), {})(), len, bytearray(b"x"), {1: {2: ...}}]
)
def test_what_is_not_plain_data_is_refused_by_name(value):
    with pytest.raises(NotCanonical, match="is not plain data"):
        encode(value)


def test_a_cycle_is_refused():
    cycle: list[object] = []
    cycle.append(cycle)
    with pytest.raises(NotCanonical, match="cyclic"):
        encode(cycle)


@pytest.mark.parametrize(
    "text",
    ["", "{", "1.5", '{"what":1}', '{"float":"x"}', '{"bytes":"?"}', '{"dict":[[1]],"sorted":true}', "[" * 100_000],
)
def test_a_text_that_is_none_of_ours_is_refused(text):
    with pytest.raises(ValueError, match=r".*"):
        decode(text)


def test_the_tolerant_tier_forgets_the_last_bits_and_nothing_else():
    assert encode(0.1 + 0.2) != encode(0.3)
    assert tolerant(encode([0.1 + 0.2, -0.0, 1])) == tolerant(encode([0.3, 0.0, 1]))
    assert tolerant(encode(0.3)) != tolerant(encode(0.30000001))


def test_people_see_what_python_would_print():
    assert (
        display(encode([1, (2,), {"a": {3}}, b"x", Fraction(1, 3), None]))
        == "[1, (2,), {'a': {3}}, b'x', Fraction(1, 3), None]"
    )
    assert display(encode([set(), frozenset(), ()])) == "[set(), frozenset(), ()]"


def test_the_digest_is_sha256_of_the_text():
    assert digest("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert digest({"b": [1], "a": "x"}) == digest('{"a":"x","b":[1]}')
