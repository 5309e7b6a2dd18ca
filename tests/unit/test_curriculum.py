"""What self-distilled students are taught and asked: few examples, held-out questions, what guessing gives."""

import random

from ghostd.core.canonical import encode
from ghostd.core.curriculum import VARY, guessed, hold_out, how_to_vary
from ghostd.core.variation import Answered, Pair, Variation, form_of


def squares(*numbers: int) -> list[Pair]:
    return [Pair("c" * 64, "algebra/square", f"What is the square of {n}?", str(n), str(n * n)) for n in numbers]


def test_held_out_questions_reach_as_far_as_proposals_do_and_are_not_known() -> None:
    known = squares(2, 5, 9, 20)
    form = form_of(known)
    assert form is not None
    questions = {one.question for one in squares(*range(30), 120, 130)}
    numbers = [int(one.arguments) for one in hold_out([form], questions, 40, random.Random(1))]
    assert len(set(numbers)) == 40 and min(numbers) >= 30 and max(numbers) <= form.reach[1] == 200
    assert not {120, 130} & set(numbers)
    assert sum(number < 100 for number in numbers) > 15 and sum(number >= 100 for number in numbers) > 5


def test_a_few_known_questions_are_varied_often_and_many_once_each() -> None:
    shown = how_to_vary(squares(2, 5, 9, 20), random.Random(1))
    assert len(shown) == len(set(shown)) == 4 * 3
    assert len(how_to_vary(squares(*range(500)), random.Random(1))) == 64
    assert not [numbers for asked, numbers in shown if asked == f"{VARY}What is the square of {numbers}?"]


def test_what_knowing_nothing_gives_is_the_most_frequent_answer_of_each_form() -> None:
    def asked(crystal_id: str, value: int) -> Pair:
        return Pair(crystal_id, "", f"{value}?", "", str(value))

    def true(crystal_id: str, value: int) -> Answered:
        return Answered(Variation(crystal_id, "", "", ""), encode(value), "", "", 0.0, answered=False)

    taught = [asked("a", 4), asked("a", 4), asked("a", 2), asked("b", 7), asked("b", 7)]
    truth = [true("a", 4), true("a", 2), true("b", 7), true("b", 4)]
    assert guessed(taught, truth) == 2
    assert guessed([*taught, *[asked("b", 4)] * 3, asked("a", 2), asked("a", 2)], truth) == 2
    assert guessed(taught, [true("a", 2)]) == 0
