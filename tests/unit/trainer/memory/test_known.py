"""What facts are told apart from: an even sample of the lessons, and the lessons that are worded most alike."""

import dataclasses
from pathlib import Path

import pytest

from tests.unit.trainer.runs import conversation, dataset
from trainer.config import DataConfig
from trainer.memory.known import questions_like, questions_of

SERIES = [f"Return the sum of the first {n} terms of the series from 1 in steps of 2." for n in (5, 12, 100, 7, 9)]
CIPHERS = [f"Move every letter of the text '{word}' by 3 places." for word in ("abc", "sea", "tree")]
PATHS = [f"In how many ways does a king walk {n} squares?" for n in range(40)]


@pytest.fixture
def lessons(tmp_path: Path) -> DataConfig:
    rows = [conversation(question, "42") for question in (*PATHS, *SERIES, *CIPHERS)]
    return DataConfig(path=str(dataset(tmp_path / "lessons", rows, rows[:1])))


def test_the_same_question_about_something_else_is_most_alike(lessons: DataConfig) -> None:
    asked = "Return the sum of the first 6 terms of the series from 1 in steps of 2."
    assert {fact.question for fact in questions_like(lessons, [asked], each=5)} == set(SERIES)
    assert len(questions_like(lessons, [asked], each=2)) == 2


def test_each_question_has_its_own_and_no_conversation_comes_twice(lessons: DataConfig) -> None:
    found = [fact.question for fact in questions_like(lessons, [SERIES[0], SERIES[1], CIPHERS[0]], each=2)]
    assert len(set(found)) == len(found)
    assert {one for one in found if one.startswith("Move")} == set(CIPHERS[1:]), "a question is not like itself"
    assert 2 <= sum(one.startswith("Return") for one in found) <= 4


def test_an_even_sample_of_much_data_holds_no_like_question_which_is_why_they_are_sought(lessons: DataConfig) -> None:
    even = {fact.question for fact in questions_of(lessons, 4)}
    assert not even & set(CIPHERS)
    assert even <= {*PATHS, *SERIES}


def test_nothing_is_like_words_that_nobody_used_and_lost_data_has_nothing(lessons: DataConfig, tmp_path: Path) -> None:
    assert questions_like(lessons, ["Zzz?", ""]) == []
    assert questions_like(lessons, []) == []
    gone = dataclasses.replace(lessons, path=str(tmp_path / "gone"))
    assert (questions_like(gone, [SERIES[0]]), questions_of(gone, 5)) == ([], [])
