"""Questions learnt by heart: by gradient, until real generation answers each one exactly."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from trainer.bytes import PADDING
from trainer.config import OptimizerConfig
from trainer.data import Batch
from trainer.encoding import Document, of_conversation
from trainer.forward import Forward
from trainer.generate import generate, prompt_ids
from trainer.memory.facts import Fact
from trainer.model import LanguageModel
from trainer.optim import Optimizer
from trainer.sampling import Sampling

OPTIMIZER: Final = OptimizerConfig(name="muon", learning_rate=0.01, muon_learning_rate=0.02, weight_decay=0.0)
_ROWS: Final = 4  # of the batch, each filled with whole conversations
_WARM_UP: Final = 5  # steps
_AHEAD_WEIGHT: Final = 0.2
_WORTH_A_LOOK: Final = 0.3  # nats for each id; above it, not every answer can be right
_LONGEST_ANSWER: Final = 200  # bytes


@dataclass(frozen=True, slots=True)
class Learnt:
    """How learning by heart ended."""

    steps: int
    exact: tuple[bool, ...]  # for each fact, whether generation gave its answer


def learn(
    model: LanguageModel, facts: Sequence[Fact], most_steps: int, optimizer: OptimizerConfig = OPTIMIZER
) -> Learnt:
    """Trains on the answers until all are exact, or for `most_steps` steps; recall by memory is left out of it."""
    recall, model.recall = model.recall, None
    try:
        return _learn(model, facts, most_steps, optimizer)
    finally:
        model.recall = recall


def _learn(model: LanguageModel, facts: Sequence[Fact], most_steps: int, config: OptimizerConfig) -> Learnt:
    batch, forward = batch_of(facts).to(model.head.weight.device), Forward(model, _AHEAD_WEIGHT)
    moves = Optimizer(model, config)
    ids = float(batch.weights.sum())
    for step in range(1, most_steps + 1):
        lost, _ = forward(batch, None)
        loss = lost / ids
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        moves.step(min(1.0, step / _WARM_UP))
        if float(loss.detach()) < _WORTH_A_LOOK and _all_likeliest(model, batch):
            exact = exactly_answered(model, facts)
            if all(exact):
                return Learnt(step, exact)
    return Learnt(most_steps, exactly_answered(model, facts))


@torch.inference_mode()
def _all_likeliest(model: LanguageModel, batch: Batch) -> bool:
    """Whether each id of the answers is the likeliest after those before it: cheaper to ask than generation."""
    guessed = model(batch.ids, batch.segments)[0].argmax(-1)
    return bool((guessed == batch.targets)[batch.weights > 0].all())


def exactly_answered(model: LanguageModel, facts: Sequence[Fact]) -> tuple[bool, ...]:
    """For each fact, whether greedy decoding gives its answer and then ends."""
    return tuple(answer_of(model, fact.question) == fact.answer for fact in facts)


def answer_of(model: LanguageModel, question: str) -> str:
    """What the model says to the question, by greedy decoding."""
    prompt = prompt_ids(question.encode(), chat=True)
    written = generate(model, prompt, most=_LONGEST_ANSWER, sampling=Sampling(temperature=0), seed=0)
    return bytes(written).decode(errors="replace")


def batch_of(facts: Sequence[Fact]) -> Batch:
    """All conversations in one batch, the longest first into the emptiest row; nothing is seen from one to the next."""
    documents = [of_conversation([("user", fact.question), ("assistant", fact.answer)], "answers") for fact in facts]
    rows: list[list[Document]] = [[] for _ in range(min(_ROWS, len(documents)))]
    for document in sorted(documents, key=lambda each: -len(each.ids)):
        min(rows, key=_length).append(document)
    length = max(_length(row) for row in rows)
    stacked = torch.from_numpy(np.stack([_row(row, length) for row in rows], axis=1))
    ids, targets, weights, segments = stacked.unbind(0)
    return Batch(ids.contiguous(), targets.contiguous(), weights.float(), segments.contiguous())


def _length(row: Sequence[Document]) -> int:
    return sum(len(document.ids) - 1 for document in row)


def _row(documents: Sequence[Document], length: int) -> NDArray[np.int64]:
    """(4, length): ids, targets, weights, segments; what is left over is padding that is not learnt."""
    row = np.zeros((4, length), np.int64)
    row[:2] = PADDING
    start = 0
    for number, document in enumerate(documents, start=1):
        here = slice(start, start + len(document.ids) - 1)
        row[0, here], row[1, here] = document.ids[:-1], document.ids[1:]
        row[2, here], row[3, here] = document.weights[1:], number
        start = here.stop
    return row
