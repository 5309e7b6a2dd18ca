"""Questions with answers out of the data that a model was trained on: what new facts are told apart from."""

import itertools
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from trainer.config import DataConfig
from trainer.documents import Place, find_documents
from trainer.errors import DataError
from trainer.memory.facts import Fact

_ALIKE: Final = 8  # conversations that each fact is told apart from for their likeness, beside those spread evenly
_LOOKED_THROUGH: Final = 20_000  # conversations, spread evenly, among which like ones are sought: a second or two
_SMALLEST: Final = 1e-9  # square of the length of a question without a word


def questions_of(config: DataConfig, most: int) -> list[Fact]:
    """Up to `most` conversations of one question and its answer, spread evenly over the training split.

    None where the data has been taken away since, or holds no conversations: facts are then told apart from one
    another alone.
    """
    return list(_spread(config, most))


def questions_like(config: DataConfig, questions: Sequence[str], each: int = _ALIKE) -> list[Fact]:
    """For each of the questions the `each` conversations of the training split that are worded most alike.

    What a memory takes for a question is, above all, the same question about something else: an even sample of much
    data holds none of those, and a gate that never met them opens too far. Likeness is the cosine of the bags of
    words, rare words counting more (Spärck Jones 1972).
    """
    known = list(_spread(config, _LOOKED_THROUGH)) if questions else []
    holders: dict[str, list[int]] = defaultdict(list)
    for number, fact in enumerate(known):
        for word in _words(fact.question):
            holders[word].append(number)
    squares = np.zeros(len(known))
    weights = {word: math.log(1 + len(known) / len(numbers)) ** 2 for word, numbers in holders.items()}
    for word, numbers in holders.items():
        squares[numbers] += weights[word]
    found: dict[Fact, None] = {}
    for question in questions:
        scores = np.zeros(len(known))
        for word in _words(question) & holders.keys():
            scores[holders[word]] += weights[word]
        scores /= np.sqrt(np.maximum(squares, _SMALLEST))
        nearest = (known[number] for number in np.argsort(-scores, kind="stable")[: each + 1] if scores[number] > 0)
        found |= dict.fromkeys(itertools.islice((fact for fact in nearest if fact.question != question), each))
    return list(found)


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))


def _spread(config: DataConfig, most: int) -> Iterator[Fact]:
    """Up to `most` conversations of the training split, at equal distances."""
    if not Path(config.path).is_dir():
        return
    try:
        rows = [place for place in find_documents(config).train if place.row]
    except DataError:
        return
    count = 0
    for place in rows[:: max(1, len(rows) // max(1, most))]:
        fact = _fact_of(place)
        if fact is not None and count < most:
            count += 1
            yield fact


def _fact_of(place: Place) -> Fact | None:
    with place.path.open("rb") as file:
        file.seek(place.offset)
        row = json.loads(file.read(place.length))
    turns = row.get("messages", [])
    if [turn.get("role") for turn in turns] != ["user", "assistant"]:
        return None
    return Fact(turns[0]["content"], turns[1]["content"])
