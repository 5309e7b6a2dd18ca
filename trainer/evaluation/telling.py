"""Which answers a student with a fact memory is told, not trained, before it is asked; it grades nothing.

They are answers of the training split that `withhold` kept out of the lessons, each in one of its two forms: so what
the weights know, what the memory recalls, and what it makes of another form of an exercise can be told apart.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from trainer.evaluation.questions import Question, Suite
from trainer.memory.facts import Fact, Facts
from trainer.memory.writing import new_facts, write_apart
from trainer.model import LanguageModel


class Told(StrEnum):
    """What of a question was told."""

    ITSELF = "told"
    OTHER_FORM = "told in its other form"
    NOTHING = "not told"


@dataclass(frozen=True, slots=True)
class Telling:
    """The questions whose answers were told."""

    questions: frozenset[str]  # ids
    exercises: frozenset[str]
    refused: int = 0  # more that the model could not tell apart from something it knows

    def of(self, question: Question) -> Told:
        """What was told of the question."""
        if question.id in self.questions:
            return Told.ITSELF
        return Told.OTHER_FORM if question.exercise in self.exercises else Told.NOTHING


def worth_telling(questions: Iterable[Question], most: int) -> list[Question]:
    """At most so many questions that no lesson holds in any form: one form of each exercise, by its hash."""
    exercises: dict[str, list[Question]] = {}
    for question in questions:
        if question.suite is Suite.PARAMETERS:
            exercises.setdefault(question.exercise, []).append(question)
    chosen = [  # by a byte of the hash that does not decide on the suite
        forms[hashlib.sha256(exercise.encode()).digest()[2] % len(forms)] for exercise, forms in exercises.items()
    ]
    count = min(most, len(chosen))
    return [chosen[number * len(chosen) // count] for number in range(count)]


def tell(model: LanguageModel, questions: Sequence[Question], known: Sequence[Fact]) -> Telling:
    """Write the answers into the model's memory, which it recalls from then on.

    Args:
        model: a `ghost_memory`.
        questions: with their answers; one that the model cannot tell apart from what it knows is left out.
        known: some that the weights know, which what is told must not disturb.

    Raises:
        ConfigError: the model has no fact memory.

    """
    facts: Facts = new_facts(model, known)
    refused = set(write_apart(model, facts, [Fact(one.prompt, one.completion) for one in questions]))
    model.recall = facts
    told = [one for one in questions if one.prompt not in {fact.question for fact in refused}]
    return Telling(frozenset(one.id for one in told), frozenset(one.exercise for one in told), len(refused))
