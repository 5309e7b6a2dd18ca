"""Every answer of every probe follows from its row, is as likely as any other, and is not to be guessed."""

import math
from collections.abc import Callable

import pytest
import torch

from trainer.errors import ConfigError
from trainer.probes.learner import build, score
from trainer.probes.task import NOT_ASKED, Rows, Task, chance, names, variants
from trainer.probes.tasks.forgetting import Forgetting
from trainer.probes.tasks.mqar import Mqar
from trainer.probes.tasks.state_tracking import cyclic, symmetric

TASKS = {variant: task for name in names() for variant, task in variants(name).items()}


def drawn(task: Task, seed: int = 0, rows: int = 40, length: int = 0) -> Rows:
    return task.draw(torch.Generator().manual_seed(seed), rows, length or task.learning.length)


def asked(rows: Rows) -> list[list[tuple[int, int]]]:
    """(place, answer) of every question, row by row."""
    return [
        [(place, answer) for place, answer in enumerate(row) if answer != NOT_ASKED] for row in rows.targets.tolist()
    ]


def recalled(ids: list[int], place: int) -> int:
    """MQAR: what followed the key where it stood first."""
    return ids[ids.index(ids[place]) + 1]


def key_found(ids: list[int], place: int) -> int:
    """Passkey: the digit after the sign, as many further as the question is behind."""
    return ids[ids.index(ord("#")) + 1 + place - max(at for at in range(place + 1) if ids[at] == ord("?"))]


def copied(ids: list[int], place: int) -> int:
    """Copy: the letter as far from the beginning as this place is from the sign."""
    sign = ids.index(ord("="))
    first = next(at for at, letter in enumerate(ids) if letter != ord("."))
    return ids[first + place - sign]


def held(ids: list[int], place: int) -> int:
    """Persistence: the id after the sign, if this is a question."""
    assert ids[place] == ord("?")
    return ids[ids.index(ord("#")) + 1]


def newest(ids: list[int], place: int) -> int:
    """Forgetting: the value that the name was given last."""
    assert ids[place - 1] == ord("?")
    return next(ids[at + 2] for at in range(place - 1, -1, -1) if ids[at] == ord("=") and ids[at + 1] == ids[place])


def multiplied(compose: Callable[[int, int], int]) -> Callable[[list[int], int], int]:
    def product(ids: list[int], place: int) -> int:
        total = ids[0]
        for element in ids[1 : place + 1]:
            total = compose(total, element)
        return total

    return product


SIX = symmetric(3)
SOLVERS = {
    "mqar": recalled,
    "passkey": key_found,
    "copy": copied,
    "persistence": held,
    "forgetting": newest,
    "parity": multiplied(lambda first, second: (first + second) % 2),
    "modulo five": multiplied(lambda first, second: (first + second) % 5),
    "three things": multiplied(lambda first, second: SIX[first][second]),
}


@pytest.mark.parametrize("name", TASKS)
def test_every_answer_follows_from_what_stands_before_it(name: str) -> None:
    task = TASKS[name]
    for length in {task.learning.length, task.learning.shortest or task.learning.length}:
        rows = drawn(task, length=length)
        assert rows.ids.shape == rows.targets.shape == (40, length)
        assert rows.ids.min() >= 0 and rows.ids.max() < task.vocabulary
        for ids, questions in zip(rows.ids.tolist(), asked(rows), strict=True):
            assert questions
            assert [SOLVERS[name](ids, place) for place, _ in questions] == [answer for _, answer in questions]


@pytest.mark.parametrize("name", TASKS)
def test_each_answer_is_as_likely_as_the_others_so_guessing_has_its_chance(name: str) -> None:
    """A guesser that always says the same, and one that draws, are both right as often as `chance` says."""
    task = TASKS[name]
    rows = drawn(task, rows=400)
    answers = torch.tensor([answer for row in asked(rows) for _, answer in row])
    assert answers.min() >= task.answers.start and answers.max() < task.answers.stop
    share = 1 / len(task.answers)
    error = 5 * math.sqrt(share / 400)  # five standard deviations, were there one independent answer in each row
    for constant in (task.answers.start, task.answers.stop - 1):
        assert abs(float((answers == constant).float().mean()) - share) < error
    source = torch.Generator().manual_seed(99)
    guesses = torch.randint(task.answers.start, task.answers.stop, answers.shape, generator=source)
    assert abs(float((answers == guesses).float().mean()) - share) < error
    expected = share if not task.whole_rows else share ** len(asked(rows)[0])
    assert chance(task, rows) == pytest.approx(expected)


@pytest.mark.parametrize("name", TASKS)
def test_rows_are_new_for_each_seed_and_the_same_for_the_same_seed(name: str) -> None:
    first, again, other = (drawn(TASKS[name], seed, rows=4) for seed in (1, 1, 2))
    assert torch.equal(first.ids, again.ids) and torch.equal(first.targets, again.targets)
    assert not torch.equal(first.ids, other.ids)


@pytest.mark.parametrize("name", TASKS)
def test_rows_without_room_for_a_question_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="need"):
        TASKS[name].draw(torch.Generator(), 1, 0)


def test_mqar_asks_for_every_key_once_and_never_a_key_twice() -> None:
    task = Mqar(vocabulary=64, pairs=8)
    rows = drawn(task, length=64)
    for ids, questions in zip(rows.ids.tolist(), asked(rows), strict=True):
        keys = [ids[place] for place, _ in questions]
        assert sorted(keys) == sorted(ids[0:16:2]) and len(set(keys)) == 8
        assert all(place >= 16 and place % 2 == 0 for place, _ in questions)


def test_groups_are_groups_and_permutations_do_not_commute() -> None:
    for group in (cyclic(2), cyclic(5), symmetric(3)):
        size = range(len(group))
        assert all(sorted(group[each]) == list(size) for each in size)
        assert all(group[group[a][b]][c] == group[a][group[b][c]] for a in size for b in size for c in size)
    six = symmetric(3)
    assert len(six) == 6 and any(six[a][b] != six[b][a] for a in range(6) for b in range(6))


def test_a_lure_is_an_older_value_and_never_the_answer() -> None:
    rows = drawn(Forgetting())
    assert rows.lures is not None
    tempting = 0
    for ids, targets, lures in zip(rows.ids.tolist(), rows.targets.tolist(), rows.lures.tolist(), strict=True):
        for place, lure in enumerate(lures):
            if lure != NOT_ASKED:
                tempting += 1
                values = [ids[at + 2] for at in range(place) if ids[at] == ord("=") and ids[at + 1] == ids[place]]
                assert lure in values[:-1] and lure != targets[place] == values[-1]
    assert tempting > 200


@pytest.mark.parametrize("name", ["mqar", "passkey", "copy", "persistence", "parity"])
def test_an_untrained_model_does_no_better_than_guessing(name: str) -> None:
    task = TASKS[name]
    found = score(build(task, task.learning, seed=0).eval(), task, task.learning.length, rows=48)
    assert found.right <= found.chance + 5 * math.sqrt(found.chance / 48) + 0.001
