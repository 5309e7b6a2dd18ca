"""What counts as a question, and which exams judge nothing."""

import pytest

from ghostd.core.lesson import Exam
from ghostd.verify.exam import Question, UnfitExam, read_exam


def read(*checks: str):
    return read_exam(Exam(checks), "f")


@pytest.mark.parametrize(
    ("check", "asserts", "questions"),
    [
        ("assert f(6) == 2", 1, [Question("6", "2")]),
        ("assert 2 == f(6)", 1, [Question("6", "2")]),
        ("assert f(6) == 2, 'message'", 1, [Question("6", "2")]),
        ("assert f(7)", 1, [Question("7", "True")]),
        ("assert not f(8)", 1, [Question("8", "False")]),
        ("assert f(0) is None", 1, [Question("0", "None")]),
        ("import math\nassert math.isclose(f(2), 1.5)", 1, [Question("2", "1.5")]),
        ("assert abs(f(2) - 1.5) < 1e-9", 1, [Question("2")]),
        ("assert f(6) == 2\nassert f(7) == 6", 2, [Question("6", "2"), Question("7", "6")]),
        ("value = f(6)\nassert value == 2", 1, [Question("6", "2")]),
        ("for n, v in [(6, 2), (7, 6)]:\n    assert f(n) == v", 2, [Question("6", "2"), Question("7", "6")]),
        ("for n in range(2):\n    assert f(n) == 5", 2, [Question("0", "5"), Question("1", "5")]),
        ("for n, v in {3: 1}.items():\n    assert f(n) == v", 1, [Question("3", "1")]),
        ("assert f([1, 2], key='a') == 'b'", 1, [Question("[1, 2], key='a'", "'b'")]),
        ("assert f(list(range(3))) == 3", 1, [Question("list(range(3))", "3")]),
        ("assert f(2) == f(1) + f(1)", 1, [Question("2"), Question("1")]),
        ("assert all(f(n) == n * n for n in range(5))", 1, []),
        ("try:\n    f(-1)\nexcept ValueError:\n    pass\nelse:\n    assert False", 1, []),
        ("try:\n    f(-1)\n    raise AssertionError('no')\nexcept ValueError:\n    pass", 1, []),
    ],
)
def test_a_real_assert_is_counted_with_its_questions(check: str, asserts: int, questions: list[Question]) -> None:
    reading = read(check)
    assert reading.asserts == asserts
    assert list(reading.questions) == questions
    assert reading.tautologies == 0


@pytest.mark.parametrize(
    "check",
    [
        "assert True",
        "assert 1 == 1",
        "assert f(3) == f(3)",
        "value = f(3)\nassert value == value",
        "value = f(3)\nassert value == f(3)",
        "assert (f(3), 'a tuple is true')",
        "assert f(3) == 4 or True",
        "assert isinstance(f(3), int)",
        "assert f(3) is not None",
        "assert f",
        "import math\nassert math.isclose(f(3), f(3))",
    ],
)
def test_an_assert_that_holds_whatever_the_function_does_is_none(check: str) -> None:
    reading = read(check)
    assert reading.asserts == 0
    assert reading.tautologies == 1


@pytest.mark.parametrize(
    ("check", "word"),
    [
        ("assert f(3) ==", "exam_parse"),
        ("try:\n    assert f(3) == 4\nexcept AssertionError:\n    pass", "exam_swallows"),
        ("try:\n    assert f(3) == 4\nexcept Exception:\n    pass", "exam_swallows"),
        ("try:\n    assert f(3) == 4\nexcept:\n    pass", "exam_swallows"),
        ("try:\n    assert f(3) == 4\nexcept (ValueError, AssertionError):\n    pass", "exam_swallows"),
        ("if False:\n    assert f(3) == 4", "exam_guarded"),
        ("while f(3) == 5:\n    assert f(3) == 4", "exam_guarded"),
        ("def check():\n    assert f(3) == 4", "exam_guarded"),
        ("for n in []:\n    assert f(n) == 4", "exam_guarded"),
        ("for n in [1, 2]:\n    break\n    assert f(n) == 4", "exam_guarded"),
        ("raise SystemExit(0)\nassert f(3) == 4", "exam_exits"),
        ("exit(0)\nassert f(3) == 4", "exam_forbidden:exit"),
        ("import os\nos._exit(0)", "exam_import:os"),
        ("import random\nassert f(random.random()) == 1", "exam_nondeterminism:random"),
        ("f = lambda n: 4\nassert f(3) == 4", "exam_redefines"),
        ("def f(n):\n    return 4\nassert f(3) == 4", "exam_redefines"),
        ("for f in [abs]:\n    assert f(3) == 3", "exam_redefines"),
    ],
)
def test_an_exam_that_cannot_judge_is_unfit(check: str, word: str) -> None:
    with pytest.raises(UnfitExam) as unfit:
        read("assert f(1) == 1", check)
    found, snippet = unfit.value.args
    assert found == word
    assert snippet.startswith(check)


def test_a_question_is_asked_once_however_often_it_appears() -> None:
    assert len(read("assert f(6) == 2", "assert f(6) != 3").questions) == 1


def test_an_integer_too_long_to_print_does_not_crash_the_reader() -> None:
    huge = "0x" + "f" * 5000
    with pytest.raises(UnfitExam):
        read(f"assert f({huge}) == {huge}")
