"""A document as ids with a weight for each id that is predicted: what is learnt, and what is only read."""

import json
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from trainer.bytes import ASSISTANT, BOUNDARY, MIDDLE, PREFIX, ROLES, SUFFIX, Ids, encode
from trainer.documents import Place
from trainer.errors import DataError

LossOn = Literal["answers", "all"]
_SPECIAL: Final = np.uint16


@dataclass(frozen=True, slots=True)
class Document:
    """Ids from boundary to boundary, and the weight of predicting each of them; the first is never predicted."""

    ids: Ids  # (n,)
    weights: NDArray[np.float32]  # (n,), 0 or 1
    plain: bool = False  # text without turns: it may be told in another order


def read_document(place: Place, loss_on: LossOn) -> Document:
    """The document at the place. Raises DataError when the file has changed or the row makes no sense."""
    try:
        with place.path.open("rb") as file:
            file.seek(place.offset)
            content = file.read(place.length)
    except OSError as error:
        raise DataError(f"{place.path} cannot be read any more ({error.strerror}); leave the data alone.") from error
    if len(content) != place.length:
        raise DataError(f"{place.path} has become shorter during the run; leave the data alone.")
    if not place.row:
        return of_text(content)
    try:
        row = json.loads(content)
        if "messages" in row:
            turns = [(turn["role"], turn["content"]) for turn in row["messages"]]
            return of_conversation(turns, loss_on)
        return of_text(row["text"].encode())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"The row at byte {place.offset} of {place.path} makes no sense ({error!r}); mend it."
        ) from error


def of_text(text: bytes) -> Document:
    """Every byte is learnt, and where the text ends."""
    ids = _joined([BOUNDARY], encode(text), [BOUNDARY])
    return Document(ids, np.ones(len(ids), np.float32), plain=True)


def of_conversation(turns: list[tuple[str, str]], loss_on: LossOn) -> Document:
    """Each turn after its role's id. An answer is learnt with the id that follows it, which says that it is over.

    Raises:
        KeyError: a role is none of user, assistant and system.

    """
    parts: list[Ids] = [np.array([BOUNDARY], _SPECIAL)]
    weights: list[NDArray[np.float32]] = [np.zeros(1, np.float32)]
    after_answer = False
    for role, text in turns:
        body = encode(text.encode())
        answer = ROLES[role] == ASSISTANT
        parts += [np.array([ROLES[role]], _SPECIAL), body]
        weights += [np.full(1, after_answer, np.float32), np.full(len(body), answer, np.float32)]
        after_answer = answer
    ids = _joined(*parts, [BOUNDARY])
    if loss_on == "all":
        return Document(ids, np.ones(len(ids), np.float32))
    return Document(ids, np.concatenate([*weights, np.full(1, after_answer, np.float32)]))


def fill_in_the_middle(document: Document, generator: np.random.Generator) -> Document:
    """The text cut at two places and told as prefix, suffix, middle (Bavarian et al. 2022, arXiv 2207.14255, "PSM")."""
    body = document.ids[1:-1]
    first, second = sorted(int(cut) for cut in generator.integers(0, len(body) + 1, size=2))
    ids = _joined([BOUNDARY, PREFIX], body[:first], [SUFFIX], body[second:], [MIDDLE], body[first:second], [BOUNDARY])
    return Document(ids, np.ones(len(ids), np.float32))


def _joined(*parts: Ids | list[int]) -> Ids:
    return np.concatenate([np.asarray(part, _SPECIAL) for part in parts])
