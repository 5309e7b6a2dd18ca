"""Which answers count as right: values by what they mean, words by what they say."""

import pytest

from trainer.evaluation.matching import code_of, matches, normalised


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("42", "42"),
        ("  42.", "42"),
        ("`[1, 16]`", "[1,16]"),
        ("The odds favour THHH.\n\nThe final answer is [1, 16].", "[1, 16]"),
        ("Answer: 42", "42"),
        ("True.", "true"),
        ("TRUE", "true"),
        ("0.30000000000000004", "0.3"),
        ("[1.0, {'a': 0.1}]", "[1.0, {'a': 0.1000000000001}]"),
        ("**abc**", "'abc'"),
        ("'Abc'", "abc"),
        ("(1, 2)", "[1, 2]"),
        ("```\nNone\n```", "None"),
        ("12345678901234567890123", "12345678901234567890123"),
    ],
)
def test_these_are_right(given: str, wanted: str) -> None:
    assert matches(given, wanted)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("", "42"),
        ("   \n ", ""),
        ("43", "42"),
        ("42 or 43", "42"),
        ("True", "1"),
        ("1", "true"),
        ("[1, 16, 2]", "[1, 16]"),
        ("12345678901234567890124", "12345678901234567890123"),
        ("0.3001", "0.3"),
        ("{'a': 1}", "{'a': 1, 'b': 2}"),
        ("not abc", "abc"),
        ("42\nNo, it is 43", "42"),
        ("(" * 5000, "42"),
    ],
)
def test_these_are_wrong(given: str, wanted: str) -> None:
    assert not matches(given, wanted)


def test_equal_answers_are_equal_once_normalised() -> None:
    assert normalised("[1,2]") == normalised(" [1, 2]. ") != normalised("[2, 1]")
    assert normalised("False.") == normalised("false") != normalised("true")


def test_code_is_taken_out_of_its_fence() -> None:
    assert code_of("Here it is:\n```python\nx = 1\n```\nIt works.\n```\nno\n```") == "x = 1"
    assert code_of("x = 1") == "x = 1"
