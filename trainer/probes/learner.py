"""A small model learns a task on the fly and is tested at every length; it knows no task by name."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_

from trainer.model import LanguageModel
from trainer.optim import Optimizer
from trainer.probes import lessons
from trainer.probes.lessons import Lesson
from trainer.probes.task import NOT_ASKED, Learning, Rows, Task, chance
from trainer.processor import prepare_processor
from trainer.schedule import factor
from trainer.shape import shape_of
from trainer.state import ModelState

_TEST_SEED = 1 << 20  # far from every training seed: no test row is a training row
_TEST_IDS = 1 << 15  # of the rows that are read together
_PIECE = 1024  # ids of a row in one forward pass
_LONG_ROWS = 32  # that tell whether a training is over


@dataclass(frozen=True, slots=True)
class Tested:
    """How a model did at one length."""

    length: int  # ids of a row
    right: float  # share of right answers, or of rows that are right as a whole
    chance: float  # what blind guessing would have
    lured: float | None = None  # share of tempting questions that were answered with the lure; None: none tempts


@dataclass(frozen=True, slots=True)
class Learnt:
    """One training and its tests."""

    seed: int
    parameters: int
    steps: int
    seconds: float  # of training and of looking whether it is enough; without the tests at the end
    cpu_seconds: float  # of all threads meanwhile: what a busy machine leaves unchanged
    loss: float  # nats for each answer, at the last step
    reached: float  # share of right answers at the training length, when the training ended
    tested: tuple[Tested, ...]


def build(task: Task, learning: Learning, seed: int) -> LanguageModel:
    """The model of the recipe with the task's vocabulary; attention sees the longest test row where nothing is set."""
    torch.manual_seed(seed)
    shape = shape_of(learning.model, max(learning.length, *learning.test_lengths))
    return LanguageModel(replace(shape, vocabulary=task.vocabulary))


def learn(task: Task, learning: Learning, seed: int, say: Callable[[str], None]) -> tuple[LanguageModel, Learnt]:
    """Trains on fresh rows until it is enough or the steps are over, then tests.

    Args:
        task: what to learn.
        learning: with what, and for how long.
        seed: of the weights and of the training rows; the test rows are the same for all seeds.
        say: takes one line of news.

    """
    prepare_processor()
    model = build(task, learning, seed)
    optimizer = Optimizer(model, learning.optimizer)
    generator = torch.Generator().manual_seed(seed)
    began_cpu = time.process_time()
    began, loss, reached, step, ready = time.perf_counter(), float("nan"), 0.0, 0, False
    while step < learning.steps:
        lesson = lessons.drawn(task, learning, generator, long=ready)
        rate = factor(step, learning.steps, learning.optimizer)
        loss = _step(model, optimizer, lesson, rate, learning.optimizer.clip)
        step += 1
        if step % learning.look_every == 0 or step == learning.steps:
            reached = score(model, task, learning.length, learning.test_rows).right
            say(f"step {step}: loss {loss:.4f}, right {reached:.4f}, {time.perf_counter() - began:.1f} s")
            ready = ready or reached >= learning.ready
            if reached >= learning.enough and _holds(model, task, learning):
                break
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu
    tested = tuple(score(model, task, length, learning.test_rows) for length in learning.test_lengths)
    parameters = sum(weight.numel() for weight in model.parameters())
    return model, Learnt(seed, parameters, step, seconds, cpu_seconds, loss, reached, tested)


def _holds(model: LanguageModel, task: Task, learning: Learning) -> bool:
    """Whether it is enough in the longest rows that lessons come from, too."""
    return not learning.past or score(model, task, learning.past, _LONG_ROWS).right >= learning.enough


def _step(model: LanguageModel, optimizer: Optimizer, lesson: Lesson, rate: float, clip: float) -> float:
    rows, state = lesson.rows, _read(model, lesson.before)
    asked = rows.targets != NOT_ASKED
    logits, _ = _where_asked(model, rows.ids, asked, state)
    loss = functional.cross_entropy(logits, rows.targets[asked])
    loss.backward()
    clip_grad_norm_(model.parameters(), clip or float("inf"))
    optimizer.step(rate)
    return float(loss.detach())


@torch.no_grad()
def _read(model: LanguageModel, ids: Tensor) -> ModelState | None:
    """What is known after the ids; None after none."""
    state: ModelState | None = None
    for piece in ids.split(_PIECE, dim=1) if ids.shape[1] else ():
        state = model.read(piece, None, state).state
    return state


def _where_asked(
    model: LanguageModel, ids: Tensor, asked: Tensor, state: ModelState | None
) -> tuple[Tensor, ModelState]:
    """The logits of the asked places alone, (asked, vocabulary): the others would cost more than all the rest."""
    reading = model.read(ids, None, state)
    return model.next_logits(replace(reading, hidden=reading.hidden[asked], contexts=None)), reading.state


@torch.inference_mode()
def score(model: LanguageModel, task: Task, length: int, rows: int) -> Tested:
    """The share of right answers on `rows` fresh rows; long rows are read in pieces, with the state carried on."""
    generator = torch.Generator().manual_seed(_TEST_SEED + length)
    at_once = max(1, min(rows, _TEST_IDS // length))
    right = asked = 0.0
    guessed, lured, tempting = [], 0.0, 0.0
    for first in range(0, rows, at_once):
        drawn = task.draw(generator, min(at_once, rows - first), length)
        said = _said(model, drawn)
        hits, wanted = said == drawn.targets, drawn.targets != NOT_ASKED
        if drawn.lures is not None:
            lured += float((wanted & (said == drawn.lures)).sum())
            tempting += float((drawn.lures != NOT_ASKED).sum())
        if task.whole_rows:
            right, asked = right + float((hits | ~wanted).all(1).sum()), asked + len(hits)
        else:
            right, asked = right + float((hits & wanted).sum()), asked + float(wanted.sum())
        guessed.append(chance(task, drawn))
    return Tested(length, right / asked, sum(guessed) / len(guessed), lured / tempting if tempting else None)


def _said(model: LanguageModel, rows: Rows) -> Tensor:
    """(B, L): the most likely id where it is asked; nothing of meaning elsewhere."""
    state: ModelState | None = None
    found = torch.zeros_like(rows.targets)
    for start in range(0, rows.ids.shape[1], _PIECE):
        piece = slice(start, start + _PIECE)
        asked = rows.targets[:, piece] != NOT_ASKED
        logits, state = _where_asked(model, rows.ids[:, piece], asked, state)
        if bool(asked.any()):
            found[:, piece].masked_scatter_(asked, logits.argmax(-1))
    return found
