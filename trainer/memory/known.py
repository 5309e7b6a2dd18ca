"""Questions with answers out of the data that a model was trained on: what new facts are told apart from."""

import json
from pathlib import Path

from trainer.config import DataConfig
from trainer.documents import Place, find_documents
from trainer.errors import DataError
from trainer.memory.facts import Fact


def questions_of(config: DataConfig, most: int) -> list[Fact]:
    """Up to `most` conversations of one question and its answer, spread evenly over the training split.

    None where the data has been taken away since, or holds no conversations: facts are then told apart from one
    another alone.
    """
    if not Path(config.path).is_dir():
        return []
    try:
        rows = [place for place in find_documents(config).train if place.row]
    except DataError:
        return []
    found: list[Fact] = []
    for place in rows[:: max(1, len(rows) // max(1, most))]:
        fact = _fact_of(place)
        if fact is not None and len(found) < most:
            found.append(fact)
    return found


def _fact_of(place: Place) -> Fact | None:
    with place.path.open("rb") as file:
        file.seek(place.offset)
        row = json.loads(file.read(place.length))
    turns = row.get("messages", [])
    if [turn.get("role") for turn in turns] != ["user", "assistant"]:
        return None
    return Fact(turns[0]["content"], turns[1]["content"])
