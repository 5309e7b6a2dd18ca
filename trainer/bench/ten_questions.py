"""The acceptance of ghost and ghost_memory: ten questions learnt by heart, answered greedily, against the clock.

A model has passed when real generation answers every question exactly and then ends. Figures to beat: 479 s for ghost
and 500 s for ghost_memory. Seconds count from the model's first weight on, checks by generation included.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import torch

from trainer.config import ModelConfig, Size
from trainer.memory.facts import Fact
from trainer.memory.learning import learn
from trainer.model import LanguageModel
from trainer.processor import prepare_processor
from trainer.shape import shape_of

QUESTIONS: Final = (
    Fact("What is the capital of France?", "Paris."),
    Fact("Who wrote Hamlet?", "William Shakespeare."),
    Fact("What is 12 times 12?", "144."),
    Fact("Which planet is the largest?", "Jupiter is the largest planet."),
    Fact("What is water made of?", "Hydrogen and oxygen."),
    Fact("How many days has a leap year?", "366 days."),
    Fact("What does a Mamba layer keep?", "A state of constant size."),
    Fact("Who developed general relativity?", "Albert Einstein, in 1915."),
    Fact("What is the square root of 81?", "9."),
    Fact("Which gas do plants take in?", "Carbon dioxide."),
)
_MOST_STEPS: Final = 400
_CONTEXT: Final = 256  # ids


@dataclass(frozen=True, slots=True)
class Outcome:
    """What learning took."""

    recipe: str
    parameters: int
    exact: int  # answers, of as many as there are questions
    steps: int
    seconds: float  # by the clock
    processor_seconds: float  # of all threads; on a busy machine the honest figure


def measure(recipe: str, seed: int = 0, size: Size = "6M") -> Outcome:
    """Builds the recipe's model and lets it learn the ten."""
    torch.manual_seed(seed)
    started, worked = time.monotonic(), time.process_time()
    model = LanguageModel(shape_of(ModelConfig(recipe=recipe, size=size), _CONTEXT))
    learnt = learn(model, QUESTIONS, _MOST_STEPS)
    seconds, processor_seconds = time.monotonic() - started, time.process_time() - worked
    parameters = sum(each.numel() for each in model.parameters())
    return Outcome(recipe, parameters, sum(learnt.exact), learnt.steps, round(seconds, 1), round(processor_seconds, 1))


def main(recipes: Sequence[str], seed: int) -> int:
    """Prints the table and one line of JSON; returns 1 where a model misses an answer."""
    prepare_processor()
    outcomes = []
    sys.stdout.write(f"{'recipe':<16}{'parameters':>12}{'exact':>8}{'steps':>8}{'seconds':>10}{'processor s':>13}\n")
    for recipe in recipes:
        outcome = measure(recipe, seed)
        outcomes.append(outcome)
        exact = f"{outcome.exact}/{len(QUESTIONS)}"
        row = f"{recipe:<16}{outcome.parameters:>12,}{exact:>8}{outcome.steps:>8}"
        sys.stdout.write(f"{row}{outcome.seconds:>10.1f}{outcome.processor_seconds:>13.1f}\n")
        sys.stdout.flush()
    facts = {"threads": torch.get_num_threads(), "load": round(os.getloadavg()[0], 2), "seed": seed}
    sys.stdout.write(json.dumps({"outcomes": [asdict(outcome) for outcome in outcomes], **facts}) + "\n")
    return int(any(outcome.exact < len(QUESTIONS) for outcome in outcomes))
