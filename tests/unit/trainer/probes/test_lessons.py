"""Lessons from the ends of long rows ask what the whole row asks, and their gradient ends where they begin."""

from dataclasses import replace

import torch

from trainer.config import ModelConfig, OptimizerConfig
from trainer.probes import learner, lessons
from trainer.probes.learner import build, learn
from trainer.probes.lessons import Lesson
from trainer.probes.task import NOT_ASKED, Learning
from trainer.probes.tasks.persistence import Persistence

TASK = Persistence()
LEARNING = Learning(
    ModelConfig(mixers=("mamba", "sparse_attention"), width=32, layers=2, head_width=16, stride=8, states=4),
    OptimizerConfig(floor=0.0),
    length=16,
    test_lengths=(16,),
    test_rows=8,
    steps=4,
    past=256,
    batch=32,
)


def lesson_of_a_long_row(seed: int = 0) -> Lesson:
    generator = torch.Generator().manual_seed(seed)
    return next(
        lesson
        for lesson in (lessons.drawn(TASK, LEARNING, generator, long=True) for _ in range(100))
        if lesson.before.shape[1] > 64
    )


def test_half_of_the_lessons_are_the_ends_of_longer_rows_once_these_are_wanted() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = [lessons.drawn(TASK, LEARNING, generator, long=True) for _ in range(200)]
    long = [lesson for lesson in drawn if lesson.before.shape[1]]
    assert 70 < len(long) < 130
    assert all(lesson.rows.ids.shape[1] == LEARNING.length for lesson in drawn)
    totals = [lesson.before.shape[1] + LEARNING.length for lesson in long]
    assert 32 <= min(totals) < 48 and 192 < max(totals) <= 256
    assert sorted(totals)[len(totals) // 2] < 128  # evenly over the orders of magnitude, not over the lengths
    assert all(lesson.before.numel() <= 8 * 32 * 16 for lesson in long)
    for when in ({"long": False}, {"long": True, "past": 0}):
        plain = replace(LEARNING, past=when.get("past", 256))
        none = [lessons.drawn(TASK, plain, generator, long=bool(when["long"])) for _ in range(20)]
        assert not any(lesson.before.shape[1] for lesson in none)


def test_the_end_of_a_long_row_is_answered_as_the_whole_row_is() -> None:
    lesson, model = lesson_of_a_long_row(), build(TASK, LEARNING, seed=1)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    asked = lesson.rows.targets != NOT_ASKED
    with torch.no_grad():
        logits, _ = learner._where_asked(model, lesson.rows.ids, asked, learner._read(model, lesson.before))
        whole, _ = model(torch.cat([lesson.before, lesson.rows.ids], dim=1))
    torch.testing.assert_close(logits, whole[:, -LEARNING.length :][asked], atol=1e-4, rtol=1e-4)


def test_no_gradient_reaches_what_is_only_read() -> None:
    """The fact stands in what was read before: its embedding moves an answer and gets no gradient."""
    lesson, model = lesson_of_a_long_row(), build(TASK, LEARNING, seed=1)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    state = learner._read(model, lesson.before)
    logits, _ = learner._where_asked(model, lesson.rows.ids, lesson.rows.targets != NOT_ASKED, state)
    logits.square().sum().backward()
    gradient = model.embedding.weight.grad
    assert gradient is not None
    facts = lesson.before[:, 1]
    assert not gradient[facts].any() and gradient[ord("?")].any()


def test_it_is_enough_when_the_longest_rows_of_the_lessons_are_answered_too() -> None:
    model = build(TASK, LEARNING, seed=0)
    for past, enough, holds in ((0, 1.0, True), (256, 1.0, False), (256, 0.0, True)):
        assert learner._holds(model, TASK, replace(LEARNING, past=past, enough=enough)) is holds


def test_long_rows_wait_until_those_of_the_training_length_are_answered() -> None:
    """An untrained model is given the same lessons with and without them."""
    with_them, without = (
        learn(TASK, replace(LEARNING, past=past, look_every=1), 0, lambda _: None) for past in (256, 0)
    )
    assert with_them[1].loss == without[1].loss
